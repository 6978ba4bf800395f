"""What the sample of conditional operations shows: reads, deletes and updates that depend on a version."""

from tests.contract.exchange import REPRESENTATION, Exchange, Step, absent, error, matching

_SAMPLE = "power-apps/developer/data-platform/webapi/web-api-conditional-operations-sample"
_CONDITIONAL = "power-apps/developer/data-platform/webapi/perform-conditional-operations-using-web-api"
_UPDATE = "power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api"

_ACCOUNT = Step(
    "POST",
    "accounts?$select=name,revenue,telephone1,description",
    201,
    {
        "accountid": "{new1}",
        "name": "Contoso Sample",
        "telephone1": "555-0000",
        "revenue": 5000000,
        "description": "Parent company of Contoso Pharmaceuticals, etc.",
    },
    REPRESENTATION,
    json={"@odata.etag": matching(r'^W/"\d+"$')},
    capture={"first": "@odata.etag"},
)
_PATH = "accounts({new1})"
_CHANGED = Step("PATCH", _PATH, 204, {"telephone1": "555-0001"}, {"If-Match": "*"})
_STALE = error("0x80060882", "version of the existing record doesn't match")

EXCHANGES = [
    Exchange(
        "a read of an unchanged row answers that nothing is new",
        _SAMPLE,
        (
            _ACCOUNT,
            Step(
                "GET",
                f"{_PATH}?$select=name,revenue,telephone1,description",
                304,
                sent={"If-None-Match": "{first}"},
                text="",
            ),
        ),
    ),
    Exchange(
        "a read of a changed row answers the row with its new version",
        _SAMPLE,
        (
            _ACCOUNT,
            _CHANGED,
            Step(
                "GET",
                f"{_PATH}?$select=telephone1",
                200,
                sent={"If-None-Match": "{first}"},
                json={"telephone1": "555-0001", "@odata.etag": matching(r'^W/"\d+"$')},
            ),
        ),
    ),
    Exchange(
        "a delete of a row that someone changed is refused",
        _SAMPLE,
        (
            _ACCOUNT,
            _CHANGED,
            Step("DELETE", _PATH, 412, sent={"If-Match": "{first}"}, json=_STALE),
            Step("GET", f"{_PATH}?$select=name", 200),
        ),
    ),
    Exchange(
        "an update of a row that someone changed is refused",
        _SAMPLE,
        (
            _ACCOUNT,
            _CHANGED,
            Step("PATCH", _PATH, 412, {"telephone1": "555-9999"}, {"If-Match": "{first}"}, json=_STALE),
            Step("GET", f"{_PATH}?$select=telephone1", 200, json={"telephone1": "555-0001"}),
        ),
    ),
    Exchange(
        "an update with the version that was read goes through",
        _SAMPLE,
        (
            _ACCOUNT,
            _CHANGED,
            Step("GET", f"{_PATH}?$select=telephone1", 200, capture={"second": "@odata.etag"}),
            Step(
                "PATCH",
                f"{_PATH}?$select=telephone1",
                200,
                {"telephone1": "555-0003"},
                {"If-Match": "{second}", "Prefer": "return=representation"},
                json={"telephone1": "555-0003"},
            ),
        ),
    ),
    Exchange(
        "a delete with the version that was read goes through",
        _CONDITIONAL,
        (_ACCOUNT, Step("DELETE", _PATH, 204, sent={"If-Match": "{first}"}), Step("GET", _PATH, 404)),
    ),
    Exchange(
        "an update that must not create fails when there is no row",
        _CONDITIONAL,
        (
            Step("PATCH", _PATH, 404, {"name": "Nobody"}, {"If-Match": "*"}, json=error("0x80040217")),
            Step("GET", _PATH, 404),
        ),
    ),
    Exchange(
        "an upsert that must not update fails when there is a row",
        _CONDITIONAL,
        (
            _ACCOUNT,
            Step(
                "PATCH",
                _PATH,
                412,
                {"name": "Another"},
                {"If-None-Match": "*"},
                json=error("0x80040237"),
            ),
            Step("GET", f"{_PATH}?$select=name", 200, json={"name": "Contoso Sample"}),
        ),
    ),
    Exchange(
        "an upsert that must not update creates when there is no row",
        _CONDITIONAL,
        (
            Step("PATCH", _PATH, 204, {"name": "New"}, {"If-None-Match": "*"}),
            Step("GET", f"{_PATH}?$select=name", 200, json={"name": "New"}),
        ),
    ),
    Exchange(
        "an upsert without a condition creates a row with the key of the address",
        _UPDATE,
        (
            Step(
                "PATCH",
                _PATH,
                204,
                {"name": "By upsert"},
                headers={"OData-EntityId": matching(r"/accounts\([0-9a-f-]+\)$")},
            ),
            Step("GET", f"{_PATH}?$select=name", 200, json={"name": "By upsert", "revenue": absent}),
        ),
    ),
    Exchange(
        "an upsert that creates answers 201 with the row when it is asked for",
        _UPDATE,
        (
            Step(
                "PATCH", f"{_PATH}?$select=name", 201, {"name": "Made"}, REPRESENTATION, json={"name": "Made"}
            ),
            Step(
                "PATCH",
                f"{_PATH}?$select=name",
                200,
                {"name": "Changed"},
                REPRESENTATION,
                json={"name": "Changed"},
            ),
        ),
    ),
    Exchange(
        "a single column is deleted and is null then",
        _UPDATE,
        (
            _ACCOUNT,
            Step("DELETE", f"{_PATH}/description", 204),
            Step("GET", f"{_PATH}?$select=description", 200, json={"description": None}),
            Step("GET", f"{_PATH}/description", 204),
        ),
    ),
    Exchange(
        "a raw value is plain text",
        "power-apps/developer/data-platform/webapi/retrieve-entity-using-web-api",
        (
            _ACCOUNT,
            Step(
                "GET",
                f"{_PATH}/name/$value",
                200,
                text="Contoso Sample",
                headers={"Content-Type": matching("^text/plain")},
            ),
        ),
    ),
]
