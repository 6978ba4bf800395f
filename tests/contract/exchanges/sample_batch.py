"""What the page on batches shows: requests in one, change sets, references, errors."""

from typing import Any

from tests.contract.exchange import Exchange, Step, counting, error, matching

_BATCH = "power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api"
_TYPE = {"Content-Type": 'multipart/mixed; boundary="batch_AAA123"'}
_GOES_ON = {**_TYPE, "Prefer": "odata.continue-on-error"}
_MULTIPART = {"Content-Type": matching("^multipart/mixed; ?boundary=")}
_API = "/api/data/v9.2"


def _get(address: str) -> list[str]:
    return [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "",
        f"GET {_API}/{address} HTTP/1.1",
        "Accept: application/json",
        "",
        "",
    ]


def _write(method: str, address: str, body: str, *headers: str, number: int | None = None) -> list[str]:
    """A part that writes; ``number`` is its Content-ID."""
    numbered = [] if number is None else [f"Content-ID: {number}"]
    return [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        *numbered,
        "",
        f"{method} {address} HTTP/1.1",
        "Content-Type: application/json; type=entry",
        *headers,
        "",
        body,
    ]


def _body(*parts: list[str], boundary: str = "batch_AAA123") -> str:
    lines = [line for part in parts for line in (f"--{boundary}", *part)]
    return "\r\n".join([*lines, f"--{boundary}--", ""])


def _set(*parts: list[str]) -> list[str]:
    return [
        'Content-Type: multipart/mixed; boundary="changeset_BBB456"',
        "",
        _body(*parts, boundary="changeset_BBB456"),
    ]


def _batch(status: int, text: Any, *parts: list[str], sent: Any = None) -> Step:
    return Step(
        "POST", "$batch", status, _body(*parts), sent or _TYPE, text=matching(text), headers=_MULTIPART
    )


def _account(number: int, name: str) -> list[str]:
    return _write(
        "POST", f"{_API}/accounts", f'{{"accountid":"{{new{number}}}","name":"{name}"}}', number=number
    )


_TASK = '{{"subject":"{}","regardingobjectid_account_task@odata.bind":"{}"}}'

EXCHANGES = [
    Exchange(
        "the answers of a batch come in the order of its requests",
        _BATCH,
        (
            _batch(
                200,
                r"(?s)HTTP/1.1 200 OK.*UserId.*HTTP/1.1 200 OK.*Version",
                _get("WhoAmI"),
                _get("RetrieveVersion()"),
            ),
        ),
    ),
    Exchange(
        "a part of a batch has the headers of its own answer",
        _BATCH,
        (
            _batch(
                200,
                r"(?s)application/http.*HTTP/1.1 204 No Content.*OData-EntityId: \S+/accounts\(",
                _write(
                    "POST",
                    f"{_API}/accounts",
                    '{{"name":"In a batch"}}'.replace("{{", "{").replace("}}", "}"),
                ),
            ),
        ),
    ),
    Exchange(
        "requests outside of a change set stand each for itself",
        _BATCH,
        (
            _batch(
                400,
                r"(?s)HTTP/1.1 204.*HTTP/1.1 404",
                _write("POST", f"{_API}/accounts", '{"accountid":"{new1}","name":"Kept"}'),
                _get("accounts({new2})"),
            ),
            Step("GET", "accounts({new1})?$select=name", 200, json={"name": "Kept"}),
        ),
    ),
    Exchange(
        "a batch stops at the first error",
        _BATCH,
        (
            _batch(
                400,
                r"(?s)HTTP/1.1 404",
                _get("accounts({new1})"),
                _write("POST", f"{_API}/accounts", '{"accountid":"{new2}","name":"Never"}'),
            ),
            Step("GET", "accounts({new2})", 404),
        ),
    ),
    Exchange(
        "a batch goes on after an error when it is asked to",
        _BATCH,
        (
            _batch(
                200,
                r"(?s)HTTP/1.1 404.*HTTP/1.1 204",
                _get("accounts({new1})"),
                _write("POST", f"{_API}/accounts", '{"accountid":"{new2}","name":"After"}'),
                sent=_GOES_ON,
            ),
            Step("GET", "accounts({new2})?$select=name", 200, json={"name": "After"}),
        ),
    ),
    Exchange(
        "a change set writes all of its rows",
        _BATCH,
        (
            _batch(200, r"(?s)Content-ID: 1.*Content-ID: 2", _set(_account(1, "One"), _account(2, "Two"))),
            Step("GET", "accounts({new1})?$select=name", 200, json={"name": "One"}),
            Step("GET", "accounts({new2})?$select=name", 200, json={"name": "Two"}),
        ),
    ),
    Exchange(
        "a change set in which one request fails writes nothing",
        _BATCH,
        (
            _batch(
                400,
                "0x80060888|0x80048d19",
                _set(_account(1, "One"), _write("POST", f"{_API}/accounts", '{"nothing":1}', number=2)),
            ),
            Step("GET", "accounts({new1})", 404),
        ),
    ),
    Exchange(
        "a request in a change set refers to the row of an earlier one in its address",
        _BATCH,
        (
            _batch(
                200,
                "204",
                _set(
                    _account(1, "First name"),
                    _write("PATCH", "$1", '{"name":"Second name"}', number=2),
                ),
            ),
            Step("GET", "accounts({new1})?$select=name", 200, json={"name": "Second name"}),
        ),
    ),
    Exchange(
        "a request in a change set refers to the row of an earlier one in its body",
        _BATCH,
        (
            _batch(
                200,
                "204",
                _set(
                    _account(1, "With tasks"),
                    _write("POST", f"{_API}/tasks", _TASK.format("Task 1", "$1"), number=2),
                    _write("POST", f"{_API}/tasks", _TASK.format("Task 2", "$1"), number=3),
                ),
            ),
            Step("GET", "accounts({new1})/Account_Tasks?$select=subject", 200, json={"value": counting(2)}),
        ),
    ),
    Exchange(
        "a change set updates a single column of a row that it made",
        _BATCH,
        (
            _batch(
                200,
                "204",
                _set(_account(1, "Plain"), _write("PUT", "$1/telephone1", '{"value":"555-0100"}', number=2)),
            ),
            Step("GET", "accounts({new1})?$select=telephone1", 200, json={"telephone1": "555-0100"}),
        ),
    ),
    Exchange(
        "a read inside a change set is refused",
        _BATCH,
        (
            Step(
                "POST",
                "$batch",
                400,
                _body(
                    _set(
                        [
                            "Content-Type: application/http",
                            "Content-ID: 1",
                            "",
                            f"GET {_API}/accounts HTTP/1.1",
                            "",
                            "",
                        ]
                    )
                ),
                _TYPE,
            ),
        ),
    ),
    Exchange(
        "a write with a condition can stand in a batch",
        _BATCH,
        (
            _batch(
                400,
                "0x80040217",
                _write("PATCH", f"{_API}/accounts({{new1}})", '{"name":"Nobody"}', "If-Match: *"),
            ),
            Step("GET", "accounts({new1})", 404),
        ),
    ),
    Exchange(
        "an address in a batch can be absolute",
        _BATCH,
        (
            _batch(
                200, r"(?s)HTTP/1.1 200.*UserId", [*_get("WhoAmI")[:3], "GET {root}WhoAmI HTTP/1.1", "", ""]
            ),
        ),
    ),
    Exchange(
        "a batch that is no multipart is refused",
        _BATCH,
        (Step("POST", "$batch", 400, "not a batch", _TYPE),),
    ),
    Exchange(
        "rows are deleted in a change set together",
        _BATCH,
        (
            Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "A"}),
            Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "B"}),
            _batch(
                200,
                "204",
                _set(
                    _write("DELETE", f"{_API}/accounts({{new1}})", "", number=1),
                    _write("DELETE", f"{_API}/accounts({{new2}})", "", number=2),
                ),
            ),
            Step("GET", "accounts({new1})", 404, json=error("0x80040217")),
            Step("GET", "accounts({new2})", 404, json=error("0x80040217")),
        ),
    ),
]
