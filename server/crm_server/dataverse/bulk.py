"""Many rows created or updated: in chunks, several at once, each row with an outcome of its own.

::

    rows ──> chunks_of ──> Settling, one a chunk ──> BulkLog ──> tell, progress
             numbered,     sent, looked at,          kept
             checked       split

At most :data:`OPEN_CHUNKS` chunks are in memory, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import anyio

from crm_server.dataverse.bulk_log import BulkLog
from crm_server.dataverse.bulk_rows import Chunk, Known, Rows, chunks_of
from crm_server.dataverse.bulk_settling import AT_ONCE, Course, Settling
from crm_server.dataverse.sender import Sender
from crm_tools.bulk import BulkJob, BulkResult, Ending, Outcome, Progress, RowOutcome
from crm_tools.errors import InputError
from crm_tools.guids import is_guid
from crm_tools.operations import Action
from crm_tools.tables import Table

CHUNK_ROWS = 500
"""Microsoft advises to begin with 100 to 1,000; see bench/README.md."""
OPEN_CHUNKS = AT_ONCE

Tell = Callable[[Sequence[RowOutcome]], None]
Report = Callable[[Progress], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bulk:
    """Carries bulk jobs out in one environment."""

    sender: Sender
    tables: Mapping[str, Table]
    chunk_rows: int = CHUNK_ROWS

    async def run(
        self,
        job: BulkJob,
        rows: Rows,
        *,
        log: BulkLog | None = None,
        tell: Tell | None = None,
        progress: Report | None = None,
        cancel: anyio.Event | None = None,
    ) -> BulkResult:
        """Create or update the rows of a source, which is read once and never held as a whole.

        With a ``log`` a job that was interrupted is taken up again: call this with the same job and rows, and
        a log of what was kept. ``tell`` is given the outcomes of each chunk after they are in the log,
        ``progress`` how far the job is, earlier runs included. After ``cancel`` nothing more is sent; what is
        under way is waited for.

        What is refused, unclear, or stops the job is in the result and never an exception.

        Raises:
            InputError: The job is none that can be carried out.
            StateError: The log cannot be kept; nothing more was sent.
        """
        _check(job, self.tables)
        run = _Run(self, job, log, tell, progress, cancel or anyio.Event())
        try:
            await run.carry_out(rows)
        except BaseExceptionGroup as group:
            # A fault of the source, the log or a callback; the first says what happened.
            raise _first(group) from None
        return run.result()


class _Run:
    """One run of a job."""

    def __init__(
        self,
        bulk: Bulk,
        job: BulkJob,
        log: BulkLog | None,
        tell: Tell | None,
        progress: Report | None,
        cancel: anyio.Event,
    ) -> None:
        self._bulk = bulk
        self._job = job
        self._log = log
        self._tell = tell
        self._report = progress
        self._course = Course(bulk.chunk_rows, cancel)
        self._turns = anyio.Semaphore(AT_ONCE)
        self._open = anyio.Semaphore(OPEN_CHUNKS)
        self._progress = Progress(total=job.total)
        self._all_read = False
        if log is not None:
            self._progress = Progress(log.done, log.refused, total=job.total)

    async def carry_out(self, rows: Rows) -> None:
        chunks = chunks_of(self._job, rows, self._known(), lambda: self._course.most_rows)
        async with aclosing(chunks), anyio.create_task_group() as tasks:
            async for chunk in chunks:
                await self._open.acquire()
                if self._course.stopping:
                    return
                tasks.start_soon(self._one, chunk)
            self._all_read = True

    def result(self) -> BulkResult:
        course = self._course
        if course.cancel.is_set() and (course.left or not self._all_read):
            return BulkResult(self._progress, Ending.CANCELLED)
        if course.error is not None:
            return BulkResult(self._progress, Ending.STOPPED, course.error)
        return BulkResult(self._progress, Ending.COMPLETE)

    async def _one(self, chunk: Chunk) -> None:
        numbers = [item.number for item in chunk.writes]
        settling = Settling(self._bulk.sender, self._bulk.tables, self._course, self._turns)
        if self._log is not None and numbers:
            await self._log.sending(numbers)
        await settling.settle(chunk.writes, sent_before=chunk.sent_before)
        self._course.left += len(numbers) - len(settling.outcomes)
        outcomes = sorted([*chunk.refused, *settling.outcomes.values()], key=lambda item: item.number)
        if outcomes:
            await self._note(outcomes)
        self._open.release()

    async def _note(self, outcomes: Sequence[RowOutcome]) -> None:
        if self._log is not None:
            await self._log.settle(outcomes)
        counts = {kind: sum(item.outcome is kind for item in outcomes) for kind in Outcome}
        before = self._progress
        self._progress = replace(
            before,
            done=before.done + counts[Outcome.DONE],
            refused=before.refused + counts[Outcome.REFUSED],
            unclear=before.unclear + counts[Outcome.UNCLEAR],
        )
        if self._job.most_refused is not None and self._progress.refused > self._job.most_refused:
            self._course.stop(_too_many_refused(self._job.most_refused))
        if self._tell is not None:
            self._tell(outcomes)
        if self._report is not None:
            await self._report(self._progress)

    def _known(self) -> Known:
        if self._log is None:
            return Known(settled=lambda _: False, sent=lambda _: False)
        return Known(self._log.settled.__contains__, self._log.sent.__contains__)


def _check(job: BulkJob, tables: Mapping[str, Table]) -> None:
    if job.action not in (Action.CREATE, Action.UPDATE) or job.table not in tables:
        raise InputError("A bulk job creates or updates rows of a table that this server describes.")
    if not is_guid(job.id):
        raise InputError("The id of a bulk job is a GUID.")


def _too_many_refused(most: int) -> InputError:
    return InputError(
        f"More than {most:,} rows were refused, so the job was stopped. See what the refused rows have in "
        "common, correct the source and begin a new job with the rows that are missing."
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
