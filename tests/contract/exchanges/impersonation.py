"""Acting for another user: what is created, changed and read is as if that user had called."""

from typing import Any

from tests.contract.exchange import Exchange, Step, anything, error, matching

_IMPERSONATE = "power-apps/developer/data-platform/webapi/impersonate-another-user-web-api"
_CONCEPT = "power-apps/developer/data-platform/impersonate-another-user"
_ACCESS = "power-apps/developer/data-platform/webapi/reference/retrieveprincipalaccess"
_FILTERS = "power-apps/developer/data-platform/webapi/reference/equaluserid"

_OBJECT_ID = "e39c5d16-675b-48d1-8e67-667427e9c084"
_AS_OBJECT = {"CallerObjectId": _OBJECT_ID}
_AS_USER = {"MSCRMCallerID": "{new1}"}
_DENIED = error("0x80040220", "missing prv")


def _user(role: str = "Salesperson") -> tuple[Step, ...]:
    """Steps that make the user ``{new1}`` with a role; ``{me}`` is the actual user."""
    return (
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
        Step("POST", "roles", 204, {"roleid": "{new2}", "name": role}),
        Step(
            "POST",
            "systemusers({new1})/systemuserroles_association/$ref",
            204,
            {"@odata.id": "{root}roles({new2})"},
        ),
    )


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


_MADE = Step("POST", "accounts", 204, {"accountid": "{new5}", "name": "Sample Account"}, _AS_OBJECT)

EXCHANGES = [
    Exchange(
        "the actual user is found by createdonbehalfby",
        _IMPERSONATE,
        (
            *_user(),
            _MADE,
            _row(
                "accounts({new5})?$select=name&$expand=createdby($select=fullname),"
                "createdonbehalfby($select=systemuserid),owninguser($select=fullname)",
                createdby={"fullname": "Impersonated User", "systemuserid": "{new1}"},
                createdonbehalfby={"systemuserid": "{me}"},
                owninguser={"fullname": "Impersonated User"},
            ),
        ),
    ),
    Exchange(
        "the actual user of an update is found by modifiedonbehalfby",
        _IMPERSONATE,
        (
            *_user(),
            _MADE,
            Step("PATCH", "accounts({new5})", 204, {"name": "Changed"}, _AS_OBJECT),
            _row(
                "accounts({new5})?$select=_modifiedby_value,_modifiedonbehalfby_value",
                _modifiedby_value="{new1}",
                _modifiedonbehalfby_value="{me}",
            ),
        ),
    ),
    Exchange(
        "a row that is created without impersonation is on behalf of nobody",
        _IMPERSONATE,
        (
            Step("POST", "accounts", 204, {"accountid": "{new5}", "name": "Own"}),
            _row("accounts({new5})?$select=_createdonbehalfby_value", _createdonbehalfby_value=None),
        ),
    ),
    Exchange(
        "a row is owned by the impersonated user under the legacy header too",
        _IMPERSONATE,
        (
            *_user(),
            Step("POST", "accounts", 204, {"accountid": "{new5}", "name": "Sample"}, _AS_USER),
            _row(
                "accounts({new5})?$select=_createdby_value,_ownerid_value",
                _createdby_value="{new1}",
                _ownerid_value="{new1}",
            ),
        ),
    ),
    Exchange(
        "an impersonated user has the business unit of that user's row",
        _IMPERSONATE,
        (
            *_user(),
            Step(
                "GET", "WhoAmI", 200, sent=_AS_OBJECT, json={"UserId": "{new1}", "BusinessUnitId": "{unit}"}
            ),
        ),
    ),
    Exchange(
        "impersonation by the key of a user that does not exist is refused",
        _IMPERSONATE,
        (Step("GET", "WhoAmI", 403, sent={"MSCRMCallerID": "{new9}"}, json={"error": {"code": anything}}),),
    ),
    Exchange(
        "a key of a user's row is no object id of the directory",
        _IMPERSONATE,
        (
            *_user(),
            Step("GET", "WhoAmI", 403, sent={"CallerObjectId": "{new1}"}, json={"error": {"code": anything}}),
        ),
    ),
    Exchange(
        "impersonation of a user who is disabled is refused",
        _CONCEPT,
        (
            *_user(),
            Step("PATCH", "systemusers({new1})", 204, {"isdisabled": True}),
            Step("GET", "WhoAmI", 403, sent=_AS_OBJECT, json={"error": {"code": anything}}),
        ),
    ),
    Exchange(
        "an impersonated user cannot do what the user's own roles do not allow",
        _IMPERSONATE,
        (
            *_user("Read only"),
            Step("POST", "accounts", 204, {"accountid": "{new5}", "name": "Mine"}),
            Step("PATCH", "accounts({new5})", 403, {"name": "x"}, _AS_OBJECT, json=_DENIED),
            Step("DELETE", "accounts({new5})", 403, sent=_AS_OBJECT, json=_DENIED),
            _row("accounts({new5})?$select=name", name="Mine"),
        ),
    ),
    Exchange(
        "rows created together for another user are that user's",
        _IMPERSONATE,
        (
            *_user(),
            Step(
                "POST",
                "accounts/Microsoft.Dynamics.CRM.CreateMultiple",
                200,
                {
                    "Targets": [
                        {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": f"{{new{number}}}"}
                        | {"name": "Bulk"}
                        for number in (5, 6)
                    ]
                },
                _AS_OBJECT,
            ),
            _row("accounts({new6})?$select=_ownerid_value", _ownerid_value="{new1}"),
        ),
    ),
    Exchange(
        "related rows created at once for another user are that user's",
        _IMPERSONATE,
        (
            *_user(),
            Step(
                "POST",
                "accounts",
                204,
                {"accountid": "{new5}", "name": "A", "primarycontactid": {"lastname": "B"}},
                _AS_OBJECT,
            ),
            _row(
                "accounts({new5})?$select=name&$expand=primarycontactid($select=_ownerid_value)",
                primarycontactid={"_ownerid_value": "{new1}"},
            ),
        ),
    ),
    Exchange(
        "one request of a batch is sent for another user",
        _IMPERSONATE,
        (
            *_user(),
            Step(
                "POST",
                "$batch",
                200,
                "\r\n".join(
                    [
                        "--batch_AAA123",
                        "Content-Type: application/http",
                        "Content-Transfer-Encoding: binary",
                        "",
                        "POST /api/data/v9.2/accounts HTTP/1.1",
                        "Content-Type: application/json",
                        f"CallerObjectId: {_OBJECT_ID}",
                        "",
                        '{"accountid":"{new5}","name":"In a batch"}',
                        "--batch_AAA123--",
                        "",
                    ]
                ),
                {"Content-Type": "multipart/mixed; boundary=batch_AAA123"},
                text=matching("HTTP/1.1 204"),
            ),
            _row("accounts({new5})?$select=_createdby_value", _createdby_value="{new1}"),
        ),
    ),
    Exchange(
        "a filter on the caller's own rows means the impersonated user",
        _FILTERS,
        (
            *_user(),
            _MADE,
            Step("POST", "accounts", 204, {"accountid": "{new6}", "name": "Of the actual user"}),
            Step(
                "GET",
                "accounts?$select=name&$filter=Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')",
                200,
                sent=_AS_OBJECT,
                json={"value": [{"name": "Sample Account"}]},
            ),
        ),
    ),
    Exchange(
        "what the impersonated user may do with a row is told by a function",
        _ACCESS,
        (
            *_user("Read only"),
            Step("POST", "accounts", 204, {"accountid": "{new5}", "name": "Mine"}),
            _row(
                "systemusers({new1})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@t)"
                "?@t={'@odata.id':'accounts({new5})'}",
                AccessRights=matching("^ReadAccess"),
            ),
        ),
    ),
]
