"""What is noted without being waited for, and what the state would not take: kept until it takes it.

It is carried out in order, as much as there is in one transaction. While the database is away it waits in
this process, and goes in when the database is back; a process that ends before loses it. Where a connection
breaks while a transaction is being ended nobody knows whether it was, and it is carried out again.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from crm_server.log import get_logger
from crm_server.state.store import Store
from crm_tools.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from sqlalchemy import Connection

    Note = Callable[[Connection], object]

_log = get_logger("state")
MOST = 10_000
"""So much is kept while it cannot be carried out; what comes after that is lost, and the log says so."""
TOGETHER = 200
"""Other processes wait for their turn meanwhile."""
AGAIN_SECONDS = 2.0
"""What the state has not taken is tried again after so long."""


class Noting:
    """The notes of one process, carried out by the thread of its store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left: deque[Note] = deque()
        self._taken: list[Note] = []
        self._under_way = False
        self._together = TOGETHER
        self._is_full = False
        self._fails = self._is_ending = False
        self._again: threading.Timer | None = None

    def add(self, note: Note) -> None:
        """Carry a note out soon, or when the state takes it."""
        if len(self._left) < MOST:
            self._left.append(note)
            self._is_full = False
        elif not self._is_full:
            self._is_full = True
            _log.error("notes_lost", kept=MOST)
        if not self._fails:
            self.resume()

    def resume(self) -> None:
        """Try what is left; what fails is left for the next time."""
        if self._left and not self._under_way:
            self._under_way = True
            with suppress(RuntimeError):  # The store is closed.
                self._store.submit(self._carry_out).add_done_callback(self._ended)

    def finish(self) -> None:
        """Try all that is left for the last time."""
        self._is_ending = True
        if self._again is not None:
            self._again.cancel()
        self._together = MOST
        self.resume()

    def _carry_out(self, connection: Connection) -> None:
        while self._left and len(self._taken) < self._together:
            note = self._left.popleft()
            self._taken.append(note)
            note(connection)

    def _ended(self, done: Future[None]) -> None:
        """In the thread of the store, before its next unit of work."""
        taken, self._taken = self._taken, []
        self._under_way = False
        error = done.exception()
        if error is None:
            self._together = max(self._together, TOGETHER)
            self._fails = False
        elif taken and _is_unfit(error):
            # It would keep the others out for ever, so it is found by itself, and left out.
            _log.error("not_noted", reason=type(error).__name__, problem=str(error), among=len(taken))
            self._left.extendleft(reversed(taken) if len(taken) > 1 else ())
            self._together = 1
        else:
            self._left.extendleft(reversed(taken))
            self._later(error)
            return
        self.resume()

    def _later(self, error: BaseException) -> None:
        """Try again after a while. The log says once why not now."""
        if not self._fails or self._is_ending:
            self._fails = True
            what = "notes_lost" if self._is_ending else "noted_later"
            reason = type(error.__cause__ or error).__name__
            _log.error(what, reason=reason, problem=str(error), notes=len(self._left))
        if self._is_ending or (self._again is not None and self._again.is_alive()):
            return
        self._again = threading.Timer(AGAIN_SECONDS, self.resume)
        self._again.daemon = True
        self._again.start()


def _is_unfit(error: BaseException) -> bool:
    """Whether it is the fault of a note, which no state would take."""
    from sqlalchemy.exc import DataError

    return not isinstance(error, StateError) or isinstance(error.__cause__, DataError)
