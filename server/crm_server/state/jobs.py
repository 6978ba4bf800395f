"""Jobs of many rows: what they are, which run carries each out, and what became of their rows.

A run holds its job for a while and says again and again that it goes on. One that has ended without a word,
as when its process was killed, does not: then another run may take the job up, on whichever replica.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, or_, select, update

from crm_server.state.audit import moment
from crm_server.state.schema import JOB_STEPS, JOBS
from crm_server.state.store import sayable_id
from crm_tools.errors import InputError

HELD = timedelta(seconds=60)
"""How long a run holds its job without a word."""

# Made once: SQLAlchemy takes longer to build a statement than SQLite to carry it out.
_ADD_STEP = insert(JOB_STEPS)


class JobRunsError(InputError):
    """Another run carries the job out."""

    code = "job_is_running"


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job as it is kept. ``document`` is whatever its keeper wrote."""

    id: str
    caller: str
    address: str
    source: str
    at: datetime
    document: str


def keep(connection: Connection, job: StoredJob) -> None:
    """Keep a job."""
    connection.execute(
        insert(JOBS).values(
            id=job.id,
            caller=job.caller,
            address=job.address,
            source=job.source,
            at=job.at.timestamp(),
            document=job.document,
        )
    )


def find(connection: Connection, job_id: str, caller: str, address: str) -> StoredJob | None:
    """The job of this id, if it is one of this caller in this environment."""
    row = connection.execute(
        select(JOBS).where(JOBS.c.id == job_id, JOBS.c.caller == caller, JOBS.c.address == address)
    ).first()
    if row is None:
        return None
    return StoredJob(row.id, row.caller, row.address, row.source, moment(row.at), row.document)


def carried_out(connection: Connection, source: str, caller: str, address: str) -> list[StoredJob]:
    """The caller's jobs of the same source of which a run was begun, oldest first."""
    wanted = (JOBS.c.source == source, JOBS.c.caller == caller, JOBS.c.address == address)
    rows = connection.execute(select(JOBS).where(*wanted, JOBS.c.run.is_not(None)).order_by(JOBS.c.at))
    return [
        StoredJob(row.id, row.caller, row.address, row.source, moment(row.at), row.document) for row in rows
    ]


def begin(connection: Connection, job_id: str, now: datetime) -> tuple[str, list[str]]:
    """Begin a run of a job: its id, and what earlier runs noted.

    Raises:
        JobRunsError: Another run holds the job.
    """
    run = sayable_id()
    free = or_(JOBS.c.held_until.is_(None), JOBS.c.held_until <= now.timestamp())
    held = update(JOBS).where(JOBS.c.id == job_id, free)
    if connection.execute(held.values(run=run, held_until=(now + HELD).timestamp())).rowcount != 1:
        raise JobRunsError(
            "This job is running already. Wait for it; if the server that ran it has ended, the job can be "
            f"taken up again in {HELD.total_seconds():.0f} seconds."
        )
    steps = select(JOB_STEPS.c.entry).where(JOB_STEPS.c.job == job_id).order_by(JOB_STEPS.c.number)
    return run, list(connection.execute(steps).scalars())


def go_on(connection: Connection, job_id: str, run: str, now: datetime, entry: str | None = None) -> None:
    """Say that a run goes on, and note what becomes of its rows.

    Raises:
        JobRunsError: Another run has taken the job up meanwhile.
    """
    ours = update(JOBS).where(JOBS.c.id == job_id, JOBS.c.run == run)
    if connection.execute(ours.values(held_until=(now + HELD).timestamp())).rowcount != 1:
        raise JobRunsError(
            "This job was taken up by another run, because this one was not heard of for a while. Nothing "
            "more is sent from here."
        )
    if entry is not None:
        connection.execute(_ADD_STEP, {"job": job_id, "entry": entry})


def end(connection: Connection, job_id: str, run: str) -> None:
    """Let the job go; the next run may begin at once."""
    connection.execute(update(JOBS).where(JOBS.c.id == job_id, JOBS.c.run == run).values(held_until=None))


def forget(connection: Connection, until: datetime) -> None:
    """Take out jobs that were kept before a moment, and what became of their rows."""
    old = select(JOBS.c.id).where(JOBS.c.at < until.timestamp())
    connection.execute(delete(JOB_STEPS).where(JOB_STEPS.c.job.in_(old)))
    connection.execute(delete(JOBS).where(JOBS.c.at < until.timestamp()))
