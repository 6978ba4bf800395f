"""The ASGI application: HTTP outside, requests and answers as values inside."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes
from uuid import uuid4

from crm_sandbox.batching import answer_batch
from crm_sandbox.callers import Identity
from crm_sandbox.errors import UNKNOWN_NAME, NotSignedInError, ODataError, unknown_segment
from crm_sandbox.messages import API, SEARCH_API, Answer, Request, error_answer
from crm_sandbox.service import Service
from crm_sandbox.store import Store

LARGEST_BODY = 16 * 1024 * 1024
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


class SandboxApp:
    """Answers the Web API from a store. ``requests`` holds what was asked, oldest first."""

    def __init__(self, store: Store, identify: Callable[[str | None], Identity] | None = None) -> None:
        """``identify`` finds who an Authorization header speaks for; without it the header is not read."""
        self._service = Service(store)
        self._store = store
        self._identify = identify
        self.requests: deque[RecordedRequest] = deque(maxlen=MOST_REMEMBERED)

    def close(self) -> None:
        """Let go of the data."""
        self._store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the lifespan protocol needs nothing."""
        if scope["type"] != "http":
            return
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
        try:
            answer = self._answer(await _request(scope, path, receive))
        except ODataError as error:
            answer = error_answer(error)
        except NotSignedInError as error:
            answer = Answer(401, None, {"WWW-Authenticate": error.challenge})
        query = scope["query_string"].decode("latin-1")
        self.requests.append(
            RecordedRequest(scope["method"], f"{path}?{query}" if query else path, answer.status)
        )
        await _send(answer, send)

    def _answer(self, request: Request) -> Answer:
        identity = self._identify(request.headers.get("authorization")) if self._identify else None
        if request.path == "$batch":
            return answer_batch(request, self._store, lambda part: self._service.answer(part, identity))
        return self._service.answer(request, identity)


async def _request(scope: Scope, path: str, receive: Receive) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        # A header that comes twice, such as Prefer, is one list.
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    query = scope["query_string"].decode("latin-1")
    if len(path) + len(query) > LONGEST_URL:
        raise ODataError(414, UNKNOWN_NAME, "The request URL is too long.")
    root = f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}{API}"
    try:
        decoded = unquote_to_bytes(path).decode("utf-8")
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict"))
    except ValueError:
        raise ODataError(400, UNKNOWN_NAME, "The request URL is not valid.") from None
    if decoded.startswith(SEARCH_API):
        below = decoded
    elif f"{decoded}/".startswith(API):
        below = decoded.removeprefix(API.rstrip("/")).strip("/")
    else:
        raise unknown_segment(decoded.strip("/"))
    body = await _whole_body(receive)
    return Request(scope["method"], below, options, headers, body, root)


async def _whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise ODataError(413, UNKNOWN_NAME, "The request body is too large.")
        if not message.get("more_body", False):
            return bytes(body)


async def _send(answer: Answer, send: Send) -> None:
    body = answer.body()
    headers = {
        "OData-Version": "4.0",
        "x-ms-service-request-id": str(uuid4()),
        "REQ_ID": str(uuid4()),
        **answer.headers,
    }
    if body:
        headers["Content-Type"] = answer.content_type
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    if answer.status not in (204, 304):
        raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
