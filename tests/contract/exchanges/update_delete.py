"""Updates, upserts and deletes of rows and of single columns; changes of owner."""

from tests.contract.exchange import (
    REPRESENTATION,
    Exchange,
    Step,
    absent,
    anything,
    error,
    matching,
)

_UPDATE = "power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api"
_UPSERT = "power-apps/developer/data-platform/use-upsert-insert-update-record"
_LIMIT = "power-apps/developer/data-platform/webapi/perform-conditional-operations-using-web-api"
_ERRORS = "power-apps/developer/data-platform/reference/web-service-error-codes"
_OWNERS = "power-apps/developer/data-platform/security-sharing-assigning"
_ACCOUNTS = "power-apps/developer/data-platform/reference/entities/account"
_PATH = "accounts({new1})"
_UPDATE_ONLY = {"If-Match": "*"}
_CREATE_ONLY = {"If-None-Match": "*"}

_ACCOUNT = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Sample Account",
        "creditonhold": False,
        "description": "This is the description of the sample account",
        "revenue": 5000000,
        "accountcategorycode": 1,
    },
)
_PROJECT = Step(
    "POST", "new_projects", 204, {"new_projectid": "{new5}", "new_name": "Launch", "new_code": "U-1"}
)
_COLLEAGUE = Step(
    "GET",
    "systemusers?$select=systemuserid&$filter=systemuserid ne {me}&$top=1",
    200,
    capture={"colleague": "value.0.systemuserid"},
)


def _shows(path, columns, sent=None):
    """A read of these columns of the row, and what is there then."""
    names = ",".join(name for name in columns if "@" not in name)
    return Step("GET", f"{path}?$select={names}", 200, sent=sent or {}, json=columns)


EXCHANGES = [
    Exchange(
        "an update of several columns answers no content",
        _UPDATE,
        (
            _ACCOUNT,
            Step(
                "PATCH",
                _PATH,
                204,
                {
                    "name": "Updated Sample Account",
                    "creditonhold": True,
                    "address1_latitude": 47.639583,
                    "revenue": 6000000,
                    "accountcategorycode": 2,
                },
                _UPDATE_ONLY,
                text="",
                headers={"OData-Version": "4.0"},
            ),
            _shows(
                _PATH,
                {
                    "name": "Updated Sample Account",
                    "creditonhold": True,
                    "revenue": 6000000,
                    "accountcategorycode": 2,
                    "description": "This is the description of the sample account",
                },
            ),
        ),
    ),
    Exchange(
        "an update with its data answers the selected columns, changed or not",
        _UPDATE,
        (
            _ACCOUNT,
            Step(
                "PATCH",
                f"{_PATH}?$select=name,creditonhold,revenue,accountcategorycode",
                200,
                {"name": "Updated Sample Account"},
                {**REPRESENTATION, **_UPDATE_ONLY},
                json={
                    "@odata.etag": matching(r'^W/"\d+"$'),
                    "accountid": "{new1}",
                    "name": "Updated Sample Account",
                    "creditonhold": False,
                    "revenue": 5000000,
                    "accountcategorycode": 1,
                    "description": absent,
                },
                headers={"Preference-Applied": "return=representation"},
            ),
        ),
    ),
    Exchange(
        "the data of an update shows no expanded rows",
        _UPDATE,
        (
            _ACCOUNT,
            Step(
                "PATCH",
                f"{_PATH}?$select=name&$expand=createdby($select=fullname)",
                200,
                {"name": "Updated"},
                {**REPRESENTATION, **_UPDATE_ONLY},
                json={"name": "Updated", "createdby": absent},
            ),
        ),
    ),
    Exchange(
        "a column is emptied by null",
        _UPDATE,
        (_ACCOUNT, Step("PATCH", _PATH, 204, {"revenue": None}), _shows(_PATH, {"revenue": None})),
    ),
    Exchange(
        "a column that the system requires is not emptied",
        _UPDATE,
        (
            _ACCOUNT,
            Step("PATCH", _PATH, 400, {"ownerid@odata.bind": None}, json={"error": {"message": anything}}),
            _shows(_PATH, {"_ownerid_value": anything}),
        ),
    ),
    Exchange(
        "columns that cannot be set are left as they are by an update",
        _ACCOUNTS,
        (
            _ACCOUNT,
            Step(
                "PATCH",
                _PATH,
                204,
                {"name": "Changed", "createdon": "2001-01-01T00:00:00Z", "revenue_base": 1},
            ),
            _shows(_PATH, {"name": "Changed", "createdon": "2026-11-23T09:30:00Z", "revenue_base": 5000000}),
        ),
    ),
    Exchange(
        "the primary key of a row does not change",
        _ACCOUNTS,
        (
            _ACCOUNT,
            Step("PATCH", _PATH, 204, {"name": "Same key", "accountid": "{new1}"}, _UPDATE_ONLY),
            _shows(_PATH, {"name": "Same key"}),
        ),
    ),
    Exchange(
        "an update that is refused changes nothing",
        _ERRORS,
        (
            _ACCOUNT,
            Step("PATCH", _PATH, 400, {"revenue": 1, "name": "x" * 161}, json=error("0x80044331")),
            _shows(_PATH, {"revenue": 5000000, "name": "Sample Account"}),
        ),
    ),
    Exchange(
        "an update of a column that does not exist is refused",
        _ERRORS,
        (_ACCOUNT, Step("PATCH", _PATH, 400, {"nme": "x"}, _UPDATE_ONLY, json=error("0x80048d19", "nme"))),
    ),
    Exchange(
        "a single name is set by PUT with no content in the answer",
        _UPDATE,
        (
            _ACCOUNT,
            Step("PUT", f"{_PATH}/name", 204, {"value": "Updated Sample Account Name"}, text=""),
            _shows(_PATH, {"name": "Updated Sample Account Name", "revenue": 5000000}),
        ),
    ),
    Exchange(
        "a single column is checked like any other",
        _ERRORS,
        (_ACCOUNT, Step("PUT", f"{_PATH}/name", 400, {"value": "x" * 161}, json=error("0x80044331"))),
    ),
    Exchange(
        "a single column of a row that does not exist is not set",
        _UPDATE,
        (
            Step("PUT", f"{_PATH}/name", 404, {"value": "x"}, json=error("0x80040217")),
            Step("DELETE", f"{_PATH}/description", 404, json=error("0x80040217")),
            Step("GET", _PATH, 404),
        ),
    ),
    Exchange(
        "deleting a single column leaves the others",
        _UPDATE,
        (
            _ACCOUNT,
            Step("DELETE", f"{_PATH}/description", 204, text=""),
            _shows(_PATH, {"description": None, "name": "Sample Account"}),
        ),
    ),
    Exchange(
        "an upsert of a row that exists keeps the columns it does not name",
        _UPDATE,
        (
            _ACCOUNT,
            Step("PATCH", _PATH, 204, {"name": "Kept"}),
            _shows(_PATH, {"name": "Kept", "revenue": 5000000}),
        ),
    ),
    Exchange(
        "an upsert that must not create leaves no row behind when it asked for data",
        _LIMIT,
        (
            Step(
                "PATCH",
                _PATH,
                404,
                {"name": "Nobody"},
                {**_UPDATE_ONLY, **REPRESENTATION},
                json=error("0x80040217"),
            ),
            Step("GET", _PATH, 404, json=error("0x80040217")),
        ),
    ),
    Exchange(
        "an upsert by alternate key creates a row that has the key",
        _UPSERT,
        (
            Step("PATCH", "new_projects(new_code='N-1')", 204, {"new_name": "By key"}),
            _shows("new_projects(new_code='N-1')", {"new_name": "By key", "new_code": "N-1"}),
        ),
    ),
    Exchange(
        "an upsert by alternate key answers the address that it was sent to",
        _UPSERT,
        (
            Step(
                "PATCH",
                "new_projects(new_code='N-1')",
                204,
                {"new_name": "First"},
                headers={"OData-EntityId": "{root}new_projects(new_code='N-1')"},
            ),
            Step(
                "PATCH",
                "new_projects(new_code='N-1')",
                204,
                {"new_name": "Second"},
                headers={"OData-EntityId": "{root}new_projects(new_code='N-1')"},
            ),
        ),
    ),
    Exchange(
        "an upsert by alternate key tells by its status whether it created",
        _UPSERT,
        (
            Step(
                "PATCH",
                "new_projects(new_code='N-1')?$select=new_projectid",
                201,
                {"new_projectid": "{new6}", "new_name": "First"},
                REPRESENTATION,
                json={"new_projectid": "{new6}"},
                headers={"ETag": matching(r'^W/"\d+"$'), "Preference-Applied": "return=representation"},
            ),
            Step(
                "PATCH",
                "new_projects(new_code='N-1')?$select=new_projectid",
                200,
                {"new_name": "Second"},
                REPRESENTATION,
                json={"new_projectid": "{new6}"},
                headers={"ETag": matching(r'^W/"\d+"$')},
            ),
        ),
    ),
    Exchange(
        "an upsert that updates leaves the alternate key in its body aside",
        _UPSERT,
        (
            _PROJECT,
            Step("PATCH", "new_projects(new_code='U-1')", 204, {"new_name": "Changed", "new_code": "U-2"}),
            _shows("new_projects({new5})", {"new_name": "Changed", "new_code": "U-1"}),
        ),
    ),
    Exchange(
        "an upsert that creates takes the alternate key in its body",
        _UPSERT,
        (
            Step(
                "PATCH",
                "new_projects(new_code='N-1')",
                204,
                {"new_projectid": "{new6}", "new_name": "x", "new_code": "N-2"},
            ),
            _shows("new_projects({new6})", {"new_code": "N-2"}),
        ),
    ),
    Exchange(
        "an alternate key is changed by the primary key",
        _UPSERT,
        (
            _PROJECT,
            Step("PATCH", "new_projects({new5})", 204, {"new_code": "U-2"}, _UPDATE_ONLY),
            _shows("new_projects(new_code='U-2')", {"new_projectid": "{new5}"}),
            Step("GET", "new_projects(new_code='U-1')", 404, json=error("0x80060891")),
        ),
    ),
    Exchange(
        "an alternate key is not changed to one that is taken",
        _ERRORS,
        (
            _PROJECT,
            Step("POST", "new_projects", 204, {"new_name": "y", "new_code": "U-2"}),
            Step("PATCH", "new_projects({new5})", 412, {"new_code": "U-2"}, json=error("0x80060892")),
        ),
    ),
    Exchange(
        "an update by alternate key that must not create finds no row",
        _UPSERT,
        (Step("PATCH", "new_projects(new_code='none')", 404, {"new_name": "x"}, _UPDATE_ONLY),),
    ),
    Exchange(
        "an upsert by alternate key that must not update is refused",
        _UPSERT,
        (_PROJECT, Step("PATCH", "new_projects(new_code='U-1')", 412, {"new_name": "x"}, _CREATE_ONLY)),
    ),
    Exchange(
        "a row that was deleted is not deleted again",
        _UPDATE,
        (
            _ACCOUNT,
            Step("DELETE", _PATH, 204, text=""),
            Step("DELETE", _PATH, 404, json=error("0x80040217")),
            Step("GET", _PATH, 404, json=error("0x80040217")),
        ),
    ),
    Exchange(
        "a delete that wants any version goes through",
        _LIMIT,
        (
            _ACCOUNT,
            Step("DELETE", _PATH, 204, sent=_UPDATE_ONLY),
            Step("DELETE", _PATH, 404, sent=_UPDATE_ONLY, json=error("0x80040217")),
        ),
    ),
    Exchange(
        "a row goes to another owner and is said to be changed",
        _OWNERS,
        (
            _ACCOUNT,
            Step("GET", "WhoAmI", 200, capture={"me": "UserId"}),
            _COLLEAGUE,
            Step("PATCH", _PATH, 204, {"ownerid@odata.bind": "/systemusers({colleague})"}, _UPDATE_ONLY),
            _shows(
                _PATH,
                {
                    "_ownerid_value": "{colleague}",
                    "_owninguser_value": "{colleague}",
                    "_owningteam_value": None,
                    "_createdby_value": "{me}",
                },
            ),
        ),
    ),
    Exchange(
        "a row does not go to an owner who does not exist",
        _OWNERS,
        (
            _ACCOUNT,
            Step(
                "PATCH", _PATH, 404, {"ownerid@odata.bind": "/systemusers({new9})"}, json=error("0x80040217")
            ),
        ),
    ),
]
