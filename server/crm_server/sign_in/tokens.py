"""Tokens: kept while they last, renewed ahead of their end by one at a time, and sent with requests."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from crm_server.sign_in.advice import token_of
from crm_tools.errors import SignInError

if TYPE_CHECKING:
    import httpx

EARLY_SECONDS = 300.0
"""How long before its end a token is renewed."""

Acquire = Callable[[bool, str | None], Mapping[str, Any]]
"""Gets a token, in a thread: whether a known one must not be given, and the claims that are asked for.

The answer has ``access_token`` and ``expires_in`` (seconds), or what Entra ID says of its refusal.
"""


class TokenProvider(Protocol):
    """Where access tokens come from."""

    async def token(self, *, force: bool = False, claims: str | None = None) -> str:
        """An access token; ``force`` gets a new one, with the claims that a challenge asks for.

        Raises:
            SignInError: None could be had.
        """
        ...


class CachedTokens:
    """Keeps the token of one identity.

    There is one renewal at a time; who comes meanwhile takes the old token while it lasts, and else what
    comes of the renewal, be it a refusal: the several requests of one call sign in once.
    """

    def __init__(self, acquire: Acquire, clock: Callable[[], float] = time.monotonic) -> None:
        self._acquire = acquire
        self._clock = clock
        self._lock = anyio.Lock()
        self._token: str | None = None
        self._expires = 0.0
        self._renewals = 0
        self._claims: str | None = None
        self._refusal: SignInError | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    async def token(self, *, force: bool = False, claims: str | None = None) -> str:
        """An access token; a known one while it lasts.

        Raises:
            SignInError: The sign-in was refused, or the authority could not be reached.
        """
        known, now = self._token, self._clock()
        if known is not None and not force:
            if now < self._expires - EARLY_SECONDS:
                return known
            if now < self._expires and self._lock.locked():
                return known
        before = self._renewals
        async with self._lock:
            if self._renewals == before or claims not in (None, self._claims):
                await self._renew(force or known is not None, claims)
            if self._refusal is not None:
                raise self._refusal.with_traceback(None)
            assert self._token is not None  # noqa: S101 - a renewal without a refusal leaves a token
            return self._token

    async def _renew(self, force: bool, claims: str | None) -> None:
        try:
            answer = await anyio.to_thread.run_sync(self._ask, force, claims)
            self._token, self._refusal = token_of(answer), None
            self._expires = self._clock() + max(0.0, float(answer.get("expires_in", 0)))
        except SignInError as error:
            self._refusal = error
        self._renewals, self._claims = self._renewals + 1, claims

    def _ask(self, force: bool, claims: str | None) -> Mapping[str, Any]:
        import requests

        try:
            return self._acquire(force, claims)
        except (requests.RequestException, ConnectionError, TimeoutError):
            raise SignInError(
                "Microsoft Entra ID cannot be reached for sign-in. Check this server's network and proxy."
            ) from None
        except ValueError:
            raise SignInError(
                "The sign-in settings are not accepted. Check DYNAMICS_TENANT_ID: a directory id or domain."
            ) from None


def bearer_auth(provider: TokenProvider) -> httpx.Auth:
    """Sends the provider's token, and after a 401 once a new one with the claims that the answer asks for."""
    import httpx

    class BearerAuth(httpx.Auth):
        async def async_auth_flow(
            self, request: httpx.Request
        ) -> AsyncGenerator[httpx.Request, httpx.Response]:
            request.headers["Authorization"] = f"Bearer {await provider.token()}"
            response = yield request
            if response.status_code == httpx.codes.UNAUTHORIZED:
                claims = claims_of(response.headers.get("WWW-Authenticate", ""))
                request.headers["Authorization"] = f"Bearer {await provider.token(force=True, claims=claims)}"
                yield request

    return BearerAuth()


def claims_of(challenge: str) -> str | None:
    """The claims that a challenge of conditional access asks for, as JSON.

    https://learn.microsoft.com/entra/identity-platform/claims-challenge
    """
    match = re.search(r'claims="([A-Za-z0-9+/=_-]{1,8192})"', challenge)
    if match is None or "insufficient_claims" not in challenge:
        return None
    text = match[1].replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
