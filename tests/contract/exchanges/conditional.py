"""Requests that depend on the version of a row, by its ETag."""

from tests.contract.exchange import REPRESENTATION, Exchange, Step, anything, error, matching

_CONDITIONAL = "power-apps/developer/data-platform/webapi/perform-conditional-operations-using-web-api"
_CONCURRENCY = "power-apps/developer/data-platform/optimistic-concurrency"
_PATH = "accounts({new1})"
_ETAG = matching(r'^W/"\d+"$')
_STALE = error("0x80060882", "version of the existing record doesn't match")

_CONTACT = Step("POST", "contacts", 204, {"contactid": "{new2}", "lastname": "Related"})
_ACCOUNT = Step(
    "POST",
    "accounts?$select=name",
    201,
    {"accountid": "{new1}", "name": "Versioned", "primarycontactid@odata.bind": "/contacts({new2})"},
    REPRESENTATION,
    capture={"first": "@odata.etag"},
)
_ROWS = (_CONTACT, _ACCOUNT)
_CHANGED = Step("PATCH", _PATH, 204, {"telephone1": "555-0001"})
_UNCHANGED = {"If-None-Match": "{first}"}
_SAME = {"If-Match": "{first}"}


def _reads(query, status, sent=None, **expected):
    return Step("GET", f"{_PATH}?{query}", status, sent={**_UNCHANGED, **(sent or {})}, **expected)


EXCHANGES = [
    Exchange(
        "each row of a set has a version of its own",
        _CONDITIONAL,
        (
            *_ROWS,
            Step(
                "GET",
                "contacts?$select=lastname&$filter=contactid eq {new2}",
                200,
                json={"value": [{"@odata.etag": _ETAG, "lastname": "Related"}]},
            ),
        ),
    ),
    Exchange(
        "the version of a row stays the same as long as the row does",
        _CONDITIONAL,
        (
            *_ROWS,
            Step("GET", f"{_PATH}?$select=name", 200, json={"@odata.etag": "{first}"}),
            Step("GET", f"{_PATH}?$select=telephone1", 200, json={"@odata.etag": "{first}"}),
        ),
    ),
    Exchange(
        "a read with an outdated version answers the latest data",
        _CONDITIONAL,
        (
            *_ROWS,
            _CHANGED,
            _reads("$select=telephone1", 200, json={"telephone1": "555-0001"}),
            Step("GET", f"{_PATH}?$select=name", 200, capture={"second": "@odata.etag"}),
            Step("GET", f"{_PATH}?$select=name", 304, sent={"If-None-Match": "{second}"}, text=""),
        ),
    ),
    Exchange(
        "a read that expands is never answered as unchanged",
        _CONDITIONAL,
        (
            *_ROWS,
            _reads(
                "$select=name&$expand=primarycontactid($select=lastname)",
                200,
                json={"name": "Versioned", "primarycontactid": {"lastname": "Related"}},
            ),
        ),
    ),
    Exchange(
        "a read with annotations is never answered as unchanged",
        _CONDITIONAL,
        (
            *_ROWS,
            _reads(
                "$select=name",
                200,
                {"Prefer": 'odata.include-annotations="*"'},
                json={"name": "Versioned"},
            ),
        ),
    ),
    Exchange(
        "a read with the literal null is answered with the row",
        "power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors",
        (*_ROWS, Step("GET", f"{_PATH}?$select=name", 200, sent={"If-None-Match": "null"})),
    ),
    Exchange(
        "a change of a related row leaves the version of the row",
        _CONDITIONAL,
        (
            *_ROWS,
            Step("PATCH", "contacts({new2})", 204, {"lastname": "Changed"}),
            _reads("$select=name", 304),
        ),
    ),
    Exchange(
        "an update with the current version makes that version outdated",
        _CONDITIONAL,
        (
            *_ROWS,
            Step("PATCH", _PATH, 204, {"name": "Mine"}, _SAME),
            Step("PATCH", _PATH, 412, {"name": "Late"}, _SAME, json=_STALE),
            Step("GET", f"{_PATH}?$select=name", 200, json={"name": "Mine"}),
        ),
    ),
    Exchange(
        "an update with its data answers the version to go on with",
        _CONDITIONAL,
        (
            *_ROWS,
            Step(
                "PATCH",
                f"{_PATH}?$select=name",
                200,
                {"name": "Second"},
                {**_SAME, **REPRESENTATION},
                json={"@odata.etag": _ETAG},
                capture={"second": "@odata.etag"},
            ),
            Step("PATCH", _PATH, 204, {"name": "Third"}, {"If-Match": "{second}"}),
            Step("GET", f"{_PATH}?$select=name", 200, json={"name": "Third"}),
        ),
    ),
    Exchange(
        "an update with a version that never was is refused",
        _CONDITIONAL,
        (
            *_ROWS,
            Step("PATCH", _PATH, 412, {"name": "x"}, {"If-Match": 'W/"470867"'}, json=_STALE),
            Step("GET", f"{_PATH}?$select=name", 200, json={"name": "Versioned", "@odata.etag": "{first}"}),
        ),
    ),
    Exchange(
        "an update that is refused for its version answers no data",
        _CONDITIONAL,
        (
            *_ROWS,
            _CHANGED,
            Step(
                "PATCH", f"{_PATH}?$select=name", 412, {"name": "x"}, {**_SAME, **REPRESENTATION}, json=_STALE
            ),
        ),
    ),
    Exchange(
        "a delete with an outdated version leaves the row and its data",
        _CONDITIONAL,
        (
            *_ROWS,
            _CHANGED,
            Step("DELETE", _PATH, 412, sent=_SAME, json=_STALE),
            Step("GET", f"{_PATH}?$select=telephone1", 200, json={"telephone1": "555-0001"}),
        ),
    ),
    Exchange(
        "a delete with the version of the last read goes through",
        _CONDITIONAL,
        (
            *_ROWS,
            _CHANGED,
            Step("GET", f"{_PATH}?$select=name", 200, capture={"second": "@odata.etag"}),
            Step("DELETE", _PATH, 204, sent={"If-Match": "{second}"}),
            Step("GET", _PATH, 404, json=error("0x80040217")),
        ),
    ),
    Exchange(
        "a change of the owner makes a version outdated",
        _CONCURRENCY,
        (
            *_ROWS,
            Step("GET", "WhoAmI", 200, capture={"me": "UserId"}),
            Step(
                "GET",
                "systemusers?$select=systemuserid&$filter=systemuserid ne {me}&$top=1",
                200,
                capture={"other": "value.0.systemuserid"},
            ),
            Step("PATCH", _PATH, 204, {"ownerid@odata.bind": "/systemusers({other})"}),
            Step("PATCH", _PATH, 412, {"name": "x"}, _SAME, json=_STALE),
        ),
    ),
    Exchange(
        "a single column that is set makes a version outdated",
        _CONCURRENCY,
        (
            *_ROWS,
            Step("PUT", f"{_PATH}/telephone1", 204, {"value": "555-0002"}),
            Step("DELETE", _PATH, 412, sent=_SAME, json=_STALE),
        ),
    ),
    Exchange(
        "an update by alternate key depends on the version as well",
        _CONDITIONAL,
        (
            Step(
                "POST",
                "new_projects?$select=new_name",
                201,
                {"new_name": "x", "new_code": "E-1"},
                REPRESENTATION,
                capture={"first": "@odata.etag"},
            ),
            Step("PATCH", "new_projects(new_code='E-1')", 204, {"new_name": "y"}, _SAME),
            Step("PATCH", "new_projects(new_code='E-1')", 412, {"new_name": "z"}, _SAME, json=_STALE),
        ),
    ),
    Exchange(
        "an upsert that must not update says that the key is taken and keeps the row",
        _CONDITIONAL,
        (
            *_ROWS,
            Step(
                "PATCH",
                _PATH,
                412,
                {"name": "Another"},
                {"If-None-Match": "*"},
                json=error("0x80040237", "matching key values already exists"),
            ),
            Step("GET", f"{_PATH}?$select=name", 200, json={"name": "Versioned", "@odata.etag": "{first}"}),
        ),
    ),
    Exchange(
        "an upsert that must not update answers 201 with the data of the new row",
        _CONDITIONAL,
        (
            Step(
                "PATCH",
                f"{_PATH}?$select=name",
                201,
                {"name": "New"},
                {"If-None-Match": "*", **REPRESENTATION},
                json={"name": "New", "accountid": "{new1}", "@odata.etag": _ETAG},
            ),
        ),
    ),
    Exchange(
        "tables tell that they can be updated by version",
        _CONDITIONAL,
        (
            Step(
                "GET",
                "EntityDefinitions(LogicalName='account')?$select=IsOptimisticConcurrencyEnabled",
                200,
                json={"IsOptimisticConcurrencyEnabled": True, "MetadataId": anything},
            ),
        ),
    ),
]
