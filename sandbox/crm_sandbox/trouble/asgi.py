"""The ASGI types and whole answers: taken from an application, made, and sent.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are in lower case, as ASGI wants them."""

    status: int
    headers: Headers
    body: bytes

    def with_body(self, body: bytes) -> Answer:
        """The same answer with another body and the Content-Length of that."""
        others = tuple(header for header in self.headers if header[0] != b"content-length")
        return Answer(self.status, (*others, (b"content-length", str(len(body)).encode())), body)


def text_answer(status: int, media_type: str, text: str, **headers: str) -> Answer:
    """An answer with a text; ``_`` in the names of further headers stands for ``-``."""
    body = text.encode()
    named = {"content-type": media_type, "content-length": str(len(body))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(
        status, tuple((name.encode(), value.encode("latin-1")) for name, value in named.items()), body
    )


def json_answer(status: int, content: Any, **headers: str) -> Answer:
    """An answer with JSON."""
    return text_answer(status, "application/json; charset=utf-8", json.dumps(content), **headers)


def error_answer(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error of the Web API.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors
    """
    text = json.dumps({"error": {"code": code, "message": message}})
    return text_answer(
        status, "application/json; odata.metadata=minimal", text, odata_version="4.0", **headers
    )


async def answer_of(app: App, scope: Scope, receive: Receive) -> Answer:
    """Run the application and keep its answer. One that ends without an answer counts as a 500."""
    status, body = 500, bytearray()
    headers: Headers = ()

    async def keep(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = tuple((bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ()))
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return Answer(status, headers, bytes(body))


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer in one piece."""
    await send_start(answer, send)
    await send({"type": "http.response.body", "body": answer.body})


async def send_start(answer: Answer, send: Send) -> None:
    """Send status and headers; the body is to follow."""
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})


def header_of(scope: Scope, name: str) -> str | None:
    """The first value of a request header, if it is there."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted), None)


def adding_headers(send: Send, headers: Callable[[], Mapping[str, str]]) -> Send:
    """A ``send`` that adds headers, asked for when the answer starts."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.encode(), value.encode("latin-1")) for name, value in headers().items()]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return send_with_headers
