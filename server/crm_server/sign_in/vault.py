"""Tokens that were got on behalf of callers, sealed: only on their way to Dataverse are they in the clear.

Each process keeps those of its own callers at hand, and leaves them in the state for the other replicas: a
caller who comes to another one, or comes back after a restart, needs no exchange. Without the state, or
without its key, tokens are exchanged anew.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from crm_server.log import get_logger
from crm_server.sign_in.tokens import Token
from crm_tools.errors import StateError

if TYPE_CHECKING:
    from crm_server.settings import Settings
    from crm_server.state.state import State

PURPOSE = "tokens of callers"
_NONCE_BYTES = 12
"""What AES-GCM takes best, and never twice under one key (NIST SP 800-38D, section 8.2.2)."""
_log = get_logger("sign_in")


class Vault:
    """The tokens for one environment, got by one application. ``clock`` tells seconds since 1970."""

    def __init__(self, state: State, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock
        self._meant_for = f"{settings.url}\n{settings.tenant_id}\n{settings.client_id}"

    def of(self, key: str) -> Sealed:
        """The place of one caller's token."""
        place = hashlib.sha256(f"{self._meant_for}\n{key}".encode()).hexdigest()
        return Sealed(self._state, place, self._clock)


class Sealed:
    """The token of one caller. ``place`` is part of the seal, so that none can be put in another's place."""

    def __init__(self, state: State, place: str, clock: Callable[[], float]) -> None:
        self._state = state
        self._place = place
        self._clock = clock
        self._here: str | None = None

    def known(self) -> Token | None:
        """The token that is here."""
        return None if self._here is None else self._opened(self._here)

    async def found(self) -> Token | None:
        """The token that a replica has left in the state; it is then here too."""
        from crm_server.state import tokens

        try:
            sealed: str | None = await self._state.run(
                lambda connection, _keys: tokens.find(connection, self._place)
            )
        except StateError as error:
            _log.warning("token_not_looked_for", problem=error.message)
            return None
        if sealed is None or (token := self._opened(sealed)) is None:
            return None
        self._here = sealed
        return token

    async def keep(self, token: Token) -> None:
        """Keep a token here and in the state, which forgets those that have ended."""
        from crm_server.state import tokens

        self._here = None
        try:
            sealed = self._here = self._closed(token)
            await self._state.run(
                lambda connection, _keys: tokens.keep(
                    connection, self._place, sealed, token.expires, self._clock()
                )
            )
        except StateError as error:
            _log.warning("token_not_kept", problem=error.message)

    async def forget(self) -> None:
        """Keep the token no longer, here and in the state."""
        from crm_server.state import tokens

        self._here = None
        try:
            await self._state.run(lambda connection, _keys: tokens.forget(connection, self._place))
        except StateError as error:
            _log.warning("token_not_forgotten", problem=error.message)

    def _closed(self, token: Token) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE_BYTES)
        facts = json.dumps({"text": token.text, "expires": token.expires}).encode()
        sealed = AESGCM(self._state.key_for(PURPOSE)).encrypt(nonce, facts, self._place.encode())
        return base64.b64encode(nonce + sealed).decode()

    def _opened(self, sealed: str) -> Token | None:
        """The token, if it was sealed by a key of ours for this place."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        with suppress(StateError, binascii.Error, ValueError):
            whole = base64.b64decode(sealed, validate=True)
            nonce, rest = whole[:_NONCE_BYTES], whole[_NONCE_BYTES:]
            for key in self._state.keys_for(PURPOSE):
                with suppress(InvalidTag):
                    return Token(**json.loads(AESGCM(key).decrypt(nonce, rest, self._place.encode())))
        return None
