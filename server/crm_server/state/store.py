"""The database of the state: one transaction for each unit of work, in a thread of its own.

SQLite takes one writer at a time anyway, and PostgreSQL is asked for one lock for all that counts or chains,
so a single connection in a single thread loses nothing and keeps what is written in order.

A server of PostgreSQL that is started anew, or hands over to another, ends the connection. It is replaced
before anything of a unit of work is done; what fails later is not done again.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from crm_server.log import get_logger
from crm_tools.errors import StateError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Transaction

_log = get_logger("state")
T = TypeVar("T")
Work = Callable[["Connection"], T]

IN_MEMORY = "sqlite://"
_LOCK_SECONDS = 5
_STOPPED_SECONDS = 15
"""A process that says nothing for so long in the middle of a transaction has lost it."""
_AWAY_SECONDS = 1.0
"""A server that could not be reached is not tried again for this long: units of work wait for one another."""
_CLOCKS_AGREE = timedelta(seconds=1)
"""So much two clocks may differ before it is taken for more than a network that took its time."""
_LOCK = 0x63726D  # any number that all processes of this product share
_TIME = "extract(epoch FROM clock_timestamp())::float8"
_TAKE_LOCK = f"SELECT {_TIME}, pg_advisory_xact_lock({_LOCK}), {_TIME}"

SILENCE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""How long a server may be silent before the connection counts as dead; without, a quarter of an hour.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES
"""
_PROBLEMS = (
    ("lock timeout", "is held by another process"),
    ("locked", "is locked by another process"),
    ("full", "cannot grow: the disk is full"),
    ("readonly", "cannot be written: it is read-only"),
    ("read-only", "cannot be written: it is read-only"),
    ("malformed", "is damaged"),
    ("not a database", "is damaged, or is no state of this server"),
    ("unable to open", "cannot be opened: check that its folder exists and may be written"),
    ("permission denied", "cannot be written: permission is denied"),
    ("authentication failed", "is at a server that refuses the sign-in"),
    ("no password supplied", "is at a server that refuses the sign-in"),
    ('fatal:  database "', "is to be in a database that is not there"),
    ('fatal:  role "', "is to be read by a user that is not there"),
    ("connect", "cannot be reached"),
    ("server closed", "cannot be reached"),
    ("timeout", "does not answer in time"),
)
"""What a driver's message holds, and what is told of it."""


class Store:
    """A database, opened by the first unit of work. ``url`` is one that SQLAlchemy reads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._away: tuple[float, Exception] | None = None
        self.clock = time.time
        self.behind = timedelta(0)
        """How far this machine's clock is behind that of the server, where they differ noticeably."""

    @property
    def server(self) -> str | None:
        """The address of the PostgreSQL that other replicas share; None for a file or memory."""
        return None if self._url.startswith("sqlite") else self._url

    @property
    def in_memory(self) -> bool:
        """Whether it ends with the process."""
        return self._url == IN_MEMORY

    @property
    def missing_file(self) -> str | None:
        """The path of an SQLite file that does not exist (yet)."""
        if self.in_memory or not self._url.startswith("sqlite"):
            return None
        path = Path(self._url.removeprefix("sqlite:///"))
        return None if path.exists() else str(path)

    async def run(self, work: Work[T]) -> T:
        """Do a unit of work: all of it, or nothing of it.

        Once begun it goes on to its end even if the caller is cancelled, who then does not learn of it.

        Raises:
            StateError: The database does not do it.
        """
        done = asyncio.wrap_future(self.submit(work))
        # asyncio complains of exceptions that nobody asked for, such as a caller who was cancelled.
        done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return await asyncio.shield(done)

    def submit(self, work: Work[T]) -> Future[T]:
        """The same for callers that do not wait, or wait in another way."""
        return self._thread.submit(self._transaction, work)

    def close(self) -> None:
        """Finish what was submitted and close the database."""
        with suppress(RuntimeError):
            self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=True)

    def _transaction(self, work: Work[T]) -> T:
        from sqlalchemy.exc import SQLAlchemyError

        from crm_server.state.schema import NewerStateError

        try:
            connection, transaction = self._begun()
            with transaction:
                return work(connection)
        except NewerStateError:
            raise StateError("The server's state was written by a newer version of it.") from None
        except (SQLAlchemyError, OSError) as error:
            # The next unit of work begins with a new connection.
            self._disconnect()
            raise StateError(_problem(error)) from error

    def _begun(self) -> tuple[Connection, Transaction]:
        """A transaction in which nothing has been done, on a connection that works."""
        from sqlalchemy.exc import DBAPIError

        was_open = self._connection is not None
        try:
            connection = self._connected()
            return connection, connection.begin()
        except DBAPIError as error:
            if not (was_open and error.connection_invalidated):
                raise
        self._disconnect()
        connection = self._connected()
        return connection, connection.begin()

    def _connected(self) -> Connection:
        if self._connection is None:
            if self._away is not None and time.monotonic() - self._away[0] < _AWAY_SECONDS:
                raise self._away[1].with_traceback(None)
            try:
                self._connection = self._opened().connect()
            except Exception as error:
                self._away = None if self.server is None else (time.monotonic(), error)
                raise
            self._away = None
        return self._connection

    def _opened(self) -> Engine:
        if self._engine is None:
            from crm_server.state.schema import migrate

            engine = _engine(self._url, self._lock)
            try:
                with engine.connect() as connection, connection.begin():
                    migrate(connection)
            except BaseException:
                engine.dispose()
                raise
            self._engine = engine
        return self._engine

    def _lock(self, connection: Connection) -> None:
        """One lock for all processes, until the end of the transaction, and one clock: the server's."""
        asked = self.clock()
        before, _, after = connection.exec_driver_sql(_TAKE_LOCK).one()
        # The server's clock was read after it was asked, and before it answered.
        least, most = after - self.clock(), before - asked
        seconds = least if least > 0 else min(most, 0.0)
        behind = timedelta(seconds=seconds)
        if abs(behind - self.behind) >= _CLOCKS_AGREE:
            _log.warning("clock_set", ahead_of_the_server=round(-seconds, 1))
        self.behind = behind if abs(behind) >= _CLOCKS_AGREE else timedelta(0)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not self.in_memory:
            with suppress(Exception):
                connection.close()
        if self._engine is not None and not self.in_memory:
            self._engine.dispose()
            self._engine = None


def nothing(_connection: Connection) -> None:
    """The unit of work that only opens the database."""


def _problem(error: Exception) -> str:
    text = str(error).casefold()
    what = next(
        (told for sign, told in _PROBLEMS if sign in text), "does not work; the server's log says why"
    )
    return f"The server's own state {what}. Nothing was changed in the CRM."


def _engine(url: str, lock: Callable[[Connection], None]) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import StaticPool

    if not url.startswith("sqlite"):
        if find_spec("psycopg") is None:
            raise StateError(
                "A state in PostgreSQL needs the extra: pip install 'dynamics-crm-mcp[postgresql]'. "
                "Nothing was changed in the CRM."
            )
        engine = create_engine(
            f"postgresql+psycopg://{url.partition('://')[2]}",
            connect_args={"connect_timeout": _LOCK_SECONDS, **SILENCE},
        )
        event.listen(engine, "connect", _bound)
        event.listen(engine, "begin", lock)
        return engine
    if url != IN_MEMORY:
        _make_private(Path(url.removeprefix("sqlite:///")))
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin_at_once)
    return engine


def _make_private(path: Path) -> None:
    """The folder and the file are for this user alone: they hold what records held before."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        path.touch(mode=0o600)


def _prepare(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by itself, and too late.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_LOCK_SECONDS * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    # Survives the end of the process at any point. FULL would also survive a loss of power in the last
    # moments, and makes each write three times as slow.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_at_once(connection: Connection) -> None:
    """Take the only writer's place at the beginning, so that nothing read in between is out of date."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _bound(connection: Any, _record: Any) -> None:
    """No replica waits for ever for one that has stopped, and one that has stopped holds the lock no longer.

    https://www.postgresql.org/docs/current/runtime-config-client.html
    """
    connection.execute(f"SET lock_timeout = {_LOCK_SECONDS * 1000}")
    connection.execute(f"SET idle_in_transaction_session_timeout = {_STOPPED_SECONDS * 1000}")
    connection.commit()


def sayable_id() -> str:
    """A new id that people can say and type, and that nobody guesses: 50 random bits."""
    return "".join(secrets.choice("23456789abcdefghjkmnpqrstuvwxyz") for _ in range(10))


def is_sayable(text: str) -> bool:
    """Whether it could be such an id. What else is asked for may be no text to a database: a zero byte."""
    return text.isascii() and text.isalnum()


@cache
def this_process() -> tuple[str, int]:
    """The machine and the number of this process.

    Containers may share the name of their machine, and number their processes apart.
    """
    import socket

    numbering = ""
    with suppress(OSError):
        # https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
        numbering = f" {os.readlink('/proc/self/ns/pid')}"
    return f"{socket.gethostname()[:150]}{numbering}", os.getpid()
