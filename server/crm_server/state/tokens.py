"""Sealed tokens that replicas leave for one another; only :mod:`crm_server.sign_in.vault` opens them."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from crm_server.state.schema import TOKENS


def find(connection: Connection, place: str) -> str | None:
    """What was left at a place."""
    found: str | None = connection.execute(select(TOKENS.c.sealed).where(TOKENS.c.place == place)).scalar()
    return found


def forget(connection: Connection, place: str) -> None:
    """Take away what was left at a place."""
    connection.execute(delete(TOKENS).where(TOKENS.c.place == place))


def keep(connection: Connection, place: str, sealed: str, expires: float, now: float) -> None:
    """Leave something at a place instead of what was there, and forget what has ended anywhere.

    ``expires`` and ``now`` are in seconds since 1970.
    """
    connection.execute(delete(TOKENS).where((TOKENS.c.place == place) | (TOKENS.c.expires <= now)))
    connection.execute(insert(TOKENS).values(place=place, sealed=sealed, expires=expires))
