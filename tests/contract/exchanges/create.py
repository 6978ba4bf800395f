"""Creates."""

from tests.contract.exchange import REPRESENTATION, Exchange, Step, a_guid, error, matching

_CREATE = "power-apps/developer/data-platform/webapi/create-entity-web-api"
_ERRORS = "power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors"

EXCHANGES = [
    Exchange(
        "a create answers no content and the address of the row",
        _CREATE,
        (
            Step(
                "POST",
                "accounts",
                204,
                {
                    "name": "Sample Account",
                    "creditonhold": False,
                    "address1_latitude": 47.639583,
                    "description": "This is the description of the sample account",
                    "revenue": 5000000,
                    "accountcategorycode": 1,
                },
                headers={"OData-Version": "4.0", "OData-EntityId": matching(r"/accounts\([0-9a-f-]+\)$")},
                capture={"made": "OData-EntityId"},
            ),
            Step(
                "GET",
                "{made}?$select=name,creditonhold,accountcategorycode",
                200,
                json={
                    "name": "Sample Account",
                    "creditonhold": False,
                    "accountcategorycode": 1,
                    "accountid": a_guid,
                },
            ),
        ),
    ),
    Exchange(
        "a create that asks for it answers the row with the selected columns",
        _CREATE,
        (
            Step(
                "POST",
                "accounts?$select=name,revenue",
                201,
                {"name": "Sample Account", "revenue": 5000000},
                REPRESENTATION,
                json={
                    "@odata.context": "{root}$metadata#accounts(name,revenue)/$entity",
                    "@odata.etag": matching(r'^W/"\d+"$'),
                    "name": "Sample Account",
                    "revenue": 5000000,
                },
                headers={"Preference-Applied": "return=representation"},
            ),
        ),
    ),
    Exchange(
        "a property that the table does not have is refused",
        _ERRORS,
        (Step("POST", "accounts", 400, {"nme": "x"}, json=error("0x80048d19", "nme")),),
    ),
]
