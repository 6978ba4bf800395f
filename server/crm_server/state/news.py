"""What one replica tells the others: PostgreSQL's NOTIFY, heard on a connection that only listens.

Nothing depends on it that would be wrong without: who misses news learns the same later, or by a restart.
https://www.postgresql.org/docs/current/sql-notify.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from crm_server.log import get_logger
from crm_server.state.store import SILENCE
from crm_server.state.topics import ANYTHING, POLICY

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = get_logger("state")
_CHANNEL = "dynamics_crm_mcp"
_CONNECT_SECONDS, _AGAIN_SECONDS = 5, 2.0

Heard = Callable[[str], Awaitable[None]]


def tell(connection: Connection, teller: str, what: str) -> None:
    """Tell all replicas, when the transaction is done."""
    connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (_CHANNEL, f"{teller} {what}"))


async def hear(server: str, own: str, heard: Heard) -> None:
    """Call ``heard`` with what others tell, until cancelled. A server that is away is waited for.

    What may have been told before it could be heard is told first.
    """
    import psycopg

    was_away = False
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(
                server, autocommit=True, connect_timeout=_CONNECT_SECONDS, **SILENCE
            )
            async with connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                if was_away:
                    _log.info("news_heard_again")
                # Something may have been told before; a policy is read by nothing but news of it.
                await heard(ANYTHING if was_away else POLICY)
                was_away = False
                async for notify in connection.notifies():
                    teller, _, what = notify.payload.partition(" ")
                    if teller != own:
                        await heard(what)
        except (psycopg.Error, OSError) as error:
            if not was_away:
                _log.warning("news_not_heard", reason=type(error).__name__)
        was_away = True
        await asyncio.sleep(_AGAIN_SECONDS)
