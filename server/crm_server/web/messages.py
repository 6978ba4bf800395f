"""The bodies of requests: read whole, within size and time, and looked at for what they ask.

MCP's messages are small JSON objects. Reading one before anything else is done keeps a slow or endless sender
from holding what others need.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from crm_server.authorization.resource import refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASKED_KEY = "crm.asked"
"""Under this name what a request asks stands in its ASGI scope."""
BODY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Asked:
    """The method of a message, and the name that it is about; empty where it has none."""

    method: str = ""
    name: str = ""

    @property
    def is_call(self) -> bool:
        """Whether it calls a tool, or reads a resource, which is a call as well."""
        return self.method in ("tools/call", "resources/read", "completion/complete", "prompts/get")


class WholeMessages:
    """Reads the body of each POST, and lets the request through with it."""

    def __init__(self, app: ASGIApp, largest: int, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._largest = largest
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] != "POST":
            scope[ASKED_KEY] = Asked()
            await self._app(scope, receive, send)
            return
        body: bytes | None = None
        with anyio.move_on_after(self._seconds) as limit:
            body = await _body(receive, self._largest)
        if limit.cancelled_caught:
            await refuse(send, 408, "request_timeout", "The request did not arrive in time.")
        elif body is None:
            await refuse(send, 413, "too_large", f"A message has at most {self._largest:,} bytes.")
        else:
            scope[ASKED_KEY] = asked(body)
            await self._app(scope, _replayed(body, receive), send)


async def _body(receive: Receive, largest: int) -> bytes | None:
    """The body; None where it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > largest:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def asked(body: bytes) -> Asked:
    """What a message asks. What is no message is left to the protocol to refuse."""
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError):
        return Asked()
    if not isinstance(message, dict):
        return Asked()
    params = message.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    method = message.get("method")
    return Asked(method if isinstance(method, str) else "", name if isinstance(name, str) else "")
