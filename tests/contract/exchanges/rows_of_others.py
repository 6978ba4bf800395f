"""Owners, impersonation, rights, and what happens to related rows when one is deleted."""

from tests.contract.exchange import Exchange, Step, a_guid, anything, counting, error, matching

_IMPERSONATE = "power-apps/developer/data-platform/webapi/impersonate-another-user-web-api"
_CASCADE = "power-apps/developer/data-platform/configure-entity-relationship-cascading-behavior"
_DELETE = "power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api"
_SECURITY = "power-apps/developer/data-platform/security-access-coding"
_OWNER = "power-apps/developer/data-platform/security-sharing-assigning"
_ERRORS = "power-apps/developer/data-platform/reference/web-service-error-codes"

_OBJECT_ID = "7c0a5d1e-0000-4000-8000-00000000c0de"
_ME = (
    Step("GET", "WhoAmI", 200, capture={"me": "UserId", "unit": "BusinessUnitId"}),
    Step(
        "POST",
        "systemusers",
        204,
        {
            "systemuserid": "{new1}",
            "firstname": "Impersonated",
            "lastname": "User",
            "azureactivedirectoryobjectid": _OBJECT_ID,
            "businessunitid@odata.bind": "/businessunits({unit})",
        },
    ),
)


def _with_role(name):
    return (
        *_ME,
        Step("POST", "roles", 204, {"roleid": "{new2}", "name": name}),
        Step(
            "POST",
            "systemusers({new1})/systemuserroles_association/$ref",
            204,
            {"@odata.id": "{root}roles({new2})"},
        ),
    )


_AS_USER = {"MSCRMCallerID": "{new1}"}
_AS_OBJECT = {"CallerObjectId": _OBJECT_ID}
_DENIED = error("0x80040220", "missing prv")
_ACCOUNT = Step("POST", "accounts", 204, {"accountid": "{new5}", "name": "Parent"})

EXCHANGES = [
    Exchange(
        "a user is impersonated by the id of the directory",
        _IMPERSONATE,
        (*_with_role("Salesperson"), Step("GET", "WhoAmI", 200, sent=_AS_OBJECT, json={"UserId": "{new1}"})),
    ),
    Exchange(
        "a user is impersonated by the key of the user's row",
        _IMPERSONATE,
        (*_with_role("Salesperson"), Step("GET", "WhoAmI", 200, sent=_AS_USER, json={"UserId": "{new1}"})),
    ),
    Exchange(
        "what an impersonated user creates is the user's, and says on whose behalf",
        _IMPERSONATE,
        (
            Step("GET", "WhoAmI", 200, capture={"delegate": "UserId"}),
            *_with_role("Salesperson"),
            Step("POST", "accounts", 204, {"accountid": "{new5}", "name": "Made for another"}, _AS_OBJECT),
            Step(
                "GET",
                "accounts({new5})?$select=name,_createdby_value,_ownerid_value,_createdonbehalfby_value",
                200,
                json={
                    "_createdby_value": "{new1}",
                    "_ownerid_value": "{new1}",
                    "_createdonbehalfby_value": "{delegate}",
                },
            ),
        ),
    ),
    Exchange(
        "impersonation of a user who does not exist is refused",
        _IMPERSONATE,
        (
            Step(
                "GET",
                "WhoAmI",
                403,
                sent={"CallerObjectId": "7c0a5d1e-0000-4000-8000-00000000dead"},
                json={"error": {"code": anything}},
            ),
        ),
    ),
    Exchange(
        "only who may act on behalf of others impersonates",
        _IMPERSONATE,
        (
            *_with_role("Read only"),
            Step("GET", "accounts?$top=1", 200, sent=_AS_OBJECT),
            Step("POST", "accounts", 403, {"name": "x"}, _AS_OBJECT, json=_DENIED),
        ),
    ),
    Exchange(
        "a missing privilege is told with its name",
        _SECURITY,
        (
            *_with_role("Read only"),
            Step(
                "POST",
                "contacts",
                403,
                {"lastname": "x"},
                _AS_USER,
                json=error("0x80040220", "prvCreateContact"),
            ),
            Step("PATCH", "accounts({new5})", 403, {"name": "x"}, _AS_USER, json=_DENIED),
        ),
    ),
    Exchange(
        "a user without a role reads nothing",
        _SECURITY,
        (
            *_ME,
            Step("GET", "accounts?$top=1", 403, sent=_AS_USER, json=error("0x80040220", "prvReadAccount")),
        ),
    ),
    Exchange(
        "rights on tables of the whole organisation differ from those on rows of sales",
        _SECURITY,
        (
            *_with_role("Salesperson"),
            Step("POST", "accounts", 204, {"name": "Allowed"}, _AS_USER),
            Step("POST", "businessunits", 403, {"name": "x"}, _AS_USER, json=_DENIED),
        ),
    ),
    Exchange(
        "a row is owned by who makes it",
        _OWNER,
        (
            *_ME[:1],
            _ACCOUNT,
            Step(
                "GET",
                "accounts({new5})?$select=_ownerid_value,_owninguser_value,_owningteam_value",
                200,
                json={"_ownerid_value": "{me}", "_owninguser_value": "{me}", "_owningteam_value": None},
            ),
        ),
    ),
    Exchange(
        "a row is assigned by binding another owner",
        _OWNER,
        (
            *_with_role("Salesperson"),
            _ACCOUNT,
            Step("PATCH", "accounts({new5})", 204, {"ownerid@odata.bind": "/systemusers({new1})"}),
            Step("GET", "accounts({new5})?$select=_ownerid_value", 200, json={"_ownerid_value": "{new1}"}),
        ),
    ),
    Exchange(
        "a team can own a row",
        _OWNER,
        (
            *_ME[:1],
            Step(
                "POST",
                "teams",
                204,
                {"teamid": "{new6}", "name": "Owners", "businessunitid@odata.bind": "/businessunits({unit})"},
            ),
            _ACCOUNT,
            Step("PATCH", "accounts({new5})", 204, {"ownerid@odata.bind": "/teams({new6})"}),
            Step(
                "GET",
                "accounts({new5})?$select=_ownerid_value,_owningteam_value,_owninguser_value",
                200,
                json={"_ownerid_value": "{new6}", "_owningteam_value": "{new6}", "_owninguser_value": None},
            ),
        ),
    ),
    Exchange(
        "contacts go with their account",
        _CASCADE,
        (
            _ACCOUNT,
            Step(
                "POST",
                "contacts",
                204,
                {
                    "contactid": "{new7}",
                    "lastname": "Child",
                    "parentcustomerid_account@odata.bind": "/accounts({new5})",
                },
            ),
            Step("DELETE", "accounts({new5})", 204),
            Step("GET", "contacts({new7})", 404, json=error("0x80040217")),
        ),
    ),
    Exchange(
        "activities go with the row that they regard",
        _CASCADE,
        (
            _ACCOUNT,
            Step(
                "POST",
                "tasks",
                204,
                {
                    "activityid": "{new7}",
                    "subject": "Call",
                    "regardingobjectid_account_task@odata.bind": "/accounts({new5})",
                },
            ),
            Step("DELETE", "accounts({new5})", 204),
            Step("GET", "tasks({new7})", 404),
        ),
    ),
    Exchange(
        "notes go with the row that they are attached to",
        _CASCADE,
        (
            _ACCOUNT,
            Step(
                "POST",
                "annotations",
                204,
                {
                    "annotationid": "{new7}",
                    "subject": "Note",
                    "objectid_account@odata.bind": "/accounts({new5})",
                },
            ),
            Step("DELETE", "accounts({new5})", 204),
            Step("GET", "annotations({new7})", 404),
        ),
    ),
    Exchange(
        "child accounts stay without their parent",
        _CASCADE,
        (
            _ACCOUNT,
            Step(
                "POST",
                "accounts",
                204,
                {"accountid": "{new7}", "name": "Child", "parentaccountid@odata.bind": "/accounts({new5})"},
            ),
            Step("DELETE", "accounts({new5})", 204),
            Step(
                "GET",
                "accounts({new7})?$select=_parentaccountid_value",
                200,
                json={"_parentaccountid_value": None},
            ),
        ),
    ),
    Exchange(
        "an opportunity of a customer goes with the customer",
        _CASCADE,
        (
            _ACCOUNT,
            Step(
                "POST",
                "opportunities",
                204,
                {
                    "opportunityid": "{new7}",
                    "name": "Deal",
                    "customerid_account@odata.bind": "/accounts({new5})",
                },
            ),
            Step("DELETE", "accounts({new5})", 204),
            Step("GET", "opportunities({new7})", 404),
        ),
    ),
    Exchange(
        "a row that others need is not deleted",
        _CASCADE,
        (
            Step(
                "GET",
                "transactioncurrencies?$top=1",
                200,
                capture={"currency": "value.0.transactioncurrencyid"},
            ),
            Step("DELETE", "transactioncurrencies({currency})", 405, json=error("0x80040227")),
        ),
    ),
    Exchange(
        "a link of a deleted row goes, the other row stays",
        _CASCADE,
        (
            Step("POST", "new_projects", 204, {"new_projectid": "{new6}", "new_name": "P"}),
            Step("POST", "contacts", 204, {"contactid": "{new7}", "lastname": "Linked"}),
            Step(
                "POST",
                "new_projects({new6})/new_project_contact/$ref",
                204,
                {"@odata.id": "contacts({new7})"},
            ),
            Step("DELETE", "contacts({new7})", 204),
            Step("GET", "new_projects({new6})/new_project_contact", 200, json={"value": counting(0)}),
        ),
    ),
    Exchange(
        "a delete of a row that is not there is not found",
        _DELETE,
        (Step("DELETE", "accounts({new5})", 404, json=error("0x80040217", "Does Not Exist")),),
    ),
    Exchange(
        "a delete answers no content",
        _DELETE,
        (_ACCOUNT, Step("DELETE", "accounts({new5})", 204, text="", headers={"OData-Version": "4.0"})),
    ),
    Exchange(
        "a key that is taken is refused",
        _ERRORS,
        (
            _ACCOUNT,
            Step(
                "POST",
                "accounts",
                412,
                {"accountid": "{new5}", "name": "Twice"},
                json=error("0x80040237", "matching key values already exists"),
            ),
        ),
    ),
    Exchange(
        "who changed a row last is written down",
        "power-apps/developer/data-platform/reference/entities/account",
        (
            *_with_role("Salesperson"),
            _ACCOUNT,
            Step("PATCH", "accounts({new5})", 204, {"name": "Changed"}, _AS_USER),
            Step(
                "GET",
                "accounts({new5})?$select=_createdby_value,_modifiedby_value,modifiedon",
                200,
                json={
                    "_createdby_value": "{me}",
                    "_modifiedby_value": "{new1}",
                    "modifiedon": matching("Z$"),
                },
            ),
        ),
    ),
    Exchange(
        "every row that users own has a business unit",
        "power-apps/developer/data-platform/reference/entities/account",
        (
            *_ME[:1],
            _ACCOUNT,
            Step(
                "GET",
                "accounts({new5})?$select=_owningbusinessunit_value",
                200,
                json={"_owningbusinessunit_value": a_guid},
            ),
        ),
    ),
]
