"""Jobs of many rows: any replica takes one up, one run at a time carries it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import anyio
import pytest
from sqlalchemy import Connection, text

from crm_server.dataverse.bulk_log import BulkLog
from crm_server.gateway import kept_jobs
from crm_server.gateway.kept_jobs import KEPT, KeptJobs
from crm_server.state import State
from crm_server.state.jobs import HELD, JobRunsError
from crm_tools.bulk import BulkJob, BulkRow, Outcome, Prepared, RowOutcome
from crm_tools.errors import InputError
from crm_tools.operations import Action
from tests.state.conftest import Clock

pytestmark = pytest.mark.anyio
Open = Callable[..., State]
ADDRESS = "https://contoso.example"
JOB = BulkJob(str(uuid4()), "lead", Action.CREATE, "sha256:rows", frozenset({"lastname"}), total=5)
PREPARED = Prepared(JOB, tuple(BulkRow({"lastname": name}) for name in "abcde"), (1, 2, 3, 4, 5), ())


@pytest.fixture
def replicas(open_: Open, clock: Clock) -> tuple[KeptJobs, KeptJobs]:
    one, other = (KeptJobs(open_(), ADDRESS) for _ in range(2))
    return one, other


@asynccontextmanager
async def killed(jobs: KeptJobs) -> AsyncIterator[BulkLog]:
    """A run whose process ends without a word when the block ends."""

    async def without_a_word(_job: BulkJob, _run: str) -> None:
        """Nothing is let go."""

    jobs._let_go = without_a_word  # type: ignore[method-assign]
    async with jobs.run(JOB) as log:
        yield log


async def test_a_job_is_found_by_its_caller_alone_on_any_replica(replicas: tuple[KeptJobs, KeptJobs]) -> None:
    one, other = replicas
    assert await one.keep(PREPARED, "ann") is None
    assert await other.find(JOB.id.upper(), "ann") == PREPARED
    with pytest.raises(InputError, match="no job of yours"):
        await other.find(JOB.id, "bob")


async def test_what_one_run_noted_the_next_one_knows_on_another_replica(
    replicas: tuple[KeptJobs, KeptJobs],
) -> None:
    one, other = replicas
    await one.keep(PREPARED, "ann")
    async with one.run(JOB) as log:
        await log.sending([1, 2, 3])
        await log.settle([RowOutcome(1, "k1", Outcome.DONE), RowOutcome(2, "k2", Outcome.REFUSED)])
    async with other.run(JOB) as log:
        assert (log.done, log.refused) == (1, 1)
        assert [number in log.sent for number in (3, 4)] == [True, False]
        assert [number in log.settled for number in (2, 3)] == [True, False]
        assert [refused.number for refused in log.refusals] == [2]


async def test_a_job_that_runs_runs_nowhere_else_until_it_is_let_go(
    replicas: tuple[KeptJobs, KeptJobs],
) -> None:
    one, other = replicas
    await one.keep(PREPARED, "ann")
    async with one.run(JOB):
        for replica in replicas:
            with pytest.raises(JobRunsError, match="running already"):
                async with replica.run(JOB):
                    pytest.fail("it ran twice")
    async with other.run(JOB):
        pass


async def test_of_many_replicas_one_takes_a_job_up(open_: Open, clock: Clock) -> None:
    many = [KeptJobs(open_(), ADDRESS) for _ in range(6)]
    await many[0].keep(PREPARED, "ann")
    ran: list[str] = []
    tried = 0
    over = anyio.Event()

    async def run(jobs: KeptJobs) -> None:
        nonlocal tried
        try:
            async with jobs.run(JOB):
                tried += 1
                ran.append("ran")
                await over.wait()
        except JobRunsError:
            tried += 1
        if tried == len(many):
            over.set()

    async with anyio.create_task_group() as tasks:
        for jobs in many:
            tasks.start_soon(run, jobs)
    assert ran == ["ran"]


async def test_a_run_that_was_killed_is_taken_up_when_it_was_not_heard_of_and_goes_on_no_more(
    replicas: tuple[KeptJobs, KeptJobs], clock: Clock
) -> None:
    one, other = replicas
    await one.keep(PREPARED, "ann")
    async with killed(one) as stopped:
        await stopped.sending([1])
        clock.pass_(HELD - timedelta(seconds=1))
        with pytest.raises(JobRunsError, match="running already"):
            async with other.run(JOB):
                pytest.fail("it ran twice")
        clock.pass_(timedelta(seconds=1))
        async with other.run(JOB) as taken_up:
            assert 1 in taken_up.sent
            # A machine that only slept wakes up, and finds that it may send nothing more.
            with pytest.raises(JobRunsError, match="taken up by another run"):
                await stopped.sending([2])
            await taken_up.settle([RowOutcome(1, "k", Outcome.DONE)])


async def test_a_run_that_takes_long_is_heard_of(
    replicas: tuple[KeptJobs, KeptJobs], clock: Clock, monkeypatch: pytest.MonkeyPatch, open_: Open
) -> None:
    monkeypatch.setattr(kept_jobs, "HEARD_OF_EVERY", 0.01)
    one, other = replicas
    await one.keep(PREPARED, "ann")
    watching = open_()

    def held_until(connection: Connection, _keys: object) -> float:
        return float(connection.execute(text("SELECT held_until FROM jobs")).scalar_one())

    async with one.run(JOB):
        for _ in range(3):
            clock.pass_(HELD - timedelta(seconds=1))
            with anyio.fail_after(10):
                while await watching.run(held_until) < (clock() + HELD).timestamp():
                    await anyio.lowlevel.checkpoint()
        with pytest.raises(JobRunsError, match="running already"):
            async with other.run(JOB):
                pytest.fail("it ran twice")


async def test_the_same_rows_again_are_told_to_whoever_prepares_them_on_any_replica(
    replicas: tuple[KeptJobs, KeptJobs], clock: Clock
) -> None:
    one, other = replicas
    again = replace(PREPARED, job=replace(JOB, id=str(uuid4())))
    await one.keep(PREPARED, "ann")
    async with one.run(JOB):
        pass
    said = await other.keep(again, "ann")
    assert said is not None
    assert JOB.id in said
    assert await other.keep(replace(PREPARED, job=replace(JOB, id=str(uuid4()))), "bob") is None
    clock.pass_(KEPT + timedelta(seconds=1))
    assert await one.keep(replace(PREPARED, job=replace(JOB, id=str(uuid4()))), "ann") is None
