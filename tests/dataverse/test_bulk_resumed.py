"""A bulk job is interrupted anywhere and taken up again: no row is doubled, none is lost."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID, uuid5

import anyio
import anyio.to_thread
import pytest

from crm_server.dataverse.bulk_log import BulkLog, RowNumbers
from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse
from crm_server.dataverse.sender import Sender
from crm_server.gateway.kept_jobs import KeptJobs
from crm_tools.bulk import BulkJob, BulkRow, Ending, Outcome, Progress
from crm_tools.errors import StateError
from tests.dataverse.bulk_jobs import BAD, CHANGED_LEADS, NEW_LEADS, Crew, job_log, leads, refusals, titles
from tests.dataverse.faulty_crm import FaultyCrm, answer, faulty_crm

ROOT = Path(__file__).parents[2]


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """The process ends at a step: before or after a request, before or after an entry of the log."""
    taken = 0
    send, append = Sender.send, BulkLog._append

    def next_step() -> None:
        nonlocal taken
        taken += 1
        if taken >= step:
            raise Killed

    async def killed_send(self: Sender, request: CrmRequest, deadline: float) -> CrmResponse:
        next_step()
        found = await send(self, request, deadline)
        next_step()
        return found

    async def killed_append(self: BulkLog, entry: Any) -> None:
        next_step()
        await append(self, entry)
        next_step()

    async def without_a_word(_self: KeptJobs, _job: BulkJob, _run: str) -> None:
        """What is killed lets nothing go."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sender, "send", killed_send)
        patch.setattr(BulkLog, "_append", killed_append)
        patch.setattr(KeptJobs, "_let_go", without_a_word)
        yield


async def until_killed(crm: FaultyCrm, job: BulkJob, rows: Any, log: Path, step: int) -> bool:
    """Whether the run ended before the step came."""
    with killed_at(step):
        try:
            await Crew(crm, chunk_rows=3).run(job, rows, log)
        except Killed:
            return False
    return True


def job_number(number: int, job: BulkJob = NEW_LEADS) -> BulkJob:
    return replace(job, id=str(uuid5(UUID(int=0), str(number))))


@pytest.mark.anyio
@pytest.mark.parametrize("faults", [[], ["drop after", None, "drop"]])
async def test_new_rows_are_never_doubled_wherever_a_run_is_killed(tmp_path: Path, faults: list[Any]) -> None:
    async with faulty_crm() as crm:
        step, ended = 0, False
        while not ended:
            step += 1
            job, log, name = job_number(step), tmp_path / f"{step}.jsonl", f"Killed at {step}"
            rows = [BulkRow({"lastname": name} if number != 4 else BAD) for number in range(1, 9)]
            crm.script = list(faults)
            ended = await until_killed(crm, job, rows, log, step)
            crm.script = []
            crew = Crew(crm, chunk_rows=3)
            result = await crew.run(job, rows, log)
            assert result == type(result)(Progress(7, 1, 0, 20), Ending.COMPLETE)
            assert set(crew.told) <= set(range(1, 9))
            wanted = [job.key_of(number) for number in range(1, 9) if number != 4]
            assert await crew.stored(value=name) == sorted(wanted)
            assert [item.number for item in await refusals(log, job)] == [4]
        assert step > 20


@pytest.mark.anyio
async def test_changes_are_never_lost_wherever_a_run_is_killed(tmp_path: Path) -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads(8))
        step, ended = 0, False
        while not ended:
            step += 1
            job, log, title = job_number(step, CHANGED_LEADS), tmp_path / f"{step}.jsonl", f"Killed at {step}"
            rows = titles(8, title)
            ended = await until_killed(crm, job, rows, log, step)
            crew = Crew(crm, chunk_rows=3)
            assert (await crew.run(job, rows, log)).progress.done == 8
            assert await crew.stored("jobtitle", title) == crew.keys(range(1, 9))
        assert step > 15


@pytest.mark.anyio
async def test_a_job_is_taken_up_again_and_again_until_it_is_complete(tmp_path: Path) -> None:
    rng = random.Random(2026)
    async with faulty_crm() as crm:
        ending = None
        while ending is not Ending.COMPLETE:
            crew = Crew(crm, chunk_rows=7)
            crm.script = [rng.choice([None, "drop", "drop after", answer(503)]) for _ in range(40)]
            result = await crew.run(NEW_LEADS, leads(200, bad=[50]), tmp_path / "log")
            ending = result.ending
        assert result.progress == Progress(199, 1, 0, 20)
        assert await crew.stored() == crew.keys([n for n in range(1, 201) if n != 50])


@pytest.mark.anyio
async def test_rows_that_were_never_about_to_be_sent_are_not_looked_for(tmp_path: Path) -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads(10), tmp_path / "log")
        crm.seen.clear()
        crew = Crew(crm)
        result = await crew.run(NEW_LEADS, leads(30), tmp_path / "log")
        assert [method for method, _ in crm.seen] == ["POST", "POST"]
        assert result.progress.done == 30
        assert crew.numbers("done") == list(range(11, 31))


@pytest.mark.anyio
async def test_a_complete_job_sends_nothing_when_it_is_taken_up_again(tmp_path: Path) -> None:
    async with faulty_crm() as crm:
        first = await Crew(crm).run(NEW_LEADS, leads(bad=[3]), tmp_path / "log")
        crm.seen.clear()
        assert await Crew(crm).run(NEW_LEADS, leads(bad=[3]), tmp_path / "log") == first
        assert crm.seen == []


@pytest.mark.anyio
async def test_a_record_that_changed_twice_is_still_refused_after_the_job_was_taken_up(
    tmp_path: Path,
) -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads(4))
        rows = [*titles(4), titles(1)[0]]
        await Crew(crm, 2).run(CHANGED_LEADS, rows[:4], tmp_path / "log")
        crew = Crew(crm, 2)
        await crew.run(CHANGED_LEADS, rows, tmp_path / "log")
        assert crew.numbers("refused") == [5]


class KillingApp:
    """The sandbox, which kills a process at one of its requests, before or after it is carried out."""

    def __init__(self, app: Any, at: int, *, after: bool) -> None:
        self.app, self.at, self.after = app, at, after
        self.process: subprocess.Popen[bytes] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.at -= 1
        if self.at == 0 and not self.after:
            self._kill()
        await self.app(scope, receive, send)
        if self.at == 0 and self.after:
            self._kill()

    def _kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.app.close()


@pytest.mark.anyio
@pytest.mark.parametrize("after", [False, True])
async def test_a_process_that_was_killed_is_taken_up_without_doubling(tmp_path: Path, after: bool) -> None:
    async with faulty_crm() as crm:
        killing = KillingApp(crm.app, 3, after=after)
        crm.app = killing
        log = tmp_path / "log"
        script = [sys.executable, "-m", "tests.dataverse.bulk_process", crm.url, str(log), "60"]
        killing.process = await anyio.to_thread.run_sync(partial(subprocess.Popen, script, cwd=ROOT))
        await anyio.to_thread.run_sync(killing.process.wait)
        assert killing.process.returncode == -9
        crew = Crew(crm, chunk_rows=5)
        result = await crew.run(NEW_LEADS, leads(60), log)
        assert result.progress.done == 60
        assert await crew.stored() == crew.keys(range(1, 61))


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("log*"))


@pytest.mark.anyio
async def test_a_log_holds_no_values_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads(bad=[2]), path)
    content = everything_in(tmp_path)
    assert b"crm_refused" in content
    assert b"xxx" not in content
    assert b'"Bulk"' not in content
    (refused,) = await refusals(path, NEW_LEADS)
    assert (refused.number, refused.key, refused.outcome) == (2, NEW_LEADS.key_of(2), Outcome.REFUSED)
    assert refused.error is not None
    assert refused.error.message.startswith("A text is longer than its column allows")
    assert refused.error.details == {"crm_code": "0x80044331"}
    assert refused.error.code == "crm_refused"


@pytest.mark.anyio
async def test_nothing_is_sent_that_the_log_cannot_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> NoReturn:
        raise OSError(28, "No space left on device")

    async with faulty_crm() as crm:
        crew = Crew(crm)
        async with job_log(tmp_path / "log", NEW_LEADS) as log:
            monkeypatch.setattr("crm_server.state.jobs.go_on", full)
            with pytest.raises(StateError):
                await crew.bulk.run(NEW_LEADS, leads(), log=log)
        assert crm.seen == []
        await crew.sender.aclose()


def test_row_numbers_are_merged_and_found() -> None:
    rng = random.Random(7)
    for _ in range(200):
        ranges = [
            (first, first + rng.randrange(4)) for first in rng.choices(range(1, 40), k=rng.randrange(9))
        ]
        wanted = {number for first, last in ranges for number in range(first, last + 1)}
        numbers = RowNumbers(ranges)
        assert {number for number in range(50) if number in numbers} == wanted
        assert len(numbers) == len(wanted)
