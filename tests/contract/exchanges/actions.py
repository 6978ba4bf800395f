"""Functions and actions: names, parameters, what they do and answer."""

from typing import Any

from tests.contract.exchange import (
    Exchange,
    Step,
    absent,
    anything,
    containing,
    counting,
    error,
    matching,
)

_FUNCTIONS = "power-apps/developer/data-platform/webapi/use-web-api-functions"
_ACTIONS = "power-apps/developer/data-platform/webapi/use-web-api-actions"
_REFERENCE = "power-apps/developer/data-platform/webapi/reference/"
_ANOTHER = "power-apps/developer/data-platform/webapi/create-entity-web-api"
_MERGE = "power-apps/developer/data-platform/webapi/merge-entity-using-web-api"
_CRM = "Microsoft.Dynamics.CRM"
_REFUSED = {"error": {"code": anything, "message": anything}}

_TEAM = (
    Step("GET", "WhoAmI", 200, capture={"me": "UserId", "unit": "BusinessUnitId"}),
    Step(
        "POST",
        "teams",
        204,
        {"teamid": "{new1}", "name": "Closers", "businessunitid@odata.bind": "/businessunits({unit})"},
    ),
)
_MEMBER = {"@odata.type": f"{_CRM}.systemuser", "systemuserid": "{me}"}
_OPPORTUNITY = Step(
    "POST", "opportunities", 204, {"opportunityid": "{new1}", "name": "Deal", "estimatedvalue": 500}
)
_ACCOUNTS = (
    Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "Account 1"}),
    Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "Account 2", "telephone1": "2"}),
)


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


def _closing(status: Any, **more: Any) -> dict[str, Any]:
    bound = {"opportunityid@odata.bind": "{root}opportunities({new1})"}
    return {"Status": status, "OpportunityClose": {"subject": "Closed", **bound, **more}}


def _merge(target: str, subordinate: str, content: Any = None, table: str = "account") -> dict[str, Any]:
    kind = {"@odata.type": f"{_CRM}.{table}"}
    body = {
        "Target": {f"{table}id": target, **kind},
        "Subordinate": {f"{table}id": subordinate, **kind},
        "PerformParentingChecks": False,
    }
    return body if content is None else {**body, "UpdateContent": {**content, **kind}}


def _initialized(entity_set: str, table: str) -> str:
    return (
        f"InitializeFrom(EntityMoniker=@p1,TargetEntityName=@p2,TargetFieldType=@p3)"
        f"?@p1={{'@odata.id':'{entity_set}({{new1}})'}}&@p2='{table}'&@p3={_CRM}.TargetFieldType'ValidForCreate'"
    )


EXCHANGES = [
    Exchange(
        "the version of the service is a number with four parts",
        _REFERENCE + "retrieveversion",
        (
            _row(
                "RetrieveVersion()",
                **{"@odata.context": f"{{root}}$metadata#{_CRM}.RetrieveVersionResponse"},
                Version=matching(r"^9\.2\.\d+\.\d+$"),
            ),
        ),
    ),
    Exchange(
        "the current organization tells its names and addresses",
        _REFERENCE + "retrievecurrentorganization",
        (
            Step("GET", "WhoAmI", 200, capture={"organization": "OrganizationId"}),
            _row(
                f"RetrieveCurrentOrganization(AccessType={_CRM}.EndpointAccessType'Default')",
                Detail={
                    "OrganizationId": "{organization}",
                    "FriendlyName": anything,
                    "UniqueName": anything,
                    "UrlName": anything,
                    "OrganizationVersion": matching(r"^9\.2"),
                    "State": "Enabled",
                    "Endpoints": {"Keys": containing("WebApplication"), "Values": containing(anything)},
                },
            ),
        ),
    ),
    Exchange(
        "the access of a user to a row lists rights by name",
        _REFERENCE + "retrieveprincipalaccess",
        (
            Step("GET", "WhoAmI", 200, capture={"me": "UserId"}),
            _ACCOUNTS[0],
            _row(
                f"systemusers({{me}})/{_CRM}.RetrievePrincipalAccess(Target=@tid)"
                "?@tid={'@odata.id':'{root}accounts({new1})'}",
                **{"@odata.context": f"{{root}}$metadata#{_CRM}.RetrievePrincipalAccessResponse"},
                AccessRights=matching("ReadAccess.*WriteAccess.*DeleteAccess"),
            ),
        ),
    ),
    Exchange(
        "the access to a row that does not exist is not told",
        _REFERENCE + "retrieveprincipalaccess",
        (
            Step("GET", "WhoAmI", 200, capture={"me": "UserId"}),
            Step(
                "GET",
                f"systemusers({{me}})/{_CRM}.RetrievePrincipalAccess(Target=@t)?@t={{'@odata.id':'accounts({{new9}})'}}",
                404,
                json=error("0x80040217"),
            ),
        ),
    ),
    Exchange(
        "those of the named privileges that a user has are told with their depth",
        _REFERENCE + "retrieveusersetofprivilegesbynames",
        (
            Step("GET", "WhoAmI", 200, capture={"me": "UserId"}),
            _row(
                f"systemusers({{me}})/{_CRM}.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@p)"
                '?@p=["prvReadAccount","prvNoneSuch"]',
                RolePrivileges=[{"PrivilegeName": "prvReadAccount", "Depth": "Global"}],
            ),
        ),
    ),
    Exchange(
        "the numbers of rows are a collection of keys and values",
        _REFERENCE + "retrievetotalrecordcount",
        (
            _row(
                "RetrieveTotalRecordCount(EntityNames=['account'])",
                EntityRecordCountCollection={"Count": 1, "Keys": ["account"], "Values": counting(1)},
            ),
        ),
    ),
    Exchange(
        "a function is not called without a parameter that it needs",
        _FUNCTIONS,
        (Step("GET", "RetrieveTotalRecordCount()", 400, json=_REFUSED),),
    ),
    Exchange(
        "an alias without a value is refused",
        _FUNCTIONS,
        (Step("GET", "RetrieveTotalRecordCount(EntityNames=@p1)", 400, json=_REFUSED),),
    ),
    Exchange(
        "a contact initialized from an account is bound to it",
        _ANOTHER,
        (
            Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "P", "telephone1": "555"}),
            _row(
                _initialized("accounts", "contact"),
                **{"@odata.type": f"#{_CRM}.contact", "contactid": absent},
                **{"parentcustomerid_account@odata.bind": "accounts({new1})"},
            ),
        ),
    ),
    Exchange(
        "what a row is initialized with creates the row",
        _ANOTHER,
        (
            Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "P"}),
            Step(
                "GET",
                _initialized("accounts", "account"),
                200,
                capture={"bound": "parentaccountid@odata.bind"},
            ),
            Step(
                "POST",
                "accounts",
                204,
                {
                    "@odata.type": f"#{_CRM}.account",
                    "accountid": "{new2}",
                    "name": "Child",
                    "parentaccountid@odata.bind": "{bound}",
                },
            ),
            _row("accounts({new2})?$select=_parentaccountid_value", _parentaccountid_value="{new1}"),
        ),
    ),
    Exchange(
        "a bound action without its full name has unresolved parameters",
        _ACTIONS,
        (
            *_TEAM,
            Step(
                "POST",
                "teams({new1})/AddMembersTeam",
                400,
                {"Members": [_MEMBER]},
                json={"error": {"message": matching("Request message has unresolved parameters")}},
            ),
        ),
    ),
    Exchange(
        "a won opportunity keeps its close activity by an absolute address",
        _ACTIONS,
        (
            _OPPORTUNITY,
            Step("POST", "WinOpportunity", 204, _closing(3), headers={"OData-Version": "4.0"}, text=""),
            _row(
                "opportunitycloses?$select=subject&$filter=_opportunityid_value eq {new1}",
                value=[{"subject": "Closed"}],
            ),
            _row("opportunities({new1})?$select=statecode,statuscode", statecode=1, statuscode=3),
        ),
    ),
    Exchange(
        "an opportunity is not won with the status of a lost one",
        _ACTIONS,
        (
            _OPPORTUNITY,
            Step("POST", "WinOpportunity", 400, _closing(5), json=_REFUSED),
            _row("opportunities({new1})?$select=statecode", statecode=0),
        ),
    ),
    Exchange(
        "an opportunity is not lost with the status of a won one",
        _ACTIONS,
        (
            _OPPORTUNITY,
            Step("POST", "LoseOpportunity", 400, _closing(3), json=_REFUSED),
            _row("opportunities({new1})?$select=statecode", statecode=0),
        ),
    ),
    Exchange(
        "a parameter of another type is refused",
        _ACTIONS,
        (
            _OPPORTUNITY,
            Step("POST", "WinOpportunity", 400, _closing("Won"), json=error("0x80048d19")),
        ),
    ),
    Exchange(
        "a close activity without its opportunity is refused",
        _ACTIONS,
        (
            Step(
                "POST",
                "WinOpportunity",
                400,
                {"Status": 3, "OpportunityClose": {"subject": "x"}},
                json=_REFUSED,
            ),
        ),
    ),
    Exchange(
        "an opportunity that does not exist is not won",
        _ACTIONS,
        (Step("POST", "WinOpportunity", 404, _closing(3), json=error("0x80040217")),),
    ),
    Exchange(
        "a merge sets the content that it is given and deactivates the subordinate",
        _MERGE,
        (
            *_ACCOUNTS,
            Step("POST", "Merge", 204, _merge("{new1}", "{new2}", {"accountnumber": "1234"}), text=""),
            _row(
                "accounts({new1})?$select=name,accountnumber,statecode",
                name="Account 1",
                accountnumber="1234",
                statecode=0,
            ),
            _row(
                "accounts({new2})?$select=statecode,merged,_masterid_value",
                statecode=1,
                merged=True,
                _masterid_value="{new1}",
            ),
        ),
    ),
    Exchange(
        "a merge moves the rows of the subordinate to the target",
        _MERGE,
        (
            *_ACCOUNTS,
            Step(
                "POST",
                "contacts",
                204,
                {
                    "contactid": "{new3}",
                    "lastname": "M",
                    "parentcustomerid_account@odata.bind": "accounts({new2})",
                },
            ),
            Step("POST", "Merge", 204, _merge("{new1}", "{new2}")),
            _row("contacts({new3})?$select=_parentcustomerid_value", _parentcustomerid_value="{new1}"),
        ),
    ),
    Exchange(
        "contacts are merged",
        _MERGE,
        (
            Step("POST", "contacts", 204, {"contactid": "{new1}", "lastname": "Stays"}),
            Step("POST", "contacts", 204, {"contactid": "{new2}", "lastname": "Goes"}),
            Step("POST", "Merge", 204, _merge("{new1}", "{new2}", {"jobtitle": "Buyer"}, "contact")),
            _row("contacts({new1})?$select=jobtitle,statecode", jobtitle="Buyer", statecode=0),
            _row("contacts({new2})?$select=statecode", statecode=1),
        ),
    ),
    Exchange(
        "a merge names the type of its rows",
        _MERGE,
        (
            *_ACCOUNTS,
            Step(
                "POST",
                "Merge",
                400,
                {
                    "Target": {"accountid": "{new1}"},
                    "Subordinate": {"accountid": "{new2}"},
                    "PerformParentingChecks": False,
                },
                json=_REFUSED,
            ),
            _row("accounts({new2})?$select=statecode", statecode=0),
        ),
    ),
    Exchange(
        "rows of other tables than documented are not merged",
        _MERGE,
        (
            Step("POST", "opportunities", 204, {"opportunityid": "{new1}", "name": "A"}),
            Step("POST", "opportunities", 204, {"opportunityid": "{new2}", "name": "B"}),
            Step("POST", "Merge", 400, _merge("{new1}", "{new2}", table="opportunity"), json=_REFUSED),
        ),
    ),
    Exchange(
        "users are added to a team and removed",
        _REFERENCE + "addmembersteam",
        (
            *_TEAM,
            Step("POST", f"teams({{new1}})/{_CRM}.AddMembersTeam", 204, {"Members": [_MEMBER]}),
            _row(
                "teams({new1})/teammembership_association?$select=fullname", value=[{"systemuserid": "{me}"}]
            ),
            Step("POST", f"teams({{new1}})/{_CRM}.RemoveMembersTeam", 204, {"Members": [_MEMBER]}),
            _row("teams({new1})/teammembership_association?$select=fullname", value=[]),
        ),
    ),
    Exchange(
        "a member of a team is named by the key of owners and its type",
        _ACTIONS,
        (
            *_TEAM,
            Step(
                "POST",
                f"teams({{new1}})/{_CRM}.AddMembersTeam",
                204,
                {"Members": [{"@odata.type": f"{_CRM}.systemuser", "ownerid": "{me}"}]},
            ),
            _row("teams({new1})/teammembership_association?$select=fullname", value=[{"ownerid": "{me}"}]),
        ),
    ),
    Exchange(
        "a user who does not exist is not added to a team",
        _REFERENCE + "addmembersteam",
        (
            *_TEAM,
            Step(
                "POST",
                f"teams({{new1}})/{_CRM}.AddMembersTeam",
                404,
                {"Members": [{"@odata.type": f"{_CRM}.systemuser", "systemuserid": "{new9}"}]},
                json=error("0x80040217"),
            ),
        ),
    ),
]
