"""What is refused, with its status and code."""

from tests.contract.exchange import Exchange, Step, anything, error, matching

_CODES = "power-apps/developer/data-platform/reference/web-service-error-codes"
_HTTP = "power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors"
_KEYS = "power-apps/developer/data-platform/use-alternate-key-reference-record"
_QUERY = "power-apps/developer/data-platform/webapi/query/overview"
_FILTER = "power-apps/developer/data-platform/webapi/query/filter-rows"
_ORDER = "power-apps/developer/data-platform/webapi/query/order-rows"
_MULTITABLE = "power-apps/developer/data-platform/webapi/web-api-navigation-properties"
_ACCOUNT = Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "Sample"})
_SOME_ERROR = {"error": {"code": anything, "message": anything}}


def _create(name, entity_set, body, code, status=400, message=None):
    """A row with this body is refused."""
    return Exchange(name, _CODES, (Step("POST", entity_set, status, body, json=error(code, message)),))


def _update(name, body, code):
    """A change of an account is refused."""
    return Exchange(
        name,
        _CODES,
        (_ACCOUNT, Step("PATCH", "accounts({new1})", 400, body, {"If-Match": "*"}, json=error(code))),
    )


def _get(name, source, path, status, answer):
    """A read of this path is refused."""
    return Exchange(name, source, (Step("GET", path, status, json=answer),))


def _method(name, method, path, body=None):
    """The resource does not know this method."""
    return Exchange(name, _HTTP, (_ACCOUNT, Step(method, path, 405, body, json=_SOME_ERROR)))


EXCHANGES = [
    _create("a key that is no GUID is refused", "accounts", {"accountid": "none", "name": "x"}, "0x80048d19"),
    _create(
        "several choices with one that does not exist are refused",
        "new_projects",
        {"new_name": "x", "new_tags": "1,77"},
        "0x8004431a",
    ),
    _create("a label is not the value of a choice", "accounts", {"industrycode": "Accounting"}, "0x80048d19"),
    _create(
        "a memo longer than its column is refused", "accounts", {"description": "x" * 2001}, "0x80044331"
    ),
    _create(
        "a phone number longer than its column is refused", "contacts", {"telephone1": "1" * 51}, "0x80044331"
    ),
    _create("an amount above its range is refused", "new_projects", {"new_budget": 1e10}, "0x80044330"),
    _create("a number above its range is refused", "new_projects", {"new_progress": 101}, "0x8004432f"),
    _create(
        "a probability above one hundred is refused", "opportunities", {"closeprobability": 101}, "0x8004432f"
    ),
    _create(
        "a rating outside of the list is refused", "opportunities", {"opportunityratingcode": 4}, "0x8004431a"
    ),
    _create(
        "a source of a lead outside of the list is refused", "leads", {"leadsourcecode": 11}, "0x8004431a"
    ),
    _create("a text for a Boolean is refused", "accounts", {"creditonhold": "yes"}, "0x80048d19"),
    _create("an object for a text is refused", "accounts", {"name": {"a": 1}}, "0x80048d19"),
    _create("a list for a number is refused", "accounts", {"numberofemployees": [1]}, "0x80048d19"),
    _create("a fraction for a whole number is refused", "accounts", {"numberofemployees": 1.5}, "0x80048d19"),
    _create("a time that is none is refused", "tasks", {"scheduledend": "tomorrow"}, "0x80048d19"),
    _create(
        "a create in a set that does not exist is refused",
        "acounts",
        {"name": "x"},
        "0x80060888",
        404,
        "Resource not found for the segment 'acounts'",
    ),
    _create(
        "a lookup in the body by the name of its column is refused",
        "new_projects",
        {"new_name": "x", "new_accountid": "{new1}"},
        "0x80048d19",
    ),
    _update("an update with a text that is too long is refused", {"name": "x" * 161}, "0x80044331"),
    _update("an update with a choice outside of the list is refused", {"industrycode": 99}, "0x8004431a"),
    _update("an update with a number below its range is refused", {"numberofemployees": -1}, "0x8004432f"),
    _update("an update with an amount below its range is refused", {"creditlimit": -1}, "0x80044330"),
    _update("an update with a value of another type is refused", {"revenue": "much"}, "0x80048d19"),
    _update(
        "an update with the reading name of a lookup is refused",
        {"_primarycontactid_value": None},
        "0x80048d19",
    ),
    Exchange(
        "a lookup is not bound to a row of another table",
        _MULTITABLE,
        (
            _ACCOUNT,
            Step(
                "POST",
                "accounts",
                400,
                {"name": "x", "primarycontactid@odata.bind": "/accounts({new1})"},
                json=_SOME_ERROR,
            ),
        ),
    ),
    Exchange(
        "a customer is not bound without the name of a table",
        _MULTITABLE,
        (
            _ACCOUNT,
            Step(
                "POST",
                "opportunities",
                400,
                {"name": "x", "customerid@odata.bind": "/accounts({new1})"},
                json=error("0x80048d19", "customerid"),
            ),
        ),
    ),
    _method("a set cannot be updated as a whole", "PATCH", "accounts", {"name": "x"}),
    _method("a set cannot be deleted as a whole", "DELETE", "accounts"),
    _get(
        "a row of a set that does not exist is not found", _HTTP, "acounts({new1})", 404, error("0x80060888")
    ),
    _get("a user who does not exist is not found", _HTTP, "systemusers({new9})", 404, error("0x80040217")),
    _get(
        "an alternate key without a row is not found",
        _KEYS,
        "new_projects(new_code='nothing')",
        404,
        error("0x80060891"),
    ),
    _get(
        "a key of columns that are none says which table it was sent to",
        _KEYS,
        "new_projects(new_name='x')",
        400,
        {"error": {"code": anything, "message": matching("new_project")}},
    ),
    _get(
        "skipping rows is not supported", _QUERY, "accounts?$skip=5", 400, error("0x80060888", "Skip Clause")
    ),
    _get("searching in a set is not supported", _QUERY, "accounts?$search=x", 400, _SOME_ERROR),
    _get(
        "an order by a column that does not exist is refused",
        _ORDER,
        "accounts?$select=name&$orderby=nme",
        400,
        error("0x80060888", "Could not find a property named 'nme'"),
    ),
    _get(
        "a filter by a column that does not exist is refused",
        _FILTER,
        "accounts?$select=name&$filter=nme eq 'x'",
        400,
        error("0x80060888", "Could not find a property named 'nme'"),
    ),
    _get("a filter that ends too early is refused", _FILTER, "accounts?$filter=name eq", 400, _SOME_ERROR),
    _get("a number of rows that is none is refused", _QUERY, "accounts?$top=many", 400, _SOME_ERROR),
    Exchange(
        "details of an error come as annotations when all are asked for",
        _HTTP,
        (
            Step(
                "GET",
                "accounts({new9})",
                404,
                sent={"Prefer": 'odata.include-annotations="*"'},
                json={
                    "error": {
                        "code": "0x80040217",
                        "message": anything,
                        "@Microsoft.PowerApps.CDS.HelpLink": matching("^https?://"),
                        "@Microsoft.PowerApps.CDS.InnerError.Message": anything,
                    }
                },
            ),
        ),
    ),
    Exchange(
        "one detail of an error is asked for by its name",
        _HTTP,
        (
            Step(
                "GET",
                "accounts({new9})",
                404,
                sent={"Prefer": 'odata.include-annotations="Microsoft.PowerApps.CDS.HelpLink"'},
                json={"error": {"code": "0x80040217", "@Microsoft.PowerApps.CDS.HelpLink": anything}},
            ),
        ),
    ),
    Exchange(
        "an error is JSON even for a request that did not ask for JSON",
        _HTTP,
        (
            Step(
                "GET",
                "accounts({new9})",
                404,
                sent={"Accept": "text/html"},
                json=error("0x80040217"),
                headers={"Content-Type": matching("^application/json"), "OData-Version": "4.0"},
            ),
        ),
    ),
]
