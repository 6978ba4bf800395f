"""Jobs of many rows: each row judged, the job asked about and noted as one, and carried out resumably."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio.lowlevel

from crm_server.dataverse.sender import UnclearError
from crm_server.gateway.journaling import carried_out
from crm_server.gateway.narrowing import rows_within
from crm_server.gateway.session import Session
from crm_server.policy import limits
from crm_server.policy.decide import combine, decide
from crm_server.policy.model import Decision, Outcome, Scope, Spent
from crm_tools.actions import Action
from crm_tools.bulk import (
    BulkDone,
    BulkJob,
    BulkJudged,
    BulkResult,
    BulkRow,
    Ending,
    Prepared,
    Progress,
    RowOutcome,
)
from crm_tools.errors import CrmError, PolicyDeniedError, StateError
from crm_tools.operations import Access, Row

if TYPE_CHECKING:
    from crm_server.dataverse.bulk_log import BulkLog

_ROWS_AT_A_STRETCH = 500
_KEYS_A_QUERY = 100


class _UnfinishedError(UnclearError):
    """The job ended before all of its rows had an outcome; the journal has to say so."""


class _StoppedError(UnclearError):
    """The job cannot go on from here; the journal has to say that it is unfinished."""


class BulkJobs:
    """The bulk jobs of one call."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept = session.crm.jobs

    async def judge(self, job: BulkJob, rows: Sequence[BulkRow]) -> BulkJudged:
        """What the policy says to the job and each of its rows.

        Raises:
            PolicyDeniedError: The job as a whole is not allowed.
        """
        decision, denied = await self._judged(job, rows)
        return BulkJudged(denied, decision.outcome is Outcome.CONFIRM)

    async def keep(self, prepared: Prepared) -> str | None:
        """Keep a job; a sentence if the caller has carried the same one out before."""
        return await self._kept.keep(prepared, self._session.principal.name)

    async def run(self, job_id: str) -> BulkDone:
        """Carry the job out; what has an outcome already stays as it is.

        Raises:
            InputError: There is no such job of the caller.
            PolicyDeniedError: It, or a row of it, is not allowed (any more). Nothing was sent.
            ApprovalError: A human has to agree and did not.
            JobRunsError: It is running, here or on another replica.
            StateError: What becomes of its rows cannot be noted.
        """
        prepared = await self._kept.find(job_id, self._session.principal.name)
        async with self._kept.run(prepared.job) as log:
            return await self._resumed(prepared, log)

    async def _resumed(self, prepared: Prepared, log: BulkLog) -> BulkDone:
        from crm_server.state.jobs import JobRunsError

        job, rows = prepared.job, prepared.rows
        open_rows = len(rows) - log.done - log.refused
        if not open_rows:
            progress = Progress(log.done, log.refused, total=job.total)
            return self._done(prepared, log, BulkResult(progress, Ending.COMPLETE), [])
        decision, denied = await self._judged(job, rows, open_rows)
        for place, error in denied.items():
            raise PolicyDeniedError(f"Row {prepared.numbers[place]}: {error.message} Nothing was sent.")
        noted = replace(job, total=open_rows)
        if open_rows < len(rows):
            noted = replace(
                noted, facts=(*job.facts, f"Taken up again: {open_rows:,} of {len(rows):,} are left")
            )
        approval = await self._session.ask(noted, decision)
        outcomes: list[RowOutcome] = []
        results: list[BulkResult] = []

        async def send() -> Row | None:
            bulk = self._session.client().bulk()
            try:
                result = await bulk.run(job, rows, log=log, tell=outcomes.extend, progress=self._tell)
            except (StateError, JobRunsError) as error:
                raise _StoppedError(
                    "The job stopped in the middle: what becomes of its rows cannot be noted any more, or "
                    "another run has taken it up. Take it up again later: rows that may have been sent are "
                    "looked for first."
                ) from error
            results.append(result)
            if result.ending is not Ending.COMPLETE or result.progress.unclear:
                raise _UnfinishedError("Not all rows have an outcome.")
            return None

        with suppress(_UnfinishedError):
            await carried_out(self._session, noted, {}, approval, send, None)
        return self._done(prepared, log, results[0], outcomes)

    def _done(
        self, prepared: Prepared, log: BulkLog, result: BulkResult, outcomes: list[RowOutcome]
    ) -> BulkDone:
        refused = tuple(sorted(log.refusals, key=lambda item: item.number))
        for outcome in outcomes:
            self._session.trail.touched(outcome.key)
        self._session.trail.rows += len(outcomes)
        return BulkDone(prepared, result, tuple(outcomes), refused)

    async def _tell(self, progress: Progress) -> None:
        settled = progress.done + progress.refused + progress.unclear
        refused = f", {progress.refused:,} refused" if progress.refused else ""
        await self._session.tell(settled, progress.total, f"{progress.done:,} rows done{refused}")

    async def _judged(
        self, job: BulkJob, rows: Sequence[BulkRow], open_rows: int | None = None
    ) -> tuple[Decision, Mapping[int, CrmError]]:
        """The decision on the whole, and by place the rows that are denied.

        Raises:
            PolicyDeniedError: The job as a whole is not allowed, or has too many rows.
        """
        self._require_few(len(rows))
        judgement = await self._session.judge(job)
        await self._require_left(job, len(rows) if open_rows is None else open_rows)
        # Most rows come to the same: one of each kind is enough for the whole.
        kinds = {_kind(judgement.decision): judgement.decision}
        denied: dict[int, CrmError] = {}
        within: dict[Scope, dict[int, BulkRow]] = {}
        for place, row in enumerate(rows):
            if place % _ROWS_AT_A_STRETCH == 0:
                await anyio.lowlevel.checkpoint()
            values = _values(row)
            decision = self._of_row(job, values)
            if decision.outcome is Outcome.DENIED:
                denied[place] = PolicyDeniedError(decision.reason, rules=decision.rules)
                continue
            kinds[_kind(decision)] = decision
            if decision.scope is None:
                continue
            if job.action is Action.UPDATE:
                within.setdefault(decision.scope, {})[place] = row
            elif not decision.scope.holds(values):
                denied[place] = _outside(decision.scope)
        for scope, some in within.items():
            denied |= await self._outside(job, scope, some)
        return combine(kinds.values()), dict(sorted(denied.items()))

    def _of_row(self, job: BulkJob, values: Mapping[str, Any]) -> Decision:
        session = self._session
        access = Access(job.action, job.table, writes=frozenset(values), values=values)
        return decide(
            session.policy, session.principal, access, session.crm.now(), Spent(), session.environment
        )

    async def _outside(
        self, job: BulkJob, scope: Scope, rows: Mapping[int, BulkRow]
    ) -> dict[int, PolicyDeniedError]:
        """Which of the rows change records that are, or would then be, outside of the scope."""
        table = self._session.crm.tables[job.table]
        places = list(rows)
        found: dict[int, PolicyDeniedError] = {}
        for start in range(0, len(places), _KEYS_A_QUERY):
            some = places[start : start + _KEYS_A_QUERY]
            query = rows_within(table, [str(rows[place].key) for place in some], scope)
            query = replace(query, select=tuple(dict.fromkeys((table.key, *sorted(scope.columns)))))
            page = await self._session.client().query(query)
            before = {str(row[table.key]): row for row in page.rows}
            for place in some:
                row, values = before.get(str(rows[place].key)), _values(rows[place])
                stays = scope.columns.isdisjoint(values)
                if row is None or not (stays or scope.holds({**row, **values})):
                    found[place] = _outside(scope)
        return found

    def _require_few(self, count: int) -> None:
        for limit in (self._session.policy.limits, self._session.policy.each_caller):
            most = limit.rows_per_bulk
            if most is not None and count > most:
                raise PolicyDeniedError(
                    f"The policy allows {most:,} rows for one job, and this one has {count:,}. Split it.",
                    rules=("limit:rows_per_bulk",),
                )

    async def _require_left(self, job: BulkJob, rows: int) -> None:
        session = self._session
        if not limits.counts(session.policy, Action.BULK):
            return
        spent = await session.crm.state.spent(session.policy, session.principal.name, Action.BULK, job.id)
        limits.require_left(session.policy, spent, rows)


def _kind(decision: Decision) -> tuple[Outcome, tuple[str, ...]]:
    return decision.outcome, decision.rules


def _values(row: BulkRow) -> dict[str, Any]:
    return {**row.values, **{item.column: item.key for item in row.bindings}}


def _outside(scope: Scope) -> PolicyDeniedError:
    return PolicyDeniedError(
        f"The policy lets only some rows be written, and this would not surely be one of them: {scope.text}."
    )
