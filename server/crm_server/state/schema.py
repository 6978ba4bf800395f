"""The tables of the state, and the steps that lead from each version of them to the next."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
)

METADATA = MetaData()

FACTS = Table("facts", METADATA, Column("name", String(64), primary_key=True), Column("value", Text))
"""Single facts: the version of the tables, and keys that all processes share."""

USES = Table(
    "uses",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("caller", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("record", String(200)),
    Index("uses_by_kind", "kind", "at"),
)
"""What was taken from budgets. ``at`` is in seconds since 1970, as everywhere here."""

PLANS = Table(
    "plans",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("caller", String(200), nullable=False),
    Column("tool", String(100), nullable=False),
    Column("table_name", String(128), nullable=False),
    Column("record", String(64)),
    Column("question", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("rules", Text, nullable=False),
    Column("etag", String(128)),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("status", String(16), nullable=False),
    Column("decided_by", String(200)),
    Column("decided", Float),
    Column("reason", Text),
    Column("used", Float),
    Index("plans_by_fingerprint", "caller", "fingerprint"),
    Index("plans_by_status", "status", "created"),
)

CHANGES = Table(
    "changes",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", String(16), nullable=False),
    Column("at", Float, nullable=False),
    Column("caller", String(200), nullable=False),
    Column("tool", String(100), nullable=False),
    Column("action", String(16), nullable=False),
    Column("table_name", String(128), nullable=False),
    Column("record", String(64), nullable=False),
    Column("name", Text),
    Column("before", Text, nullable=False),
    Column("written", Text, nullable=False),
    Column("etag_before", String(128)),
    Column("etag_after", String(128)),
    Column("state", String(16), nullable=False),
    Column("error", String(64)),
    Column("plan", String(16)),
    Column("undo_of", String(16)),
    Column("undone_by", String(16)),
    Column("correlation_id", String(64)),
    Column("crm_request_id", String(64)),
    Column("ended", Float),
    Column("host", String(200), nullable=False),
    Column("process", Integer, nullable=False),
    UniqueConstraint("id", name="changes_by_id"),
    Index("changes_by_state", "state", "caller"),
    Index("changes_by_record", "record", "number"),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("caller", String(200), nullable=False),
    Column("tool", String(100), nullable=False),
    Column("table_name", String(128), nullable=False),
    Column("record", String(64)),
    Column("outcome", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("events_by_time", "at"),
)
"""The audit. ``body`` is what the hash covers; the columns before it only help to search."""

CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("signature", String(128), nullable=False),
    Column("signer", String(64)),
)
"""``signer`` is the name of the key that signed; without one it is any of the key file's."""

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("caller", String(200), nullable=False),
    Column("address", Text, nullable=False),
    Column("source", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("document", Text, nullable=False),
    Column("run", String(16)),
    Column("held_until", Float),
    Index("jobs_by_source", "source"),
    Index("jobs_by_time", "at"),
)
"""Jobs of many rows. ``run`` is the last run of it, which alone may go on until ``held_until``."""

JOB_STEPS = Table(
    "job_steps",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("job", String(36), nullable=False),
    Column("entry", Text, nullable=False),
    Index("job_steps_by_job", "job", "number"),
)
"""What became of the rows of jobs: see :mod:`crm_server.dataverse.bulk_log`."""

READERS = Table(
    "readers", METADATA, Column("caller", String(200), primary_key=True), Column("at", Float, nullable=False)
)
"""Who was last shown text that strangers may have written, and when."""

TOKENS = Table(
    "tokens",
    METADATA,
    Column("place", String(64), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("expires", Float, nullable=False),
    Index("tokens_by_end", "expires"),
)
"""Tokens of callers, sealed: see :mod:`crm_server.sign_in.vault`."""

ENDED_VISITS = Table(
    "ended_visits",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("until", Float, nullable=False),
    Index("ended_visits_by_end", "until"),
)
"""Sessions of the page that somebody has ended; ``until`` is when they would have ended by themselves."""


def _jobs_readers_and_names_of_keys(connection: Connection) -> None:
    for table in (JOBS, JOB_STEPS, READERS):
        table.create(connection)
    connection.exec_driver_sql("ALTER TABLE checkpoints ADD COLUMN signer VARCHAR(64)")


def _tokens_and_ended_visits(connection: Connection) -> None:
    for table in (TOKENS, ENDED_VISITS):
        table.create(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _jobs_readers_and_names_of_keys,
    _tokens_and_ended_visits,
)
"""The first leads from version 1 to 2, and so on. What is empty gets the latest tables at once."""

OLDEST_TAKING = 2
"""The oldest version whose program works on the latest tables, because what came since is only more.

So the replicas of a version go on while those of the next one take their places. It is raised together with
a step after which they must not.
"""
_VERSION, _OLDEST = "version", "oldest taking"


class NewerStateError(Exception):
    """The state was written by a newer version of the product, in a way that this one does not know."""


def migrate(connection: Connection) -> None:
    """Bring the tables to the present version; the caller holds the lock on the database.

    Raises:
        NewerStateError: They have a later version that this program must not work on.
    """
    FACTS.create(connection, checkfirst=True)
    found, latest = _number(connection, _VERSION), 1 + len(MIGRATIONS)
    if found is not None and found > latest:
        if (_number(connection, _OLDEST) or found) > latest:
            raise NewerStateError
        return
    if found is None:
        METADATA.create_all(connection)
    elif found < latest:
        for step in MIGRATIONS[found - 1 :]:
            step(connection)
    if found != latest:
        connection.execute(delete(FACTS).where(FACTS.c.name.in_((_VERSION, _OLDEST))))
        numbers = ((_VERSION, latest), (_OLDEST, OLDEST_TAKING))
        connection.execute(insert(FACTS), [{"name": name, "value": str(number)} for name, number in numbers])


def _number(connection: Connection, name: str) -> int | None:
    found = connection.execute(select(FACTS.c.value).where(FACTS.c.name == name)).scalar()
    return None if found is None else int(found)
