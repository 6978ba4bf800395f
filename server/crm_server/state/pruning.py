"""What is forgotten, and when: once an hour, with what is noted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_server.state.keys import Keys

_EVERY = timedelta(hours=1)
REMEMBERED = timedelta(hours=24)
"""How long a text that was read may still be in a conversation."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept; None for ever."""

    audit: timedelta | None = None
    changes: timedelta | None = timedelta(days=90)


class Pruning:
    """Takes out what nobody needs any more."""

    def __init__(self, keys: Keys, retention: Retention) -> None:
        self._keys = keys
        self._retention = retention
        self._pruned: datetime | None = None

    def begins(self, now: datetime) -> bool:
        """Whether it is time again; who asks goes on to :meth:`prune`."""
        if self._pruned is not None and now - self._pruned < _EVERY:
            return False
        self._pruned = now
        return True

    def prune(self, connection: Connection, now: datetime) -> None:
        """Take it out; of the audit a page at a time."""
        from crm_server.state import audit, journal, ledger, plans, readers

        ledger.forget(connection, now)
        readers.forget(connection, now - REMEMBERED)
        if self._retention.changes is not None:
            journal.prune(connection, now - self._retention.changes)
            plans.prune(connection, now - self._retention.changes)
        if self._retention.audit is None:
            return
        if audit.prune(connection, self._keys, now - self._retention.audit, now) == audit.PAGE:
            # There is more, and others want to write.
            self._pruned = None
