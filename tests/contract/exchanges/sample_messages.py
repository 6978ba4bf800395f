"""What the pages on functions, actions and bulk messages show."""

from tests.contract.exchange import (
    Exchange,
    Step,
    a_guid,
    absent,
    counting,
    error,
    matching,
)

_FUNCTIONS = "power-apps/developer/data-platform/webapi/use-web-api-functions"
_ACTIONS = "power-apps/developer/data-platform/webapi/use-web-api-actions"
_BULK = "power-apps/developer/data-platform/bulk-operations"
_UPSERT = "power-apps/developer/data-platform/use-upsert-insert-update-record"
_DELETE = "power-apps/developer/data-platform/delete-data-bulk"
_COUNT = "power-apps/developer/data-platform/webapi/reference/retrievetotalrecordcount"
_ANOTHER = "power-apps/developer/data-platform/webapi/create-entity-web-api"
_QUALIFY = "dynamics365/sales/developer/qualify-lead"
_CLOSE = "dynamics365/sales/developer/close-opportunity"

_CRM = "Microsoft.Dynamics.CRM"
_ACCOUNT = f"{_CRM}.account"
_PROJECT = f"{_CRM}.new_project"
_LEAD = Step(
    "POST",
    "leads",
    204,
    {
        "leadid": "{new1}",
        "subject": "Needs ten machines",
        "firstname": "Jim",
        "lastname": "Glynn",
        "companyname": "Coho Winery",
        "estimatedclosedate": "2027-01-31",
    },
)
_ACCOUNTS = (
    Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "Stays"}),
    Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "Goes", "telephone1": "555-0111"}),
)


def _target(number, table=_ACCOUNT, **values):
    return {"@odata.type": table, **values} | ({"accountid": f"{{new{number}}}"} if number else {})


EXCHANGES = [
    Exchange(
        "a function without parameters is called with its name",
        _FUNCTIONS,
        (
            Step(
                "GET",
                "WhoAmI",
                200,
                json={
                    "@odata.context": "{root}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
                    "BusinessUnitId": a_guid,
                    "UserId": a_guid,
                    "OrganizationId": a_guid,
                },
            ),
        ),
    ),
    Exchange(
        "a function is called with empty parentheses too",
        _FUNCTIONS,
        (Step("GET", "WhoAmI()", 200, json={"UserId": a_guid}),),
    ),
    Exchange("a function is not called by POST", _FUNCTIONS, (Step("POST", "WhoAmI", 404, {}),)),
    Exchange(
        "the rows of tables are counted by a function with a list",
        _COUNT,
        (
            Step(
                "GET",
                "RetrieveTotalRecordCount(EntityNames=['account','new_project'])",
                200,
                json={
                    "EntityRecordCountCollection": {"Keys": ["account", "new_project"], "Values": counting(2)}
                },
            ),
        ),
    ),
    Exchange(
        "a parameter of a function is given by an alias",
        _FUNCTIONS,
        (
            Step(
                "GET",
                "RetrieveTotalRecordCount(EntityNames=@p1)?@p1=['new_project']",
                200,
                json={"EntityRecordCountCollection": {"Values": [0]}},
            ),
        ),
    ),
    Exchange(
        "a bound function has the full name and takes a row by its reference",
        "power-apps/developer/data-platform/webapi/reference/retrieveprincipalaccess",
        (
            Step("POST", "contacts", 204, {"contactid": "{new1}", "lastname": "Target"}),
            Step("GET", "WhoAmI", 200, capture={"me": "UserId"}),
            Step(
                "GET",
                f"systemusers({{me}})/{_CRM}.RetrievePrincipalAccess(Target=@t)?@t={{'@odata.id':'contacts({{new1}})'}}",
                200,
                json={"AccessRights": matching("ReadAccess, WriteAccess")},
            ),
        ),
    ),
    Exchange(
        "a row is initialized from another without being stored",
        _ANOTHER,
        (
            Step(
                "POST",
                "accounts",
                204,
                {"accountid": "{new1}", "name": "Parent", "address1_city": "Redmond"},
            ),
            Step(
                "GET",
                "InitializeFrom(EntityMoniker=@p1,TargetEntityName=@p2,TargetFieldType=@p3)"
                "?@p1={'@odata.id':'accounts({new1})'}&@p2='account'"
                f"&@p3={_CRM}.TargetFieldType'ValidForCreate'",
                200,
                json={
                    "@odata.type": f"#{_ACCOUNT}",
                    "parentaccountid@odata.bind": "accounts({new1})",
                    "address1_city": "Redmond",
                    "name": absent,
                },
            ),
        ),
    ),
    Exchange(
        "many rows are created by one message that answers their keys",
        _BULK,
        (
            Step(
                "POST",
                f"accounts/{_CRM}.CreateMultiple",
                200,
                {"Targets": [_target(0, name="First"), _target(0, name="Second")]},
                json={"@odata.context": matching("CreateMultipleResponse$"), "Ids": [a_guid, a_guid]},
                capture={"first": "Ids.0"},
            ),
            Step("GET", "accounts({first})?$select=name", 200, json={"name": "First"}),
        ),
    ),
    Exchange(
        "many rows are created or none",
        _BULK,
        (
            Step(
                "POST",
                f"accounts/{_CRM}.CreateMultiple",
                400,
                {"Targets": [_target(1, name="First"), _target(0, name="x" * 161)]},
                json=error("0x80044331"),
            ),
            Step("GET", "accounts({new1})", 404),
        ),
    ),
    Exchange(
        "every target of a bulk message names its type",
        _BULK,
        (
            Step(
                "POST",
                f"accounts/{_CRM}.CreateMultiple",
                400,
                {"Targets": [{"name": "Untyped"}]},
                json=error("0x80048d19"),
            ),
        ),
    ),
    Exchange(
        "many rows are updated by one message",
        _BULK,
        (
            *_ACCOUNTS,
            Step(
                "POST",
                f"accounts/{_CRM}.UpdateMultiple",
                204,
                {"Targets": [_target(1, telephone1="1"), _target(2, telephone1="2")]},
            ),
            Step(
                "GET",
                "accounts({new2})?$select=name,telephone1",
                200,
                json={"name": "Goes", "telephone1": "2"},
            ),
        ),
    ),
    Exchange(
        "an update of many rows in which one is missing changes none",
        _BULK,
        (
            *_ACCOUNTS,
            Step(
                "POST",
                f"accounts/{_CRM}.UpdateMultiple",
                404,
                {"Targets": [_target(1, telephone1="1"), _target(9, telephone1="9")]},
            ),
            Step("GET", "accounts({new1})?$select=telephone1", 200, json={"telephone1": None}),
        ),
    ),
    Exchange(
        "many rows are upserted by alternate key",
        _BULK,
        (
            Step("POST", "new_projects", 204, {"new_code": "A", "new_name": "Before"}),
            Step(
                "POST",
                f"new_projects/{_CRM}.UpsertMultiple",
                204,
                {
                    "Targets": [
                        {
                            "@odata.type": _PROJECT,
                            "@odata.id": f"new_projects(new_code='{code}')",
                            "new_name": "After",
                        }
                        for code in ("A", "B")
                    ]
                },
            ),
            Step(
                "GET",
                "new_projects?$select=new_code,new_name&$orderby=new_code",
                200,
                json={
                    "value": [{"new_code": "A", "new_name": "After"}, {"new_code": "B", "new_name": "After"}]
                },
            ),
        ),
    ),
    Exchange(
        "a row is upserted by its alternate key",
        _UPSERT,
        (
            Step("PATCH", "new_projects(new_code='K1')", 204, {"new_name": "One"}),
            Step("PATCH", "new_projects(new_code='K1')", 204, {"new_name": "Two"}),
            Step(
                "GET",
                "new_projects?$select=new_name,new_code",
                200,
                json={"value": [{"new_name": "Two", "new_code": "K1"}]},
            ),
        ),
    ),
    Exchange(
        "rows are deleted in bulk by a job that can be watched",
        _DELETE,
        (
            *_ACCOUNTS,
            Step(
                "POST",
                "BulkDelete",
                200,
                {
                    "QuerySet": [
                        {
                            "EntityName": "account",
                            "Criteria": {
                                "FilterOperator": "And",
                                "Conditions": [
                                    {
                                        "AttributeName": "name",
                                        "Operator": "Equal",
                                        "Values": [{"Value": "Goes", "Type": "System.String"}],
                                    }
                                ],
                            },
                        }
                    ],
                    "JobName": "Old accounts",
                    "SendEmailNotification": False,
                    "ToRecipients": [],
                    "CCRecipients": [],
                    "RecurrencePattern": "",
                    "StartDateTime": "2026-11-23T09:30:00Z",
                },
                json={"JobId": a_guid},
                capture={"job": "JobId"},
            ),
            Step(
                "GET",
                "asyncoperations({job})?$select=name,statecode,statuscode",
                200,
                json={"name": "Old accounts", "statecode": 3, "statuscode": 30},
            ),
            Step("GET", "accounts({new2})", 404),
            Step("GET", "accounts({new1})?$select=name", 200),
        ),
    ),
    Exchange(
        "an action that needs a parameter says which",
        _ACTIONS,
        (
            Step(
                "POST",
                "WinOpportunity",
                400,
                {"Status": 3},
                json={"error": {"message": matching("OpportunityClose")}},
            ),
        ),
    ),
    Exchange(
        "an action bound to a table has unresolved parameters without the full name",
        _ACTIONS,
        (_LEAD, Step("POST", "leads({new1})/QualifyLead", 400, {"Status": 3})),
    ),
]
