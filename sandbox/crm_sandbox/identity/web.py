"""HTTP for the identity endpoints: a request read whole, and the answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from crm_sandbox.identity.errors import EntraError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SESSION_COOKIE = "SandboxSession"
_LARGEST_FORM = 64 * 1024
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Call:
    """A request: header names in lower case, the first value of each parameter of query and form."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    session: str | None
    correlation_id: str


def path_of(scope: Scope) -> str:
    """The path of a request, decoded."""
    path: str = scope["path"]
    return path


async def read_call(scope: Scope, receive: Receive) -> Call:
    """Read a request as a whole.

    Raises:
        EntraError: 9002313, it is no form, or a parameter comes twice.
        ClientDisconnect: The client went away.
    """
    request = Request(scope, receive)
    headers = dict(request.headers)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_FORM:
            raise _malformed("The request body is too large.")
    is_form = headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
    return Call(
        method=request.method,
        path=path_of(scope),
        query=_parameters(scope["query_string"]),
        form=_parameters(bytes(body)) if is_form else {},
        headers=headers,
        session=request.cookies.get(SESSION_COOKIE),
        correlation_id=correlation_id(headers.get("client-request-id")),
    )


def correlation_id(asked: str | None) -> str:
    """The id that a client sent to find the request again, or a new one."""
    try:
        return str(UUID(asked or ""))
    except ValueError:
        return str(uuid4())


def error_json(content: Mapping[str, Any], status: int, retry_after: int | None = None) -> Response:
    """An error as JSON that nobody keeps."""
    headers = {"Cache-Control": "no-store"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return JSONResponse(content, status, headers)


def private_json(content: Mapping[str, Any]) -> Response:
    """An answer with tokens or codes in it, which nobody keeps (RFC 6749, 5.1)."""
    return JSONResponse(content, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def public_json(content: Mapping[str, Any]) -> Response:
    """A document that anybody may read."""
    return JSONResponse(content, headers={"Access-Control-Allow-Origin": "*"})


def page(html: str, status: int = 200, script_hash: str | None = None) -> Response:
    """A page that loads nothing; only the script with the given hash may run."""
    script = f"script-src '{script_hash}'; " if script_hash else ""
    policy = f"default-src 'none'; {script}style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    return HTMLResponse(
        html,
        status,
        {
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        },
    )


def _parameters(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise _malformed("The request is malformed or invalid.") from None
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EntraError(
            9000411,
            "invalid_request",
            f"The request is not properly formatted. The parameter '{twice}' is duplicated.",
        )
    return parameters


def _malformed(text: str) -> EntraError:
    return EntraError(9002313, "invalid_request", f"Invalid request. {text}")


__all__ = [
    "SESSION_COOKIE",
    "Call",
    "ClientDisconnect",
    "Receive",
    "Response",
    "Scope",
    "Send",
    "correlation_id",
    "error_json",
    "page",
    "path_of",
    "private_json",
    "public_json",
    "read_call",
]
