"""Who was shown text that strangers may have written: for policies that ask a human after that."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from crm_server.state.schema import READERS


def note(connection: Connection, caller: str, now: datetime) -> None:
    """Note that a caller is about to be shown such text."""
    at = now.timestamp()
    if not connection.execute(update(READERS).where(READERS.c.caller == caller).values(at=at)).rowcount:
        connection.execute(insert(READERS).values(caller=caller, at=at))


def has_read(connection: Connection, caller: str, since: datetime) -> bool:
    """Whether a caller was shown such text since a moment."""
    at = connection.execute(select(READERS.c.at).where(READERS.c.caller == caller)).scalar()
    return at is not None and at > since.timestamp()


def forget(connection: Connection, until: datetime) -> None:
    """Take out who was not shown such text since a moment."""
    connection.execute(delete(READERS).where(READERS.c.at <= until.timestamp()))
