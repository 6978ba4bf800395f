"""Seals what travels with a question to a human, so that any replica takes the answer."""

from __future__ import annotations

import secrets

from mcp.server.request_state import AESGCMRequestStateCodec

from crm_server.log import get_logger
from crm_server.state import State
from crm_tools.errors import StateError

log = get_logger("protocol")
_PURPOSE = "request state"


class StateKeysCodec:
    """The SDK's sealing, with the state's keys as they are now: a rotated key takes effect without a restart.

    See :class:`mcp.server.request_state.RequestStateCodec`.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._own = (secrets.token_bytes(32),)
        self._keys: tuple[bytes, ...] = ()
        self._codec = AESGCMRequestStateCodec(self._own)

    def seal(self, payload: bytes) -> str:
        """An opaque token for the payload, made with the newest key."""
        return self._present().seal(payload)

    def unseal(self, token: str) -> bytes:
        """The payload, whichever of the keys it was sealed with.

        Raises:
            InvalidRequestState: No key of ours sealed it, or it was changed.
        """
        return self._present().unseal(token)

    def _present(self) -> AESGCMRequestStateCodec:
        try:
            keys = self._state.keys_for(_PURPOSE)
        except StateError as error:
            log.error("questions_end_with_the_process", problem=error.message)
            keys = self._own
        if keys != self._keys:
            self._keys, self._codec = keys, AESGCMRequestStateCodec(keys)
        return self._codec
