"""The signing keys of an issuer: fetched once, again when they change, and good for a while without it.

OpenID Connect Discovery 1.0, RFC 7517 (JSON Web Key), and RFC 7518 for the sizes of keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crm_server.authorization.documents import Fetch, document, safe_address
from crm_server.authorization.rules import Issuer
from crm_server.log import get_logger

FRESH_SECONDS = 60 * 60.0
"""So long keys are used unasked. https://learn.microsoft.com/entra/identity-platform/signing-key-rollover"""
KEPT_SECONDS = 24 * 60 * 60.0
"""So long keys serve while the issuer cannot be reached."""
AGAIN_SECONDS = 30.0
"""An unknown key makes nobody ask more often than this."""
MOST_KEYS = 500
SMALLEST_RSA_BITS = 2048
"""RFC 7518, section 3.3."""
ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
}
"""By kind of key. Nothing that takes a shared secret: a public key would be one (RFC 8725, section 2.1)."""

_KIND_OF = {algorithm: kind for kind, algorithms in ALGORITHMS.items() for algorithm in algorithms}
_log = get_logger("callers")


class KeysUnavailableError(Exception):
    """No key of the issuer is known, and the issuer cannot be asked."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, as the library for signatures takes it, and the algorithms that it may be used with."""

    public: Any
    algorithms: tuple[str, ...]


_Found = dict[tuple[str, str], SigningKey]
"""By id and kind: keys of two kinds may share an id (RFC 7517, section 4.5)."""


class SigningKeys:
    """The keys of one issuer. ``clock`` tells seconds.

    They are fetched by a task of its own, so that who asked first and went away takes them from nobody.
    """

    def __init__(self, issuer: Issuer, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[tuple[str, str], SigningKey] = {}
        self._fetched: float | None = None
        self._asked: float | None = None
        self._under_way: asyncio.Task[None] | None = None

    @property
    def usable(self) -> bool:
        """Whether keys are known and not too old."""
        return self._fetched is not None and self._clock() - self._fetched < KEPT_SECONDS

    async def key(self, key_id: str, algorithm: str) -> SigningKey | None:
        """The key of this id for signatures by an algorithm of :data:`ALGORITHMS`; None if there is none.

        Raises:
            KeysUnavailableError: The issuer cannot be asked, and nothing is known of it.
        """
        known = self._known(key_id, algorithm)
        if self._is_due(known):
            self._begin()
        if known is None and self._under_way is not None:
            # It may be among those that are being fetched, for whomever.
            await asyncio.shield(self._under_way)
            known = self._known(key_id, algorithm)
        if not self.usable:
            raise KeysUnavailableError
        return known

    async def warm(self) -> None:
        """Fetch the keys, unless they are known well enough; a failure shows when they are needed."""
        if not self.usable and self._is_due(None):
            self._begin()
        if self._under_way is not None:
            await asyncio.shield(self._under_way)

    def _known(self, key_id: str, algorithm: str) -> SigningKey | None:
        return self._keys.get((key_id, _KIND_OF[algorithm])) if self.usable else None

    def _is_due(self, known: SigningKey | None) -> bool:
        now = self._clock()
        if self._asked is not None and now - self._asked < AGAIN_SECONDS:
            return False
        return known is None or self._fetched is None or now - self._fetched >= FRESH_SECONDS

    def _begin(self) -> None:
        if self._under_way is None:
            self._asked = self._clock()
            self._under_way = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        try:
            self._keys = await self._read()
            self._fetched = self._clock()
        except (OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            _log.error("signing_keys_not_read", issuer=self._issuer.address, reason=reason)
        finally:
            self._under_way = None

    async def _read(self) -> _Found:
        """The keys that the issuer has now.

        Raises:
            OSError: The issuer does not answer.
            ValueError: What it answers is no description of it, or has no key that signs.
        """
        description = document(await self._fetch(self._issuer.discovery))
        if not self._issuer.is_called(description.get("issuer")):
            raise ValueError("the description is another issuer's")
        address = safe_address(description.get("jwks_uri"))
        found = _signing(document(await self._fetch(address)).get("keys"))
        if not found:
            raise ValueError("the issuer has no key that signs")
        return found


def _signing(items: Any) -> _Found:
    if not isinstance(items, list) or len(items) > MOST_KEYS:
        raise ValueError("no list of keys, or one without an end")
    found: _Found = {}
    # Keys of other kinds and uses may stand among them. Of two that cannot be told apart the first counts.
    for item in items:
        if isinstance(item, dict) and _signs(item) and (key := _key(item)) is not None:
            found.setdefault((item["kid"], item["kty"]), key)
    return found


def _signs(item: Mapping[str, Any]) -> bool:
    operations = item.get("key_ops", ["verify"])
    return (
        item.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and item.get("kty") in ("RSA", "EC")
        and isinstance(item.get("kid"), str)
        and "d" not in item  # Its private part: whoever reads it could sign.
    )


def _key(item: Mapping[str, Any]) -> SigningKey | None:
    import jwt

    try:
        key = jwt.PyJWK(dict(item))
    except (jwt.PyJWTError, TypeError, ValueError, OverflowError):
        return None
    kind = item["kty"]
    # A key on a curve has one algorithm; that of an RSA key is any, unless the issuer says which.
    named = kind == "EC" or item.get("alg") is not None
    algorithms = _taken((key.algorithm_name,), kind) if named else ALGORITHMS[kind]
    if not algorithms or (kind == "RSA" and key.key.key_size < SMALLEST_RSA_BITS):
        return None
    return SigningKey(key.key, algorithms)


def _taken(algorithms: Iterable[str], kind: str) -> tuple[str, ...]:
    return tuple(one for one in algorithms if one in ALGORITHMS[kind])
