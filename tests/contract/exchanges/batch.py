"""Batches: the form of their answers, references by Content-ID, errors, limits."""

from typing import Any

from tests.contract.exchange import Exchange, Step, counting, error, matching

_BATCH = "power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api"
_FETCH = "power-apps/developer/data-platform/webapi/use-fetchxml-web-api"
_API = "/api/data/v9.2"
_TYPE = {"Content-Type": "multipart/mixed;boundary=batch_AAA123"}
_GOES_ON = {**_TYPE, "Prefer": "odata.continue-on-error"}
_HEAD = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]


def _get(address: str, *headers: str) -> list[str]:
    return [*_HEAD, "", f"GET {_API}/{address} HTTP/1.1", *headers, "", ""]


def _write(method: str, address: str, body: str, *headers: str, number: int | None = None) -> list[str]:
    """A part that writes; ``number`` is its Content-ID."""
    numbered = [] if number is None else [f"Content-ID: {number}"]
    where = address if address.startswith("$") else f"{_API}/{address}"
    line = f"{method} {where} HTTP/1.1"
    return [*_HEAD, *numbered, "", line, "Content-Type: application/json", *headers, "", body]


def _body(*parts: list[str], boundary: str = "batch_AAA123") -> str:
    lines = [line for part in parts for line in (f"--{boundary}", *part)]
    return "\r\n".join([*lines, f"--{boundary}--", ""])


def _set(*parts: list[str]) -> list[str]:
    head = "Content-Type: multipart/mixed; boundary=changeset_BBB456"
    return [head, "", _body(*parts, boundary="changeset_BBB456")]


def _batch(status: int, text: Any, *parts: list[str], sent: Any = None) -> Step:
    return Step("POST", "$batch", status, _body(*parts), sent or _TYPE, text=matching(text))


def _create(entity_set: str, key: str, number: int, values: str = "", content_id: int | None = None) -> Any:
    body = f'{{"{key}":"{{new{number}}}"{values and "," + values}}}'
    return _write("POST", entity_set, body, number=content_id)


def _task(number: int, subject: str, content_id: int | None = None) -> Any:
    values = f'"subject":"{subject}","regardingobjectid_account_task@odata.bind":"accounts({{new1}})"'
    return _create("tasks", "activityid", number, values, content_id)


def _account(number: int, name: str, content_id: int | None = None) -> Any:
    return _create("accounts", "accountid", number, f'"name":"{name}"', content_id)


def _contact(number: int, content_id: int) -> Any:
    return _create("contacts", "contactid", number, '"firstname":"first name"', content_id)


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


_PARENT = Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "Parent"})
_TASKS = "accounts({new1})/Account_Tasks?$select=subject&$orderby=subject"
_TOO_LONG = "x" * 201
_MANY_NAMES = ",".join(f"'no such name {number:06}'" for number in range(2000))
_WON = '{"Status":3,"OpportunityClose":{"subject":"Won","opportunityid@odata.bind":"/opportunities({new1})"}}'
_FETCH_XML = (
    "%3Cfetch%3E%3Centity%20name=%22account%22%3E%3Cattribute%20name=%22name%22/%3E%3Cfilter%3E"
    "%3Ccondition%20attribute=%22accountid%22%20operator=%22eq%22%20value=%22{new1}%22/%3E"
    "%3C/filter%3E%3C/entity%3E%3C/fetch%3E"
)

EXCHANGES = [
    Exchange(
        "a request of a batch reads what earlier requests of it made",
        _BATCH,
        (
            _PARENT,
            _batch(
                200,
                r"(?s)(HTTP/1.1 204 No Content.*){3}HTTP/1.1 200 OK.*Task 1.*Task 2.*Task 3",
                _task(2, "Task 1"),
                _task(3, "Task 2"),
                _task(4, "Task 3"),
                _get(_TASKS),
            ),
        ),
    ),
    Exchange(
        "a request after a change set reads what the change set made",
        _BATCH,
        (
            _PARENT,
            _batch(
                200,
                r"(?s)--changesetresponse_.*HTTP/1.1 200 OK.*Task 1.*Task 2",
                _set(_task(2, "Task 1", 1), _task(3, "Task 2", 2)),
                _get(_TASKS),
            ),
        ),
    ),
    Exchange(
        "the answer of a batch has a boundary of its own that ends it",
        _BATCH,
        (
            Step(
                "POST",
                "$batch",
                200,
                _body(_get("WhoAmI")),
                _TYPE,
                text=matching(
                    r"(?s)^--batchresponse_(\S+)\r\nContent-Type: application/http\r\n"
                    r"Content-Transfer-Encoding: binary\r\n.*--batchresponse_\1--\r\n$"
                ),
                headers={
                    "OData-Version": "4.0",
                    "Content-Type": matching("^multipart/mixed; ?boundary=batchresponse_"),
                },
            ),
        ),
    ),
    Exchange(
        "the answer of a change set is a multipart within the batch's",
        _BATCH,
        (
            _batch(
                200,
                r"(?s)^--batchresponse_\S+\r\nContent-Type: multipart/mixed; ?boundary="
                r"changesetresponse_(\S+)\r\n\r\n--changesetresponse_\1\r\n.*--changesetresponse_\1--",
                _set(_account(1, "One", 1)),
            ),
        ),
    ),
    Exchange(
        "a part that creates has the address of the row as its location too",
        _BATCH,
        (
            _batch(
                200,
                r"\r\nLocation: ?https://\S+/accounts\([0-9a-f-]{36}\)\r\n",
                _account(1, "Made"),
            ),
        ),
    ),
    Exchange(
        "an update by reference answers the address of the row that it refers to",
        _BATCH,
        (
            _batch(
                200,
                r"(?s)Content-ID: 2\r\n.*OData-EntityId: ?https://\S+/accounts\(",
                _set(_account(1, "First", 1), _write("PATCH", "$1", '{"telephone1":"1"}', number=2)),
            ),
        ),
    ),
    Exchange(
        "one request refers to the rows of two others",
        _BATCH,
        (
            _batch(
                200,
                r"(?s)Content-ID: 1.*Content-ID: 2.*Content-ID: 3",
                _set(
                    _create("leads", "leadid", 1, '"lastname":"last name"', 1),
                    _contact(2, 2),
                    _create(
                        "accounts",
                        "accountid",
                        3,
                        '"name":"Both","originatingleadid@odata.bind":"$1","primarycontactid@odata.bind":"$2"',
                        3,
                    ),
                ),
            ),
            _row(
                "accounts({new3})?$select=_originatingleadid_value,_primarycontactid_value",
                _originatingleadid_value="{new1}",
                _primarycontactid_value="{new2}",
            ),
        ),
    ),
    Exchange(
        "a lookup is set by a reference in the address and one in the body",
        _BATCH,
        (
            _batch(
                200,
                r"Content-ID: 3",
                _set(
                    _account(1, "Account Name", 1),
                    _contact(2, 2),
                    _write("PUT", "$1/primarycontactid/$ref", '{"@odata.id":"$2"}', number=3),
                ),
            ),
            _row("accounts({new1})?$select=_primarycontactid_value", _primarycontactid_value="{new2}"),
        ),
    ),
    Exchange(
        "an update of a row by reference binds another row by reference",
        _BATCH,
        (
            _batch(
                200,
                r"Content-ID: 3",
                _set(
                    _account(1, "Account name", 1),
                    _contact(2, 2),
                    _write("PATCH", "$1", '{"primarycontactid@odata.bind":"$2"}', number=3),
                ),
            ),
            _row(
                "accounts({new1})?$select=name,_primarycontactid_value",
                name="Account name",
                _primarycontactid_value="{new2}",
            ),
        ),
    ),
    Exchange(
        "a reference to a request that comes later is refused",
        _BATCH,
        (
            _batch(
                400,
                r"Content-ID Reference: '\$1' does not exist in the batch context",
                _set(
                    _create(
                        "phonecalls",
                        "activityid",
                        2,
                        '"phonenumber":"911","regardingobjectid_account_phonecall@odata.bind":"$1"',
                        2,
                    ),
                    _account(1, "QQQQ", 1),
                ),
            ),
            Step("GET", "accounts({new1})", 404),
        ),
    ),
    Exchange(
        "the first error of a batch is its answer, and the requests after it are not made",
        _BATCH,
        (
            _PARENT,
            _batch(
                400,
                r"(?s)HTTP/1.1 400 Bad Request.*\{\"error\":\{\"code\":\"0x80044331\",\"message\":\"",
                _task(2, _TOO_LONG),
                _task(3, "Task 2 in batch"),
                _task(4, "Task 3 in batch"),
            ),
            _row(_TASKS, value=counting(0)),
        ),
    ),
    Exchange(
        "with continue-on-error an error is one part among those that succeed",
        _BATCH,
        (
            _PARENT,
            _batch(
                200,
                r"(?s)HTTP/1.1 400 Bad Request.*0x80044331.*(HTTP/1.1 204 No Content.*){2}",
                _task(2, _TOO_LONG),
                _task(3, "Task 2 in batch"),
                _task(4, "Task 3 in batch"),
                sent=_GOES_ON,
            ),
            _row(_TASKS, value=counting(2)),
        ),
    ),
    Exchange(
        "with continue-on-error a failed change set is taken back and the rest is done",
        _BATCH,
        (
            _PARENT,
            _batch(
                200,
                r"(?s)0x80044331.*HTTP/1.1 204",
                _set(_task(2, "Taken back", 1), _task(3, _TOO_LONG, 2)),
                _task(4, "Done"),
                sent=_GOES_ON,
            ),
            _row(_TASKS, value=[{"subject": "Done"}]),
        ),
    ),
    Exchange(
        "a change set that succeeded stays when a later one fails",
        _BATCH,
        (
            _PARENT,
            _batch(400, "0x80044331", _set(_task(2, "Stays", 1)), _set(_task(3, _TOO_LONG, 1))),
            _row(_TASKS, value=[{"subject": "Stays"}]),
        ),
    ),
    Exchange(
        "a failed change set takes back updates and deletes",
        _BATCH,
        (
            _PARENT,
            Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "Second"}),
            _batch(
                400,
                "0x80040217",
                _set(
                    _write("PATCH", "accounts({new1})", '{"name":"Changed"}', number=1),
                    _write("DELETE", "accounts({new2})", "", number=2),
                    _write("DELETE", "accounts({new3})", "", number=3),
                ),
            ),
            _row("accounts({new1})?$select=name", name="Parent"),
            _row("accounts({new2})?$select=name", name="Second"),
        ),
    ),
    Exchange(
        "a failed change set takes back what an action of it did",
        _BATCH,
        (
            Step("POST", "opportunities", 204, {"opportunityid": "{new1}", "name": "Open"}),
            _batch(
                400,
                "0x80040217",
                _set(
                    _write("POST", "WinOpportunity", _WON, number=1),
                    _write("DELETE", "accounts({new3})", "", number=2),
                ),
            ),
            _row("opportunities({new1})?$select=statecode", statecode=0),
        ),
    ),
    Exchange(
        "a part that prefers it answers the row that it made",
        _BATCH,
        (
            _batch(
                200,
                r'(?s)HTTP/1.1 201 Created.*Preference-Applied: return=representation.*"name":"Shown"',
                _write("POST", "accounts?$select=name", '{"name":"Shown"}', "Prefer: return=representation"),
            ),
        ),
    ),
    Exchange(
        "a query in FetchXML stands in a batch",
        _FETCH,
        (
            _PARENT,
            _batch(200, r'(?s)HTTP/1.1 200 OK.*"name":"Parent"', _get(f"accounts?fetchXml={_FETCH_XML}")),
        ),
    ),
    Exchange(
        "an address in a batch may be longer than the address of a request",
        _BATCH,
        (
            _batch(
                200,
                r'HTTP/1.1 200 OK(?s:.*)"value":\[\]',
                _get(
                    "accounts?$select=name&$filter="
                    f"Microsoft.Dynamics.CRM.In(PropertyName=@p,PropertyValues=@v)&@p='name'&@v=[{_MANY_NAMES}]"
                ),
            ),
        ),
    ),
    Exchange(
        "a batch holds a thousand requests",
        _BATCH,
        (_batch(200, "HTTP/1.1 200 OK", *[_get("RetrieveVersion()")] * 1000),),
    ),
    Exchange(
        "a batch holds no more than a thousand requests",
        _BATCH,
        (Step("POST", "$batch", 400, _body(*[_get("RetrieveVersion()")] * 1001), _TYPE),),
    ),
    Exchange(
        "a batch holds no other batch",
        _BATCH,
        (
            Step(
                "POST",
                "$batch",
                400,
                _body(
                    [
                        *_HEAD,
                        "",
                        f"POST {_API}/$batch HTTP/1.1",
                        "Content-Type: multipart/mixed; boundary=inner",
                        "",
                        _body(_account(1, "Inner"), boundary="inner"),
                    ]
                ),
                _TYPE,
            ),
            Step("GET", "accounts({new1})", 404, json=error("0x80040217")),
        ),
    ),
]
