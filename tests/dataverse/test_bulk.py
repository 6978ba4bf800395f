"""Many rows at once: each is told what became of it, none is doubled, and a job goes on where it stopped."""

from __future__ import annotations

import random
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_server.dataverse import bulk
from crm_server.dataverse.bulk import CHUNK, Progress, key_of
from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.joblog import JobHeader, JobLog, Numbers, Refused
from crm_tools.errors import InputError
from crm_tools.operations import Create, Delete, Query, Update
from tests.dataverse.faulty_crm import answer, faulty_crm
from tests.dataverse.test_bad_days import client_of
from tests.interaction.connecting import environment

pytestmark = pytest.mark.anyio
JOB = UUID("0a1b2c3d-0000-4000-8000-00000000b01c")
HEADER = JobHeader(str(JOB), "lead", "create", "sha256:rows")
HTML = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>"
FAULTS = [
    "drop",
    "drop after",
    "cut",
    answer(502),
    answer(503),
    answer(504),
    answer(429, retry_after="1"),
    HTML,
]


def creates(number: int, bad: frozenset[int] = frozenset()) -> Iterator[Create]:
    """New leads; a bad one has a name that is longer than its column."""
    for place in range(number):
        name = "x" * 60 if place in bad else f"Bulk {place:05}"
        yield Create("lead", key_of(JOB, place), {"lastname": name, "companyname": "Bulk"})


async def there(client: DataverseClient) -> list[str]:
    """The names of the leads that are there, in order."""
    query = Query(
        "lead", select=("leadid", "lastname", "jobtitle"), filter="companyname eq 'Bulk'", top=5_000
    )
    return sorted(row["lastname"] for row in (await client.query(query)).rows)


def names(number: int, without: frozenset[int] = frozenset()) -> list[str]:
    return [f"Bulk {place:05}" for place in range(number) if place not in without]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks small enough that a few rows are several."""
    monkeypatch.setattr(bulk, "CHUNK", 10)


async def test_many_rows_are_created_and_counted() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        told: list[Progress] = []

        async def report(progress: Progress) -> None:
            told.append(progress)

        result = await client.bulk(creates(35), report=report)
        assert result.progress == Progress(35, 0, 0)
        assert max(progress.done for progress in told) == 35
        assert len(told) == 4
        assert await there(client) == names(35)
        assert sum("CreateMultiple" in target for _, target in crm.seen) == 4
        await client.aclose()


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_happens_to_a_chunk_its_rows_are_there_once(fault: Any) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [fault]
        result = await client.bulk(creates(25))
        assert result.progress == Progress(25, 0, 0)
        assert await there(client) == names(25)
        await client.aclose()


@pytest.mark.parametrize("fault", [None, *FAULTS])
async def test_rows_that_are_refused_are_named_and_the_others_go_in(fault: Any) -> None:
    bad = frozenset({3, 17, 18})
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [None, None, None, None, fault]
        result = await client.bulk(creates(25, bad))
        assert result.progress == Progress(22, 3, 0)
        assert sorted(row.number for row in result.refused) == sorted(bad)
        assert {row.crm_code for row in result.refused} == {"0x80044331"}
        assert all("longer than its column" in row.message for row in result.refused)
        assert await there(client) == names(25, bad)
        await client.aclose()


async def test_rows_with_random_faults_are_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)  # so that the same requests meet the same faults
    rng = random.Random(2026)
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [rng.choice([*[None] * 24, *FAULTS]) for _ in range(120)]
        result = await client.bulk(creates(200, frozenset({50, 120})))
        assert result.progress == Progress(198, 2, 0)
        crm.script = []
        assert await there(client) == names(200, frozenset({50, 120}))
        await client.aclose()


async def test_a_crm_that_stays_away_leaves_rows_open_and_says_why() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [answer(503)] * 500
        result = await client.bulk(creates(15))
        assert result.progress == Progress(0, 0, 15)
        assert "not available" in result.open[0].message
        await client.aclose()


async def test_missing_rights_leave_rows_open_since_they_are_no_fault_of_the_rows() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [answer(403), answer(401)]
        result = await client.bulk(creates(20))
        assert result.progress == Progress(0, 0, 20)
        await client.aclose()


async def made(client: DataverseClient, number: int) -> list[str]:
    await client.bulk(creates(number))
    return [key_of(JOB, place) for place in range(number)]


@pytest.mark.parametrize("fault", [None, *FAULTS])
async def test_rows_are_changed_whatever_happens_and_none_is_created(fault: Any) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        keys = await made(client, 15)
        await client.delete(Delete("lead", keys[4]))
        crm.script = [fault]
        updates = [Update("lead", key, {"jobtitle": f"Title {place}"}) for place, key in enumerate(keys)]
        result = await client.bulk(updates)
        assert result.progress == Progress(14, 1, 0)
        assert [(row.number, row.code) for row in result.refused] == [(4, "not_found")]
        query = Query("lead", select=("leadid", "jobtitle"), filter="companyname eq 'Bulk'", top=50)
        rows = (await client.query(query)).rows
        titles = {row["leadid"]: row["jobtitle"] for row in rows}
        assert titles == {key: f"Title {place}" for place, key in enumerate(keys) if place != 4}
        await client.aclose()


async def test_a_second_row_about_the_same_record_is_refused() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        (key,) = await made(client, 1)
        updates = [Update("lead", spelt, {"jobtitle": spelt[:4]}) for spelt in (key, key.upper())]
        result = await client.bulk(updates)
        assert result.progress == Progress(1, 1, 0)
        assert "same record" in result.refused[0].message
        await client.aclose()


async def test_rows_of_two_kinds_are_no_job() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        with pytest.raises(InputError, match="one table"):
            await client.bulk([*creates(2), Update("lead", str(uuid4()), {"jobtitle": "x"})])
        with pytest.raises(InputError, match="one table"):
            await client.bulk([*creates(2), Create("contact", str(uuid4()), {"lastname": "x"})])
        await client.aclose()


class StoppedError(Exception):
    """Stands for a crash."""


STEPS = range(14)


@pytest.mark.parametrize("step", STEPS)
async def test_a_job_that_stops_at_any_step_goes_on_without_doubling(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps are requests that leave, answers that come and lines that are written."""
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    async with faulty_crm() as crm:
        client = client_of(crm)
        passed = 0

        def pass_a_step() -> None:
            nonlocal passed
            passed += 1
            if passed > step:
                raise StoppedError

        stops_at(client, monkeypatch, pass_a_step)
        log = JobLog(tmp_path / "job.log", HEADER)
        with pytest.raises(BaseExceptionGroup):
            await client.bulk(creates(35, frozenset({12})), log)
        log.close()
        await client.aclose()
        monkeypatch.undo()

        client = client_of(crm)
        log = JobLog(tmp_path / "job.log", HEADER)
        result = await client.bulk(creates(35, frozenset({12})), log)
        log.close()
        assert result.progress == Progress(34, 1, 0)
        assert await there(client) == names(35, frozenset({12}))
        await client.aclose()


def stops_at(client: DataverseClient, monkeypatch: pytest.MonkeyPatch, step: Any) -> None:
    """Call ``step`` before and after each request, and before each line of a log."""
    sender = client._sender
    send, settle = sender.send, JobLog.settle

    async def sending(*arguments: Any) -> Any:
        step()
        response = await send(*arguments)
        step()
        return response

    def settling(*arguments: Any) -> None:
        step()
        settle(*arguments)

    monkeypatch.setattr(sender, "send", sending)
    monkeypatch.setattr(JobLog, "settle", settling)


async def test_a_job_that_is_complete_sends_nothing_when_it_is_run_again(tmp_path: Path) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        for _ in range(2):
            log = JobLog(tmp_path / "job.log", HEADER)
            result = await client.bulk(creates(25, frozenset({7})), log)
            log.close()
            assert result.progress == Progress(24, 1, 0)
            assert result.refused[0].number == 7
            sent, crm.seen = len(crm.seen), []
        assert sent == 0
        await client.aclose()


async def test_a_cancelled_job_stops_and_can_go_on(tmp_path: Path) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        log = JobLog(tmp_path / "job.log", HEADER)
        with anyio.CancelScope() as scope:

            async def report(_progress: Progress) -> None:
                scope.cancel()

            await client.bulk(creates(300), log, report)
        log.close()
        assert scope.cancelled_caught
        assert len(await there(client)) < 300
        log = JobLog(tmp_path / "job.log", HEADER)
        assert (await client.bulk(creates(300), log)).progress == Progress(300, 0, 0)
        log.close()
        assert await there(client) == names(300)
        await client.aclose()


KILLED = """
import sys
from pathlib import Path
import anyio
sys.path.insert(0, {root!r})
from crm_server.dataverse.client import open_client
from crm_server.dataverse.joblog import JobLog
from crm_tools.description import load
from tests.dataverse.test_bulk import HEADER, creates

async def main():
    client = open_client(base_url={url!r}, tables=load().tables)
    log = JobLog(Path({log!r}), HEADER)
    await client.bulk(creates(4_000), log)

anyio.run(main)
"""


async def test_a_job_that_is_killed_goes_on_without_doubling(tmp_path: Path) -> None:
    async with faulty_crm() as crm:
        code = textwrap.dedent(KILLED).format(
            root=str(Path(__file__).parents[2]), url=crm.url, log=str(tmp_path / "job.log")
        )
        async with await anyio.open_process([sys.executable, "-c", code], env=environment()) as process:
            while len(crm.seen) < 6:
                await anyio.lowlevel.checkpoint()
            process.kill()
            await process.wait()
        client = client_of(crm)
        before = len(await there(client))
        assert 0 < before < 4_000
        log = JobLog(tmp_path / "job.log", HEADER)
        assert log.resumed
        assert log.settled <= before
        assert (await client.bulk(creates(4_000), log)).progress == Progress(4_000, 0, 0)
        log.close()
        assert await there(client) == names(4_000)
        await client.aclose()


def test_a_log_is_for_its_owner_only(tmp_path: Path) -> None:
    JobLog(tmp_path / "job.log", HEADER).close()
    assert (tmp_path / "job.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "other",
    [
        JobHeader("another", "lead", "create", "sha256:rows"),
        JobHeader(str(JOB), "contact", "create", "sha256:rows"),
        JobHeader(str(JOB), "lead", "update", "sha256:rows"),
        JobHeader(str(JOB), "lead", "create", "sha256:others"),
    ],
)
def test_the_log_of_another_job_is_refused(other: JobHeader, tmp_path: Path) -> None:
    JobLog(tmp_path / "job.log", HEADER).close()
    with pytest.raises(InputError, match="log of another job"):
        JobLog(tmp_path / "job.log", other)


@pytest.mark.parametrize("text", ["name,city\nFabrikam,Paris\n", "{}\n", "[1]\n", '{"format":2}\n'])
def test_a_file_that_is_no_log_is_refused_and_left_as_it_is(text: str, tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text(text)
    with pytest.raises(InputError, match="not the log of a bulk job"):
        JobLog(tmp_path / "job.log", HEADER)
    assert (tmp_path / "job.log").read_text() == text


def test_a_line_that_was_cut_off_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    log = JobLog(path, HEADER)
    log.settle([0, 1, 2], [Refused(3, "bad_request", "Too long.", "0x80044331")])
    log.settle([4, 5], [])
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    log = JobLog(path, HEADER)
    assert [log.is_settled(number) for number in range(6)] == [True] * 4 + [False] * 2
    assert (log.settled, log.refused) == (4, [Refused(3, "bad_request", "Too long.", "0x80044331")])
    log.settle([4, 5], [])
    log.close()
    assert path.read_bytes() == whole


@settings(derandomize=True, max_examples=300)
@given(st.lists(st.integers(0, 60)))
def test_numbers_hold_what_was_put_in(given_numbers: list[int]) -> None:
    numbers = Numbers()
    for number in given_numbers:
        numbers.add(number)
    assert [number for number in range(62) if number in numbers] == sorted(set(given_numbers))
    assert numbers.count == len(set(given_numbers))
    assert all(low <= high for low, high in numbers.ranges)
    assert all(one[1] + 1 < other[0] for one, other in zip(numbers.ranges, numbers.ranges[1:], strict=False))


def test_a_chunk_has_a_size_that_microsoft_advises() -> None:
    assert 100 <= CHUNK <= 1_000
