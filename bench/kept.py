"""The log of a bulk job, kept in a file as a server on a desk keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crm_server.dataverse.bulk_log import BulkLog
from crm_server.gateway.kept_jobs import KeptJobs
from crm_server.state import open_state
from crm_tools.bulk import BulkJob, Prepared
from crm_tools.errors import InputError

CALLER = "bench"


@asynccontextmanager
async def kept_log(path: Path, job: BulkJob, *, later: timedelta = timedelta(0)) -> AsyncIterator[BulkLog]:
    """A run of the job by the log in this file, ``later`` as if so much time had passed."""

    def now() -> datetime:
        return datetime.now(UTC) + later

    state = open_state(f"sqlite:///{path}", path.parent, None, now)
    jobs = KeptJobs(state, "https://crm.invalid", now)
    try:
        try:
            await jobs.find(job.id, CALLER)
        except InputError:
            await jobs.keep(Prepared(job, (), (), ()), CALLER)
        async with jobs.run(job) as log:
            yield log
    finally:
        state.close()
