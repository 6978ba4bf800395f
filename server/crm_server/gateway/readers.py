"""Who was shown text that strangers may have written: after that some policies ask a human about changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_server.log import get_logger
from crm_server.state import REMEMBERED, State
from crm_tools.errors import StateError

_log = get_logger("readers")
NOTED_AGAIN = timedelta(hours=1)
"""A caller who reads on is noted anew once in a while, not for each read."""


@dataclass(frozen=True, slots=True)
class _Reading:
    at: datetime
    is_kept: bool


class Readers:
    """Remembers here, and where a policy asks for it in the state: another replica may get the next call."""

    def __init__(self, state: State, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now
        self._known: dict[str, _Reading] = {}

    async def note(self, caller: str, *, is_asked_for: bool) -> None:
        """Note that a caller is about to be shown such text."""
        now, known = self._now(), self._known.get(caller)
        is_fresh = known is not None and now - known.at < NOTED_AGAIN
        if is_fresh and ((known is not None and known.is_kept) or not is_asked_for):
            return
        is_kept = False
        if is_asked_for:
            try:
                await self._state.note_reader(caller)
                is_kept = True
            except StateError as error:
                # Reading goes on. It is noted when the state is back, and nobody writes before.
                _log.error("reader_not_noted_yet", problem=error.message)
        self._known[caller] = _Reading(now, is_kept)

    async def include(self, caller: str) -> bool:
        """Whether a caller was shown such text, on any replica, and may still have it in mind.

        Raises:
            StateError: Nobody can tell.
        """
        known = self._known.get(caller)
        if known is not None and self._now() - known.at < REMEMBERED:
            return True
        return await self._state.has_read(caller)
