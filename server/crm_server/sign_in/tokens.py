"""Tokens: kept while they last, renewed ahead of their end by one at a time, and sent with requests."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. ``expires`` is in seconds since 1970."""

    text: str = field(repr=False)
    expires: float


class Keeping(Protocol):
    """Where the token of one identity is kept."""

    def known(self) -> Token | None:
        """The token that is here."""
        ...

    async def found(self) -> Token | None:
        """The token that somebody else has left, which then is here too. It may have ended."""
        ...

    async def keep(self, token: Token) -> None:
        """Keep a new token in place of the one before."""
        ...


class Held:
    """A token that this process keeps to itself."""

    def __init__(self) -> None:
        self._token: Token | None = None

    def known(self) -> Token | None:
        """The token that was kept last."""
        return self._token

    async def found(self) -> Token | None:
        """Nobody else leaves any here."""
        return None

    async def keep(self, token: Token) -> None:
        """Keep a token."""
        self._token = token


class CachedTokens:
    """Keeps the token of one identity. ``clock`` tells seconds since 1970.

    There is one renewal at a time; who comes meanwhile takes the old token while it lasts, and else what
    comes of the renewal, be it a refusal: the several requests of one call sign in once.
    """

    def __init__(
        self, acquire: Acquire, clock: Callable[[], float] = time.time, kept: Keeping | None = None
    ) -> None:
        self._acquire = acquire
        self._clock = clock
        self._kept = kept or Held()
        self._lock = anyio.Lock()
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
        known = self._kept.known()
        if known is not None and not force and (self._is_fresh(known) or self._lasts_meanwhile(known)):
            return known.text
        before = self._renewals
        async with self._lock:
            if self._renewals != before and claims in (None, self._claims):
                if self._refusal is not None:
                    raise self._refusal.with_traceback(None)
                if (renewed := self._kept.known()) is not None:
                    return renewed.text
            if not force and (found := await self._kept.found()) is not None and self._is_fresh(found):
                self._ended(None, claims)
                return found.text
            return await self._renewed(force or known is not None, claims)

    def _is_fresh(self, token: Token) -> bool:
        return self._clock() < token.expires - EARLY_SECONDS

    def _lasts_meanwhile(self, token: Token) -> bool:
        return self._lock.locked() and self._clock() < token.expires

    async def _renewed(self, force: bool, claims: str | None) -> str:
        try:
            answer = await anyio.to_thread.run_sync(self._ask, force, claims)
            text = token_of(answer)
        except SignInError as error:
            self._ended(error, claims)
            raise
        await self._kept.keep(Token(text, self._clock() + max(0.0, float(answer.get("expires_in", 0)))))
        self._ended(None, claims)
        return text

    def _ended(self, refusal: SignInError | None, claims: str | None) -> None:
        self._refusal, self._renewals, self._claims = refusal, self._renewals + 1, claims

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
