"""Jobs of many leads, and the clock and client that tests of them share."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx

from crm_server.dataverse.bulk import Bulk
from crm_server.dataverse.bulk_log import BulkLog
from crm_server.dataverse.sender import Sender
from crm_server.gateway.kept_jobs import KeptJobs
from crm_server.state import open_state
from crm_tools.bulk import BulkJob, BulkResult, BulkRow, Prepared, RowOutcome
from crm_tools.description import load
from crm_tools.errors import InputError
from crm_tools.operations import Action
from tests.dataverse.faulty_crm import FaultyCrm

TABLES = load().tables
CREATE_MULTIPLE = "/api/data/v9.2/leads/Microsoft.Dynamics.CRM.CreateMultiple"
UPDATE_MULTIPLE = "/api/data/v9.2/leads/Microsoft.Dynamics.CRM.UpdateMultiple"
NEW_LEADS = BulkJob(
    "6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b",
    "lead",
    Action.CREATE,
    "sha256:of the source",
    frozenset({"lastname", "jobtitle", "companyname", "_parentaccountid_value"}),
    total=20,
)
CHANGED_LEADS = replace(NEW_LEADS, action=Action.UPDATE, id="7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b")
EVERYTHING = list(range(1, 21))
"""The numbers of the rows of these jobs."""
GOOD = {"lastname": "Bulk"}
BAD = {"lastname": "x" * 500}
"""Longer than its column allows."""


_OPENED = count()


@asynccontextmanager
async def job_log(path: Path, job: BulkJob) -> AsyncIterator[BulkLog]:
    """A run of the job, by the log in a state in this file; each is two minutes after the one before it.

    So one that ended without a word is not waited for.
    """
    later = next(_OPENED) * timedelta(minutes=2)
    now = datetime.now(UTC) + later
    state = open_state(f"sqlite:///{path}", path.parent, None, lambda: now)
    jobs = KeptJobs(state, "https://crm.invalid")
    try:
        try:
            await jobs.find(job.id, "ann")
        except InputError:
            await jobs.keep(Prepared(job, (), (), ()), "ann")
        async with jobs.run(job) as log:
            yield log
    finally:
        state.close()


async def refusals(path: Path, job: BulkJob) -> list[RowOutcome]:
    """The rows that the log in this file calls refused."""
    async with job_log(path, job) as log:
        return log.refusals


class Slept(list[float]):
    """A clock that is moved by whoever waits, and remembers how long that was."""

    now = 0.0

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()

    def clock(self) -> float:
        return self.now


def leads(count: int = 20, bad: Sequence[int] = ()) -> list[BulkRow]:
    """New leads; those with these numbers are refused."""
    return [BulkRow(BAD if number in bad else GOOD) for number in range(1, count + 1)]


def titles(count: int = 20, title: str = "Bulk buyer") -> list[BulkRow]:
    """A job title for each lead that the job of new leads made."""
    return [BulkRow({"jobtitle": title}, key=NEW_LEADS.key_of(number)) for number in range(1, count + 1)]


class Crew:
    """A client of a faulty CRM that runs jobs and remembers what it was told of each row."""

    def __init__(self, crm: FaultyCrm, chunk_rows: int = 10) -> None:
        self.slept = Slept()
        self.crm = crm
        self.sender = Sender(crm.url, sleep=self.slept, clock=self.slept.clock, rng=random.Random(7))
        self.bulk = Bulk(self.sender, TABLES, chunk_rows)
        self.told: dict[int, RowOutcome] = {}

    async def run(self, job: BulkJob, rows: Any, log: Path | None = None, **more: Any) -> BulkResult:
        """Run a job, the only one of this client; with a path, by the log there."""
        try:
            if log is None:
                return await self.bulk.run(job, rows, tell=self.tell, **more)
            async with job_log(log, job) as opened:
                return await self.bulk.run(job, rows, log=opened, tell=self.tell, **more)
        finally:
            await self.sender.aclose()

    def tell(self, outcomes: Sequence[RowOutcome]) -> None:
        """Remember, and see that each row is told of once; what was unclear may become clear."""
        for item in outcomes:
            earlier = self.told.get(item.number)
            assert earlier is None or earlier.outcome == "unclear", f"row {item.number} is told of twice"
            self.told[item.number] = item

    def numbers(self, outcome: str) -> list[int]:
        """The rows that were told to have this outcome."""
        return sorted(number for number, item in self.told.items() if item.outcome == outcome)

    async def stored(self, column: str = "lastname", value: str = "Bulk") -> list[str]:
        """The ids of leads with a value, asked of the sandbox without a network."""
        question = f"/api/data/v9.2/leads?$select=leadid&$filter={column} eq '{value}'"
        transport = httpx.ASGITransport(app=self.crm.app)
        async with httpx.AsyncClient(transport=transport, base_url=self.crm.url) as client:
            found = (await client.get(question)).json()["value"]
        return sorted(row["leadid"] for row in found)

    def keys(self, numbers: Sequence[int]) -> list[str]:
        """The ids of these new leads."""
        return sorted(NEW_LEADS.key_of(number) for number in numbers)
