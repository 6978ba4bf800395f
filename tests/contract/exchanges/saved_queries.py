"""Views: rows of savedquery, and an entity set as a view shows it."""

from typing import Any

from tests.contract.exchange import ANNOTATED, Exchange, Step, a_guid, absent, counting, error, matching

_PREDEFINED = "power-apps/developer/data-platform/webapi/retrieve-and-execute-predefined-queries"
_TABLE = "power-apps/developer/data-platform/reference/entities/savedquery"
_TYPES = "power-apps/developer/data-platform/customize-entity-views"

ACTIVE_ACCOUNTS = "00000000-0000-0000-00aa-000010001002"

_COMPANIES = Step(
    "POST",
    "accounts",
    204,
    {
        "name": "Holding",
        "account_parent_account": [
            {"accountid": "{new2}", "name": "Cedar", "address1_city": "Berlin"},
            {"accountid": "{new3}", "name": "Amber", "address1_city": "Berlin", "telephone1": "1"},
            {"accountid": "{new4}", "name": "Birch", "address1_city": "Bremen"},
        ],
    },
)
_FETCH = (
    "<fetch><entity name='account'><attribute name='name'/><attribute name='telephone1'/>"
    "<order attribute='name'/><filter><condition attribute='address1_city' operator='eq' value='Berlin'/>"
    "<condition attribute='accountid' operator='in'><value>{new2}</value><value>{new3}</value>"
    "<value>{new4}</value></condition></filter></entity></fetch>"
)


def _made(**values: Any) -> Step:
    """A view on accounts that an administrator makes."""
    body = {"savedqueryid": "{new1}", "name": "In Berlin", "returnedtypecode": "account", "querytype": 0}
    return Step("POST", "savedqueries", 204, {**body, "fetchxml": _FETCH, **values})


EXCHANGES = [
    Exchange(
        "the id of a view is found by its name",
        _PREDEFINED,
        (
            Step(
                "GET",
                "savedqueries?$select=name,savedqueryid&$filter=name eq 'Active Accounts'",
                200,
                json={"value": [{"name": "Active Accounts", "savedqueryid": ACTIVE_ACCOUNTS}]},
            ),
        ),
    ),
    Exchange(
        "an entity set is read as a view shows it",
        _PREDEFINED,
        (
            Step(
                "GET",
                f"accounts?savedQuery={ACTIVE_ACCOUNTS}",
                200,
                json={
                    "@odata.context": matching(r"\$metadata#accounts\(.*name"),
                    "value": lambda rows: (
                        [row["name"] for row in rows]
                        == sorted((row["name"] for row in rows), key=str.casefold)
                        and all(a_guid(row["accountid"]) for row in rows)
                    ),
                },
            ),
        ),
    ),
    Exchange(
        "a view that a client made filters, sorts and selects, and leaves null out",
        _PREDEFINED,
        (
            _COMPANIES,
            _made(),
            Step(
                "GET",
                "accounts?savedQuery={new1}",
                200,
                json={
                    "value": [
                        {"name": "Amber", "telephone1": "1", "address1_city": absent},
                        {"name": "Cedar", "telephone1": absent},
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "FetchXML in the address leaves null out as the view does",
        _PREDEFINED,
        (
            _COMPANIES,
            Step(
                "GET",
                f"accounts?fetchXml={_FETCH}",
                200,
                json={
                    "value": [{"name": "Amber", "telephone1": "1"}, {"name": "Cedar", "telephone1": absent}]
                },
            ),
        ),
    ),
    Exchange(
        "a view that is changed shows other rows",
        _TABLE,
        (
            _COMPANIES,
            _made(),
            Step("PATCH", "savedqueries({new1})", 204, {"fetchxml": _FETCH.replace("'Berlin'", "'Bremen'")}),
            Step("GET", "accounts?savedQuery={new1}", 200, json={"value": [{"name": "Birch"}]}),
        ),
    ),
    Exchange(
        "a view that is deleted is none any more",
        _TABLE,
        (
            _made(),
            Step("DELETE", "savedqueries({new1})", 204),
            Step("GET", "accounts?savedQuery={new1}", 404, json=error("0x80040217", "savedquery")),
        ),
    ),
    Exchange(
        "a view has the annotations that are asked for",
        _PREDEFINED,
        (
            _COMPANIES,
            _made(fetchxml=_FETCH.replace("'telephone1'", "'statecode'")),
            Step(
                "GET",
                "accounts?savedQuery={new1}",
                200,
                sent=ANNOTATED,
                json={
                    "value": [
                        {"statecode": 0, "statecode@OData.Community.Display.V1.FormattedValue": "Active"},
                        {"statecode": 0},
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "views are active and no default unless they are made so",
        _TABLE,
        (
            _made(),
            Step(
                "GET",
                "savedqueries({new1})",
                200,
                json={"statecode": 0, "statuscode": 1, "isdefault": False, "returnedtypecode": "account"},
            ),
        ),
    ),
    Exchange(
        "one public view of a table is its default",
        _TYPES,
        tuple(
            Step(
                "GET",
                f"savedqueries?$filter=isdefault eq true and returnedtypecode eq '{table}'",
                200,
                json={"value": counting(1)},
            )
            for table in ("account", "contact", "lead", "opportunity")
        ),
    ),
    Exchange(
        "a quick find view is of a type of its own",
        _TYPES,
        (
            Step(
                "GET",
                "savedqueries?$select=name,querytype&$filter=isquickfindquery eq true",
                200,
                json={"value": [{"name": "Quick Find Active Accounts", "querytype": 4}]},
            ),
        ),
    ),
    Exchange(
        "a view says in layoutxml how a list shows it",
        _TYPES,
        (
            Step(
                "GET",
                f"savedqueries({ACTIVE_ACCOUNTS})?$select=layoutxml,fetchxml",
                200,
                json={
                    "layoutxml": matching(
                        r'^<grid .*<row name="result" id="accountid"><cell name="name" width='
                    ),
                    "fetchxml": matching(r'^<fetch .*<entity name="account">.*</fetch>$'),
                },
            ),
        ),
    ),
    Exchange(
        "a view of another table is refused",
        _PREDEFINED,
        (
            Step(
                "GET",
                f"contacts?savedQuery={ACTIVE_ACCOUNTS}",
                400,
                json=error("0x80041128", "account"),
            ),
        ),
    ),
    Exchange(
        "a view that is named by no id is refused",
        _PREDEFINED,
        (Step("GET", "accounts?savedQuery=Active Accounts", 400, json=error("0x80060888")),),
    ),
]
