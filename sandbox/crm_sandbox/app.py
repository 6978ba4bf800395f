"""The ASGI application: addresses, headers and bodies of the Web API.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import parse_qsl, quote, unquote_to_bytes
from uuid import UUID, uuid4

from crm_sandbox.annotating import etag
from crm_sandbox.coverage import Missing
from crm_sandbox.errors import (
    UNKNOWN_NAME,
    VERSION_MISMATCH,
    ODataError,
    bad_property,
    missing_row,
    not_here,
    unknown_segment,
)
from crm_sandbox.querying import Reading, read_options, read_row, read_rows, split_outside, table_of
from crm_sandbox.store import Store
from crm_sandbox.writing import create_row, delete_row, update_row
from crm_tools.tables import Table

API = "/api/data/v9.2/"
LARGEST_BODY = 4 * 1024 * 1024
LONGEST_URL = 32_768
MOST_REMEMBERED = 10_000

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that was answered."""

    method: str
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request, taken apart."""

    method: str
    path: str
    options: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    root: str

    @property
    def preferences(self) -> Mapping[str, str]:
        """The Prefer header: name to value."""
        found = {}
        for part in self.headers.get("prefer", "").split(","):
            name, _, value = part.strip().partition("=")
            found[name.lower()] = value.strip('"')
        return found

    @property
    def annotated(self) -> bool:
        """Whether formatted values and the like are asked for."""
        return bool(self.preferences.get("odata.include-annotations"))

    @property
    def page_size(self) -> int | None:
        """Rows of a page, when the client set it."""
        text = self.preferences.get("odata.maxpagesize", "")
        return int(text) if re.fullmatch(r"[1-9]\d{0,8}", text) else None

    @property
    def wants_row(self) -> bool:
        """Whether a write is answered with the row."""
        return self.preferences.get("return") == "representation"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; ``content`` becomes JSON."""

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class SandboxApp:
    """Answers the Web API from a store. ``requests`` holds what was asked, oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.requests: deque[RecordedRequest] = deque(maxlen=MOST_REMEMBERED)

    def close(self) -> None:
        """Forget all data."""
        self._store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the lifespan protocol needs nothing."""
        if scope["type"] != "http":
            return
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
        try:
            answer = self._answer(await _request(scope, path, receive))
        except ODataError as error:
            content = {"error": {"code": error.code, "message": error.message}}
            answer = Answer(error.status, content)
        query = scope["query_string"].decode("latin-1")
        self.requests.append(
            RecordedRequest(scope["method"], f"{path}?{query}" if query else path, answer.status)
        )
        await _send(answer, send)

    def _answer(self, request: Request) -> Answer:
        path = request.path
        if path in ("WhoAmI", "WhoAmI()") and request.method == "GET":
            return self._who_am_i(request)
        if match := re.fullmatch(r"(\w+)", path):
            return self._on_set(_table(match[1]), request)
        if match := re.fullmatch(r"(\w+)\(([^()]*)\)", path):
            table = _table(match[1])
            return self._on_row(table, _key(match[2]), request)
        raise _refused_path(path)

    def _on_set(self, table: Table, request: Request) -> Answer:
        if request.method == "GET":
            return self._list(table, request)
        if request.method == "POST":
            reading = read_options(request.options, one_row=True)
            key = create_row(self._store, table, _body(request), self._defaults())
            return self._saved(table, key, reading, request, 201)
        raise _no_method(request.method)

    def _on_row(self, table: Table, key: str, request: Request) -> Answer:
        if request.method == "GET":
            return self._get(table, key, request)
        if request.method == "PATCH":
            return self._patch(table, key, request)
        if request.method == "DELETE":
            self._matching(table, key, request)
            delete_row(self._store, table, key)
            return Answer(204)
        raise _no_method(request.method)

    def _list(self, table: Table, request: Request) -> Answer:
        if "odata.track-changes" in request.preferences:
            raise not_here(Missing.TRACK_CHANGES)
        reading = read_options(request.options)
        found = read_rows(self._store, table, reading, request.page_size, request.annotated, request.root)
        content: dict[str, Any] = {"@odata.context": f"{request.root}$metadata#{table.entity_set}"}
        if found.total is not None:
            content["@odata.count"] = found.total
        if request.annotated:
            content["@Microsoft.Dynamics.CRM.totalrecordcount"] = -1 if found.total is None else found.total
            content["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] = False
        content["value"] = found.rows
        if found.next_token is not None:
            content["@odata.nextLink"] = _next_link(table, request, found.next_token)
        return Answer(200, content, _applied(request))

    def _get(self, table: Table, key: str, request: Request) -> Answer:
        reading = read_options(request.options, one_row=True)
        row = self._found(table, key)
        if request.headers.get("if-none-match") == etag(row) and not reading.expand:
            return Answer(304)
        return Answer(200, self._representation(table, row, reading, request), _applied(request))

    def _patch(self, table: Table, key: str, request: Request) -> Answer:
        reading = read_options(request.options, one_row=True)
        body = _body(request)
        if self._store.find(table, key) is None and "if-match" not in request.headers:
            create_row(self._store, table, {**body, table.key: key}, self._defaults())
            return self._saved(table, key, reading, request, 201)
        row = self._matching(table, key, request)
        update_row(self._store, table, row, body)
        return self._saved(table, key, reading, request, 200)

    def _matching(self, table: Table, key: str, request: Request) -> Mapping[str, Any]:
        """The row, if it is in the version that the request's conditions ask for."""
        row = self._found(table, key)
        wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
        if (wanted not in (None, "*", etag(row))) or unwanted == "*":
            raise ODataError(
                412,
                VERSION_MISMATCH,
                "The version of the existing record doesn't match the RowVersion property provided.",
            )
        return row

    def _saved(self, table: Table, key: str, reading: Reading, request: Request, status: int) -> Answer:
        headers = {"OData-EntityId": f"{request.root}{table.entity_set}({key})"}
        if not request.wants_row:
            return Answer(204, None, headers)
        row = self._found(table, key)
        return Answer(
            status, self._representation(table, row, reading, request), {**headers, **_applied(request)}
        )

    def _representation(
        self, table: Table, row: Mapping[str, Any], reading: Reading, request: Request
    ) -> dict[str, Any]:
        context = {"@odata.context": f"{request.root}$metadata#{table.entity_set}/$entity"}
        return context | read_row(self._store, table, row, reading, request.annotated, request.root)

    def _found(self, table: Table, key: str) -> dict[str, Any]:
        row = self._store.find(table, key)
        if row is None:
            raise missing_row(table.name, key)
        return row

    def _defaults(self) -> dict[str, str]:
        """Owner and currency of new rows: the signed-in user and the base currency."""
        user = self._store.rows('SELECT systemuserid AS key FROM systemuser ORDER BY "fullname" LIMIT 1', [])
        currency = self._store.rows(
            "SELECT transactioncurrencyid AS key FROM transactioncurrency LIMIT 1", []
        )
        return {"owner": user[0]["key"], "currency": currency[0]["key"]}

    def _who_am_i(self, request: Request) -> Answer:
        unit = self._store.rows("SELECT businessunitid AS key FROM businessunit LIMIT 1", [])
        content = {
            "@odata.context": f"{request.root}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
            "BusinessUnitId": unit[0]["key"],
            "UserId": self._defaults()["owner"],
            "OrganizationId": unit[0]["key"],
        }
        return Answer(200, content)


async def _request(scope: Scope, path: str, receive: Receive) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    if len(path) + len(query) > LONGEST_URL:
        raise ODataError(414, UNKNOWN_NAME, "The request URL is too long.")
    root = f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}{API}"
    try:
        decoded = unquote_to_bytes(path).decode("utf-8")
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict"))
    except ValueError:
        raise ODataError(400, UNKNOWN_NAME, "The request URL is not valid.") from None
    if not decoded.startswith(API):
        raise unknown_segment(decoded.strip("/"))
    body = await _whole_body(receive)
    return Request(scope["method"], decoded.removeprefix(API), options, headers, body, root)


async def _whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise ODataError(413, UNKNOWN_NAME, "The request body is too large.")
        if not message.get("more_body", False):
            return bytes(body)


def _body(request: Request) -> dict[str, Any]:
    try:
        content = json.loads(request.body.decode("utf-8"), parse_constant=_refuse_constant)
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise bad_property("the body is not JSON in UTF-8") from None
    if not isinstance(content, dict):
        raise bad_property("the body is not a JSON object")
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _table(entity_set: str) -> Table:
    # Entity sets are written in lower case; what begins with a capital is an action, a function or metadata.
    return table_of(entity_set) if entity_set[0].islower() else _refuse(entity_set)


def _refuse(path: str) -> NoReturn:
    raise _refused_path(path)


def _key(text: str) -> str:
    try:
        if re.fullmatch(r"[0-9a-fA-F-]{36}", text):
            return str(UUID(text))
    except ValueError:
        pass
    if "=" in text:
        raise not_here(Missing.ALTERNATE_KEYS)
    raise ODataError(400, UNKNOWN_NAME, "The key in the request URL is not a GUID.")


def _refused_path(path: str) -> ODataError:
    first, *rest = split_outside(path, "/")
    name = first.partition("(")[0]
    if path in ("", "$metadata") or name.endswith("Definitions"):
        return not_here(Missing.METADATA)
    if name == "$batch":
        return not_here(Missing.BATCH)
    if re.fullmatch(r"[A-Z]\w*", name):
        return not_here(Missing.ACTIONS)
    table_of(name)
    if rest and rest[-1] == "$count":
        return not_here(Missing.COUNT_SEGMENT)
    if rest and "." in rest[0]:
        return not_here(Missing.ACTIONS)
    return not_here(Missing.SINGLE_COLUMN)


def _no_method(method: str) -> ODataError:
    return ODataError(405, UNKNOWN_NAME, f"The requested resource does not support http method '{method}'.")


def _next_link(table: Table, request: Request, token: str) -> str:
    options = {name: value for name, value in request.options.items() if name != "$skiptoken"}
    query = "&".join(f"{name}={quote(value)}" for name, value in options.items())
    # Encoded twice, as the service does with its paging cookie.
    cookie = quote(quote(token, safe=""))
    return f"{request.root}{table.entity_set}?{query}{'&' if query else ''}$skiptoken={cookie}"


def _applied(request: Request) -> dict[str, str]:
    known = ("odata.maxpagesize", "odata.include-annotations", "return")
    applied = [
        part.strip()
        for part in request.headers.get("prefer", "").split(",")
        if part.strip().startswith(known)
    ]
    return {"Preference-Applied": ",".join(applied)} if applied else {}


async def _send(answer: Answer, send: Send) -> None:
    body = b"" if answer.content is None else json.dumps(answer.content, ensure_ascii=False).encode()
    headers = {
        "OData-Version": "4.0",
        "x-ms-service-request-id": str(uuid4()),
        "REQ_ID": str(uuid4()),
        **answer.headers,
    }
    if answer.content is not None:
        headers["Content-Type"] = "application/json; odata.metadata=minimal"
    if answer.status not in (204, 304):
        headers["Content-Length"] = str(len(body))
    raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
