"""The signing keys of an issuer: fetched once, again when they change, and good for a while without it.

OpenID Connect Discovery 1.0, and RFC 7517 (JSON Web Key).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from crm_server.authorization.rules import Issuer
from crm_server.log import get_logger

if TYPE_CHECKING:
    import jwt

FRESH_SECONDS = 60 * 60.0
"""So long keys are used unasked. https://learn.microsoft.com/entra/identity-platform/signing-key-rollover"""
KEPT_SECONDS = 24 * 60 * 60.0
"""So long keys serve while the issuer cannot be reached."""
AGAIN_SECONDS = 30.0
"""An unknown key makes nobody ask more often than this."""
LARGEST_ANSWER = 1024 * 1024

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what is at an address. Raises OSError where that fails."""

_log = get_logger("callers")


class KeysUnavailableError(Exception):
    """No key of the issuer is known, and the issuer cannot be asked."""


class SigningKeys:
    """The keys of one issuer, by key id."""

    def __init__(self, issuer: Issuer, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._asked: float | None = None
        self._turn = anyio.Lock()

    @property
    def usable(self) -> bool:
        """Whether keys are known and not too old."""
        return self._fetched is not None and self._clock() - self._fetched < KEPT_SECONDS

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of this id; None where the issuer has none.

        Raises:
            KeysUnavailableError: The issuer cannot be asked, and nothing is known of it.
        """
        if self._is_due(key_id):
            await self._refresh(key_id)
        if not self.usable:
            raise KeysUnavailableError
        return self._keys.get(key_id)

    async def warm(self) -> None:
        """Fetch the keys, if that has not been done; a failure shows when they are needed."""
        if self._fetched is None:
            await self._refresh("")

    def _is_due(self, key_id: str) -> bool:
        now = self._clock()
        if self._asked is not None and now - self._asked < AGAIN_SECONDS:
            return False
        old = self._fetched is None or now - self._fetched >= FRESH_SECONDS
        return old or key_id not in self._keys

    async def _refresh(self, key_id: str) -> None:
        async with self._turn:
            if not self._is_due(key_id):
                return
            self._asked = self._clock()
            try:
                self._keys = await self._read()
                self._fetched = self._clock()
            except (OSError, ValueError, KeyError, TypeError) as error:
                _log.error("signing_keys_not_read", issuer=self._issuer.address, reason=type(error).__name__)

    async def _read(self) -> dict[str, jwt.PyJWK]:
        import jwt

        description = json.loads(await self._fetch(self._issuer.discovery))
        address = description["jwks_uri"]
        if not isinstance(address, str) or not address.startswith(
            ("https://", "http://127.0.0.1", "http://[::1]")
        ):
            raise ValueError("the keys are not at an https address")
        found: dict[str, jwt.PyJWK] = {}
        for item in json.loads(await self._fetch(address))["keys"]:
            # Keys of other kinds and uses may stand among them.
            with suppress(jwt.PyJWTError):
                if _signs(item):
                    found[str(item["kid"])] = jwt.PyJWK(item)
        if not found:
            raise ValueError("the issuer has no key that signs")
        return found


def _signs(item: Mapping[str, Any]) -> bool:
    return (
        item.get("use", "sig") == "sig"
        and item.get("kty") in ("RSA", "EC")
        and isinstance(item.get("kid"), str)
    )


async def fetch_over_http(address: str) -> bytes:
    """What is at an address, without following it elsewhere.

    Raises:
        OSError: It cannot be had.
    """
    import httpx

    try:
        async with httpx.AsyncClient(timeout=10.0, follow_redirects=False) as http:
            answer = await http.get(address, headers={"Accept": "application/json"})
            answer.raise_for_status()
    except httpx.HTTPError as error:
        raise OSError(type(error).__name__) from error
    if len(answer.content) > LARGEST_ANSWER:
        raise OSError("the answer is too large")
    return answer.content
