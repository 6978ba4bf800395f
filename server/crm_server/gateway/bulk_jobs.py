"""Jobs of many rows: judged as a whole and row by row, asked about, noted, and carried out resumably."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crm_server.folders import state_folder
from crm_server.gateway.journaling import carried_out
from crm_server.gateway.session import Session
from crm_server.policy.judging import Judgement
from crm_tools.bulk import BulkDone, BulkJob, BulkRow, RowOutcome
from crm_tools.errors import PolicyDeniedError
from crm_tools.operations import Row

_FOLDER = "imports"


class BulkJobs:
    """The bulk jobs of one call."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def run(self, job: BulkJob, rows: Sequence[BulkRow], facts: Sequence[str]) -> BulkDone:
        """Carry the job out.

        Raises:
            PolicyDeniedError: It has more rows than the policy allows, or a row that it does not.
            ApprovalError: A human has to agree and did not.
            BulkLogError: The log of an earlier run cannot be used.
        """
        self._require_few(len(rows))
        judgement = await self._session.judge(job)
        self._require_within(judgement, rows)
        approval = await self._session.ask(job, judgement.decision, because=tuple(facts))
        outcomes: list[RowOutcome] = []
        done: list[BulkDone] = []

        async def send() -> Row | None:
            done.append(await self._sent(job, rows, outcomes))
            return None

        await carried_out(self._session, job, {}, approval, send, None)
        for outcome in outcomes:
            self._session.trail.touched(outcome.key)
        return done[0]

    def _require_few(self, count: int) -> None:
        limits = (self._session.policy.limits, self._session.policy.each_caller)
        for most in (limit.rows_per_bulk for limit in limits):
            if most is not None and count > most:
                raise PolicyDeniedError(
                    f"The policy allows {most:,} rows for one job, and this one has {count:,}. Split it.",
                    rules=("limit:rows_per_bulk",),
                )

    def _require_within(self, judgement: Judgement, rows: Sequence[BulkRow]) -> None:
        """Refuse a job of which a row would not surely be one that the policy lets be written."""
        scope = judgement.written
        if scope is None:
            return
        for number, row in enumerate(rows, start=1):
            values = {**row.values, **{item.column: item.key for item in row.bindings}}
            if not scope.holds(values):
                raise PolicyDeniedError(
                    f"{judgement.decision.reason} Row {number} would not surely be one of them: "
                    f"{scope.text}. Nothing was changed.",
                    rules=judgement.decision.rules,
                )

    async def _sent(self, job: BulkJob, rows: Sequence[BulkRow], outcomes: list[RowOutcome]) -> BulkDone:
        from crm_server.dataverse.bulk_log import BulkLog

        log = BulkLog(self._log_file(job), job)
        try:
            result = await self._session.client().bulk().run(job, rows, log=log, tell=outcomes.extend)
        finally:
            log.close()
        return BulkDone(result, tuple(outcomes))

    def _log_file(self, job: BulkJob) -> Path:
        folder = state_folder() / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{job.id}.jsonl"
