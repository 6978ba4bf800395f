"""Sessions of the page that were ended before their time: sealed in a browser, they would go on elsewhere."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from crm_server.state.schema import ENDED_VISITS


def end(connection: Connection, visit: str, until: float, now: float) -> None:
    """Note that a session has ended which would have lasted ``until`` then (both in seconds since 1970)."""
    gone = (ENDED_VISITS.c.id == visit) | (ENDED_VISITS.c.until <= now)
    connection.execute(delete(ENDED_VISITS).where(gone))
    connection.execute(insert(ENDED_VISITS).values(id=visit, until=until))


def is_ended(connection: Connection, visit: str) -> bool:
    """Whether somebody has ended a session."""
    return connection.execute(select(ENDED_VISITS.c.id).where(ENDED_VISITS.c.id == visit)).first() is not None
