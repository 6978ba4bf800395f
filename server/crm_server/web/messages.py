"""What a message asks, found out before the protocol sees it, and whether it is one at all.

What stands here for the scope of a token and for a turn has to be what is done in the end. So a message is
read as strictly as any part of the protocol reads it, and what one of them would read otherwise is refused:
UTF-8 alone, no half characters, no numbers that JSON has not, no nesting without an end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_server.log import get_logger
from crm_server.web.bodies import in_one_piece

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ASKED_KEY = "crm.asked"
"""Under this name what a request asks stands in its ASGI scope."""
MOST_PARTS, MOST_MEMBERS = 300_000, 1_500_000
"""Objects and lists of a message, and their members. While it is read the process does nothing else, and the
same bytes take a hundred times as long where they are brackets."""

_PARSE_ERROR, _INVALID_REQUEST = -32700, -32600
"""JSON-RPC 2.0, section 5.1."""
_log = get_logger("http")


@dataclass(frozen=True, slots=True)
class Asked:
    """The method of a message, and the name that it is about; empty where it has none."""

    method: str = ""
    name: str = ""

    @property
    def is_call(self) -> bool:
        """Whether it calls a tool, or reads a resource, which is a call as well."""
        return self.method in ("tools/call", "resources/read", "completion/complete", "prompts/get")


def is_stream(scope: Scope) -> bool:
    """Whether a request only waits for news, until it is ended."""
    asked: Asked = scope.get(ASKED_KEY, Asked())
    return scope["method"] == "GET" or asked.method == "subscriptions/listen"


class NoMessageError(Exception):
    """The body is no message of the protocol."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Messages:
    """Lets requests through whose body is a message, with what it asks. Bodies come in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope[ASKED_KEY] = Asked()
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = (await receive())["body"]
        try:
            _check_kind(scope)
            scope[ASKED_KEY] = asked(body)
        except NoMessageError as error:
            _log.warning("message_refused", reason=str(error))
            await _refuse(send, error)
            return
        rest = in_one_piece(body, receive)
        del body  # What it says is held by whoever reads it.
        await self._app(scope, rest, send)


def _check_kind(scope: Scope) -> None:
    """Refuse what does not say that it is JSON, as forms of other sites cannot.

    Raises:
        NoMessageError: It does not.
    """
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    if [kind.partition(b";")[0].strip().lower() for kind in kinds] != [b"application/json"]:
        raise NoMessageError(415, _INVALID_REQUEST, "A message is sent as application/json")


def asked(body: bytes) -> Asked:
    """What a message asks.

    Raises:
        NoMessageError: It is none.
    """
    from pydantic_core import from_json  # With the parser of the protocol's own models.

    if body.count(b"{") + body.count(b"[") > MOST_PARTS or body.count(b":") > MOST_MEMBERS:
        raise NoMessageError(413, _INVALID_REQUEST, "The message has too many parts")
    try:
        message: Any = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise NoMessageError(400, _PARSE_ERROR, "Parse error") from None
    if not isinstance(message, dict):
        raise NoMessageError(400, _INVALID_REQUEST, "A body is one message, and no batch of them")
    params = message.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    method = message.get("method")
    return Asked(method if isinstance(method, str) else "", name if isinstance(name, str) else "")


async def _refuse(send: Send, error: NoMessageError) -> None:
    answer = {"jsonrpc": "2.0", "id": None, "error": {"code": error.code, "message": str(error)}}
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
