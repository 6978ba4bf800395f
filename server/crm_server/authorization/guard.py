"""Each request is a caller's, or refused: 401 without a good token, 403 where it is not good for enough."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from crm_server.authorization.claims import TokenRefusedError
from crm_server.authorization.resource import Resource, refuse
from crm_server.authorization.rules import READ, WRITE
from crm_server.authorization.tokens import NotReadyError, Tokens
from crm_server.log import get_logger
from crm_server.sign_in.callers import SCOPE_KEY, Caller

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_log = get_logger("callers")
_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]+) *", re.IGNORECASE)
_RETRY_SECONDS = "10"

Needs = Callable[["Scope"], str]
"""The scope of a token that a request needs."""


class Authenticated:
    """Lets requests through with their caller; without a good token they are refused."""

    def __init__(self, app: ASGIApp, tokens: Tokens, resource: Resource) -> None:
        self._app = app
        self._tokens = tokens
        self._resource = resource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            caller = await self._caller(scope)
        except TokenRefusedError as error:
            _log.warning("token_refused", reason=str(error), path=scope["path"])
            await self._unauthorized(send, "invalid_token", "The access token is not valid here.")
            return
        except NotReadyError:
            _log.error("tokens_not_checked", path=scope["path"])
            await refuse(
                send,
                503,
                "temporarily_unavailable",
                "Access tokens cannot be checked at the moment. Try again.",
                [("retry-after", _RETRY_SECONDS)],
            )
            return
        if caller is None:
            await self._unauthorized(send, None, "An access token is needed.")
            return
        scope[SCOPE_KEY] = caller
        # The SDK binds sessions to this user, so that nobody takes over another caller's.
        scope["user"] = AuthenticatedUser(_access_token(caller))
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller | None:
        headers = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        if not headers:
            return None
        match = _BEARER.fullmatch(headers[0])
        if len(headers) > 1 or match is None:
            raise TokenRefusedError("no bearer token")
        return await self._tokens.caller_of(match[1])

    async def _unauthorized(self, send: Send, error: str | None, message: str) -> None:
        challenge = self._resource.challenge((READ, WRITE), error, message)
        await refuse(send, 401, error or "unauthorized", message, [("www-authenticate", challenge)])


def _access_token(caller: Caller) -> AccessToken:
    claims: dict[str, Any] = {"iss": caller.issuer}
    return AccessToken(
        token="",
        client_id=caller.client,
        scopes=sorted(caller.scopes),
        # Not the name: an administrator may have chosen one that two people share.
        subject=caller.subject or caller.name,
        claims=claims,
    )


class Scoped:
    """Lets requests through whose token is good for them; others are told which scopes to ask for."""

    def __init__(self, app: ASGIApp, needs: Needs, resource: Resource) -> None:
        self._app = app
        self._needs = needs
        self._resource = resource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        needed, caller = self._needs(scope), scope[SCOPE_KEY]
        if needed in caller.scopes:
            await self._app(scope, receive, send)
            return
        _log.warning("scope_missing", needed=needed, caller=caller.name)
        message = f"The access token is not good for this: it needs {needed}."
        # What the token has stays asked for, or the next one would be good for less.
        challenge = self._resource.challenge(sorted(caller.scopes | {needed}), "insufficient_scope", message)
        await refuse(send, 403, "insufficient_scope", message, [("www-authenticate", challenge)])
