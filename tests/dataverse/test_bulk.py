"""Many rows at once: each has an outcome, whatever the network does."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from crm_server.dataverse.bulk import OPEN_CHUNKS
from crm_tools.bulk import Ending, Progress
from crm_tools.errors import SignInError, ThrottledError, UnavailableError
from tests.dataverse.bulk_jobs import (
    CHANGED_LEADS,
    CREATE_MULTIPLE,
    EVERYTHING,
    NEW_LEADS,
    UPDATE_MULTIPLE,
    Crew,
    leads,
    titles,
)
from tests.dataverse.faulty_crm import answer, faulty_crm

pytestmark = pytest.mark.anyio
PROXY = answer(200, b"<html>The network sign-in page</html>")
NOT_STORED = ["drop", answer(502), answer(503), answer(504), PROXY, answer(500, b"oops"), answer(200, b"{}")]
STORED = ["drop after", "cut"]


async def test_rows_are_created_in_chunks_with_keys_that_the_job_derives() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm)
        result = await crew.run(NEW_LEADS, leads(25))
        assert result.ending is Ending.COMPLETE
        assert result.progress == Progress(done=25, total=20)
        assert await crew.stored() == crew.keys(range(1, 26))
        assert [path for _, path in crm.seen] == [CREATE_MULTIPLE] * 3


@pytest.mark.parametrize("fault", [*NOT_STORED, *STORED])
@pytest.mark.parametrize("rows", [20, 1])
async def test_a_chunk_whose_answer_was_lost_is_stored_once_and_told_as_done(fault: Any, rows: int) -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        crm.script = [fault]
        await crew.run(NEW_LEADS, leads(rows))
        assert crew.numbers("done") == list(range(1, rows + 1))
        assert await crew.stored() == crew.keys(range(1, rows + 1))
        assert [method for method, _ in crm.seen] == (
            ["POST", "GET"] if fault in STORED else ["POST", "GET", "POST"]
        )


@pytest.mark.parametrize("fault", [*NOT_STORED[:-1], *STORED])
async def test_a_chunk_of_changes_whose_answer_was_lost_is_told_as_done(fault: Any) -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads())
        crew = Crew(crm, chunk_rows=20)
        crm.seen.clear()
        crm.script = [fault]
        await crew.run(CHANGED_LEADS, titles())
        assert crew.numbers("done") == EVERYTHING
        assert await crew.stored("jobtitle", "Bulk buyer") == crew.keys(EVERYTHING)
        # Something in between does not answer a change with 204, so the change was made or is made again.
        assert [path for _, path in crm.seen].count(UPDATE_MULTIPLE) == (1 if fault in STORED else 2)


async def test_throttling_waits_as_told_and_stores_once() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        crm.script = [answer(429, Retry_After="7"), None]
        await crew.run(NEW_LEADS, leads())
        assert crew.slept == [7]
        assert await crew.stored() == crew.keys(EVERYTHING)


async def test_a_pause_that_is_longer_than_a_call_is_waited_for() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        crm.script = [answer(429, Retry_After="300"), None]
        result = await crew.run(NEW_LEADS, leads())
        assert result.progress.done == 20
        assert sum(crew.slept) == 300


async def test_a_pause_without_end_stops_the_job_and_says_how_long() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        crm.script = [answer(429, Retry_After="86400")]
        result = await crew.run(NEW_LEADS, leads())
        assert result.ending is Ending.STOPPED
        assert isinstance(result.error, ThrottledError)
        assert result.error.retry_after == 86400
        assert crew.told == {}


async def test_chunks_with_random_faults_are_stored_once_each(tmp_path: Path) -> None:
    rng = random.Random(2026)
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=3)
        crm.script = [rng.choice([None] * 12 + ["drop", "drop after", "cut", answer(503)]) for _ in range(60)]
        rows, log = leads(60, bad=[7, 30, 31]), tmp_path / "job.log"
        result = await crew.run(NEW_LEADS, rows, log)
        while result.ending is Ending.STOPPED:
            # Which requests the faults meet depends on their order; some orders look like an outage.
            told, crew = crew.told, Crew(crm, chunk_rows=3)
            crew.told = told
            result = await crew.run(NEW_LEADS, rows, log)
        assert result.ending is Ending.COMPLETE
        assert crew.numbers("refused") == [7, 30, 31]
        assert await crew.stored() == crew.keys([n for n in range(1, 61) if n not in (7, 30, 31)])


async def test_a_chunk_that_is_too_much_twice_is_sent_in_parts_and_so_are_later_ones() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=200)
        crm.script = [answer(504), None, answer(504)]
        result = await crew.run(NEW_LEADS, leads(200))
        assert result.progress.done == 200
        assert [method for method, _ in crm.seen] == ["POST", "GET", "POST", "GET", *["POST"] * 10]
        assert len(await crew.stored()) == 200


async def test_a_chunk_that_is_carried_out_after_it_was_looked_for_is_recognised() -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads())
        crew = Crew(crm, chunk_rows=20)
        nothing_yet = answer(200, b'{"value": []}')
        crm.script = ["drop", nothing_yet, None]
        await crew.run(NEW_LEADS, leads())
        assert crew.numbers("done") == EVERYTHING
        assert await crew.stored() == crew.keys(EVERYTHING)


async def test_a_part_of_a_chunk_that_is_there_is_not_sent_again() -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads(5))
        crew = Crew(crm, chunk_rows=20)
        crm.script = ["drop"]
        await crew.run(NEW_LEADS, leads())
        assert crew.numbers("done") == EVERYTHING
        assert await crew.stored() == crew.keys(EVERYTHING)


async def test_rows_are_unclear_only_when_the_crm_cannot_be_asked_and_then_nothing_more_is_sent() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=10)
        crm.script = ["drop"] * 200
        result = await crew.run(NEW_LEADS, leads(500))
        assert result.ending is Ending.STOPPED
        assert crew.numbers("unclear") == list(range(1, result.progress.unclear + 1))
        assert result.progress.unclear <= OPEN_CHUNKS * 10
        assert result.error is not None
        assert "Take the job up again" in result.error.message


async def test_no_sign_in_stops_the_job_and_refuses_no_row() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        crm.script = [answer(401)]
        result = await crew.run(NEW_LEADS, leads())
        assert isinstance(result.error, SignInError)
        assert result.progress == Progress(total=20)


async def test_no_connection_stops_the_job_and_refuses_no_row() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm)
        crew.sender.base_url = "http://127.0.0.1:9"
        result = await crew.run(NEW_LEADS, leads())
        assert isinstance(result.error, UnavailableError)
        assert crew.told == {}
