"""Jobs of many rows that were shown and may be carried out, kept in the state until they are forgotten.

Any replica takes a job up, and one run at a time carries it out (:mod:`crm_server.state.jobs`). A job holds
the values of its rows, so it is its caller's alone, and it is forgotten after a week.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from crm_server.ending import only_error
from crm_server.log import get_logger
from crm_tools.actions import Action
from crm_tools.bulk import BulkJob, BulkRow, LeftOut, Prepared
from crm_tools.errors import InputError, StateError
from crm_tools.guids import is_guid
from crm_tools.operations import Binding

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_server.dataverse.bulk_log import BulkLog
    from crm_server.state import State
    from crm_server.state.jobs import StoredJob

T = TypeVar("T")
_log = get_logger("jobs")
KEPT = timedelta(days=7)
HEARD_OF_EVERY = 15.0
"""Seconds; a quarter of how long a run holds its job without a word."""


class KeptJobs:
    """The jobs of one environment, each of one caller."""

    def __init__(self, state: State, address: str) -> None:
        self._state = state
        self._address = address

    async def keep(self, prepared: Prepared, caller: str) -> str | None:
        """Keep a job; a sentence if the caller has carried the same one out before.

        Raises:
            StateError: It cannot be kept.
        """
        from crm_server.state import jobs

        job, now = prepared.job, self._state.now()
        document = await anyio.to_thread.run_sync(_document, prepared)
        stored = jobs.StoredJob(job.id, caller, self._address, job.source, now, document)

        def work(connection: Connection) -> list[StoredJob]:
            jobs.forget(connection, now - KEPT)
            earlier = jobs.carried_out(connection, job.source, caller, self._address)
            jobs.keep(connection, stored)
            return earlier

        return next((_said(earlier) for earlier in await self._done(work) if _is_alike(earlier, job)), None)

    async def find(self, job_id: str, caller: str) -> Prepared:
        """The job of this id, if it is one of this caller.

        Raises:
            InputError: There is none.
            StateError: The state cannot be asked.
        """
        from crm_server.state import jobs

        key = job_id.lower()
        stored = None
        if is_guid(key):
            stored = await self._done(lambda connection: jobs.find(connection, key, caller, self._address))
        if stored is None:
            raise InputError(
                "There is no job of yours with this id; jobs are kept for a week. Give table and rows to "
                "prepare one."
            )
        return await anyio.to_thread.run_sync(_prepared, stored.document)

    @asynccontextmanager
    async def run(self, job: BulkJob) -> AsyncIterator[BulkLog]:
        """A run of the job, by its log. It holds the job until its end.

        Raises:
            JobRunsError: It runs already, here or elsewhere.
            StateError: What becomes of its rows cannot be noted.
        """
        from crm_server.dataverse.bulk_log import BulkLog
        from crm_server.state import jobs

        run, entries = await self._done(lambda connection: jobs.begin(connection, job.id, self._state.now()))

        async def go_on(entry: str | None = None) -> None:
            await self._done(lambda connection: jobs.go_on(connection, job.id, run, self._state.now(), entry))

        async def be_heard_of() -> None:
            while True:
                await anyio.sleep(HEARD_OF_EVERY)
                # What is noted next fails as well, and ends the run.
                with suppress(StateError, jobs.JobRunsError):
                    await go_on()

        try:
            with only_error():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(be_heard_of)
                    try:
                        yield BulkLog(entries, go_on)
                    finally:
                        tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._let_go(job, run)

    async def _let_go(self, job: BulkJob, run: str) -> None:
        from crm_server.state import jobs

        try:
            await self._done(lambda connection: jobs.end(connection, job.id, run))
        except StateError as error:
            _log.error("job_not_let_go", job=job.id, problem=error.message)

    async def _done(self, work: Callable[[Connection], T]) -> T:
        found: T = await self._state.run(lambda connection, _keys: work(connection))
        return found


def _is_alike(stored: StoredJob, job: BulkJob) -> bool:
    facts = json.loads(stored.document)["job"]
    return (facts["table"], facts["action"]) == (job.table, job.action.value)


def _said(earlier: StoredJob) -> str:
    return (
        f"The same rows were imported before: job {earlier.id} of {earlier.at:%Y-%m-%d %H:%M %Z}. Importing "
        "them again makes them twice; ask the user first."
    )


def _job_facts(job: BulkJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "table": job.table,
        "action": job.action.value,
        "source": job.source,
        "columns": sorted(job.columns),
        "total": job.total,
        "facts": list(job.facts),
    }


def _document(prepared: Prepared) -> str:
    return json.dumps({**asdict(prepared), "job": _job_facts(prepared.job)}, ensure_ascii=False)


def _prepared(text: str) -> Prepared:
    document: dict[str, Any] = json.loads(text)
    facts = document["job"]
    job = BulkJob(
        facts["id"],
        facts["table"],
        Action(facts["action"]),
        facts["source"],
        frozenset(facts["columns"]),
        facts["total"],
        facts=tuple(facts["facts"]),
    )
    return Prepared(
        job,
        tuple(_row(row) for row in document["rows"]),
        tuple(document["numbers"]),
        tuple(LeftOut(**item) for item in document["left_out"]),
        document["file"],
    )


def _row(facts: Mapping[str, Any]) -> BulkRow:
    return BulkRow(facts["values"], tuple(Binding(**item) for item in facts["bindings"]), facts["key"])
