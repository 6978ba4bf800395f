"""Many rows at once: each has an outcome, whatever the network or a bad row does."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import anyio
import pytest

from crm_server.dataverse.bulk import OPEN_CHUNKS
from crm_tools.bulk import BulkRow, Ending, Progress
from crm_tools.errors import InputError, SignInError, ThrottledError, UnavailableError
from crm_tools.operations import Access, Action, Binding
from tests.dataverse.bulk_jobs import (
    BAD,
    CHANGED_LEADS,
    CREATE_MULTIPLE,
    GOOD,
    NEW_LEADS,
    UPDATE_MULTIPLE,
    Crew,
    leads,
    titles,
)
from tests.dataverse.faulty_crm import answer, faulty_crm

pytestmark = pytest.mark.anyio
EVERYTHING = list(range(1, 21))
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


@pytest.mark.parametrize("bad", [[1], [10], [20], [9, 10, 11], EVERYTHING])
async def test_bad_rows_are_named_and_the_others_go_in(bad: list[int]) -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        result = await crew.run(NEW_LEADS, leads(bad=bad))
        assert crew.numbers("refused") == bad
        assert await crew.stored() == crew.keys([n for n in EVERYTHING if n not in bad])
        assert result.progress == Progress(20 - len(bad), len(bad), 0, 20)
        error = crew.told[bad[0]].error
        assert error is not None
        assert error.details["crm_code"] == "0x80044331"
        assert "xxx" not in error.message


async def test_a_bad_row_costs_a_request_for_each_tenth_and_no_more() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=1000)
        await crew.run(NEW_LEADS, leads(1000, bad=[500]))
        assert len(crm.seen) == 1 + 10 + 10 + 10


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


async def test_keys_that_exist_at_the_first_try_are_refused_and_the_others_go_in() -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads(5))
        crew = Crew(crm, chunk_rows=20)
        await crew.run(NEW_LEADS, leads())
        assert crew.numbers("refused") == [1, 2, 3, 4, 5]
        assert crew.told[1].error is not None
        assert "exists already" in crew.told[1].error.message
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


async def test_a_change_of_a_record_that_is_not_there_is_refused_and_creates_nothing() -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads())
        for chunk_rows in (21, 1):
            crew = Crew(crm, chunk_rows)
            nowhere = BulkRow({"jobtitle": "Nobody"}, key=str(uuid4()))
            rows = [*titles(10, f"Title {chunk_rows}"), nowhere, *titles(20, f"Title {chunk_rows}")[10:]]
            await crew.run(CHANGED_LEADS, rows)
            assert crew.numbers("refused") == [11]
            assert crew.told[11].error is not None
            assert crew.told[11].error.code == "not_found"
            assert len(await crew.stored("jobtitle", f"Title {chunk_rows}")) == 20
            assert await crew.stored("jobtitle", "Nobody") == []


async def test_a_lookup_that_leads_nowhere_is_refused_alone() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        nowhere = Binding("parentaccountid", "_parentaccountid_value", "account", str(uuid4()))
        rows = leads()
        rows[4] = BulkRow(GOOD, (nowhere,))
        await crew.run(NEW_LEADS, rows)
        assert crew.numbers("refused") == [5]
        changes = titles()
        changes[4] = BulkRow({"jobtitle": "Bulk buyer"}, (nowhere,), key=NEW_LEADS.key_of(6))
        changes[5] = BulkRow({"jobtitle": "Bulk buyer"}, key=NEW_LEADS.key_of(7))
        crew = Crew(crm, chunk_rows=20)
        await crew.run(CHANGED_LEADS, changes[:6])
        assert crew.numbers("refused") == [5]


async def test_a_second_change_of_the_same_record_is_refused_before_it_is_sent() -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads())
        crew = Crew(crm, chunk_rows=5)
        again = BulkRow({"jobtitle": "Boss"}, key=NEW_LEADS.key_of(3).upper())
        await crew.run(CHANGED_LEADS, [*titles(), again])
        assert crew.numbers("refused") == [21]
        assert crew.told[21].error is not None
        assert crew.told[21].error.message.startswith("Row 3 of this job changes the same record.")
        assert await crew.stored("jobtitle", "Boss") == []


@pytest.mark.parametrize(
    "row",
    [
        BulkRow({"lastname": math.nan}),
        BulkRow({"lastname": "\ud800"}),
        BulkRow({"lastname": object()}),
        BulkRow({"ownerid": "x"}),
        BulkRow(GOOD, (Binding("ownerid", "_ownerid_value", "systemuser", None),)),
    ],
)
async def test_a_row_that_cannot_be_sent_is_refused_and_does_not_harm_the_others(row: BulkRow) -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        await crew.run(NEW_LEADS, [*leads(3), row, *leads(3)])
        assert crew.numbers("refused") == [4]
        assert [path for _, path in crm.seen] == [CREATE_MULTIPLE]


@pytest.mark.parametrize("key", [None, "", "accounts(1)", "{6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b}"])
async def test_a_change_without_an_id_is_refused_before_it_is_sent(key: str | None) -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm)
        await crew.run(CHANGED_LEADS, [BulkRow({"jobtitle": "x"}, key=key)])
        assert crew.numbers("refused") == [1]
        assert crm.seen == []


async def test_a_request_is_bounded_by_its_size_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_server.dataverse.bulk_rows.MOST_BYTES", 1000)
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        await crew.run(NEW_LEADS, leads())
        assert len(crm.seen) == 5
        assert await crew.stored() == crew.keys(EVERYTHING)


async def test_a_source_is_read_as_far_as_there_is_room_and_never_as_a_whole() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=10)
        ahead: list[int] = []
        read = 0

        def source() -> Iterator[BulkRow]:
            nonlocal read
            for row in leads(400):
                read += 1
                ahead.append(read - len(crew.told))
                yield row

        await crew.run(NEW_LEADS, source())
        assert len(crew.told) == 400
        assert max(ahead) <= (OPEN_CHUNKS + 2) * 10


async def test_an_asynchronous_source_is_read_too() -> None:
    async def source() -> AsyncIterator[BulkRow]:
        for row in leads():
            await anyio.lowlevel.checkpoint()
            yield row

    async with faulty_crm() as crm:
        crew = Crew(crm)
        await crew.run(NEW_LEADS, source())
        assert await crew.stored() == crew.keys(EVERYTHING)


async def test_progress_is_told_chunk_by_chunk_and_ends_with_the_result() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=5)
        told: list[Progress] = []

        async def progress(now: Progress) -> None:
            told.append(now)

        result = await crew.run(NEW_LEADS, leads(bad=[3]), progress=progress)
        assert [item.done + item.refused for item in told] == [5, 10, 15, 20]
        assert told[-1] == result.progress == Progress(19, 1, 0, 20)


async def test_a_cancelled_job_sends_nothing_more_and_says_what_is_done() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=2)
        cancel = anyio.Event()

        async def progress(_: Progress) -> None:
            cancel.set()

        result = await crew.run(NEW_LEADS, leads(200), cancel=cancel, progress=progress)
        assert result.ending is Ending.CANCELLED
        assert 0 < result.progress.done == len(crew.told) <= OPEN_CHUNKS * 2 + 2
        assert await crew.stored() == crew.keys(crew.numbers("done"))


async def test_a_job_that_is_cancelled_during_a_long_pause_ends_soon() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=20)
        cancel = anyio.Event()
        crm.script = [answer(429, Retry_After="500")]
        plain = crew.sender.sleep

        async def sleep(seconds: float) -> None:
            cancel.set()
            await plain(seconds)

        crew.sender.sleep = sleep
        result = await crew.run(NEW_LEADS, leads(), cancel=cancel)
        assert result.ending is Ending.CANCELLED
        assert crew.slept.now <= 10


async def test_a_job_that_is_cancelled_when_all_is_done_is_complete() -> None:
    async with faulty_crm() as crm:
        cancel = anyio.Event()

        async def progress(_: Progress) -> None:
            cancel.set()

        result = await Crew(crm, 20).run(NEW_LEADS, leads(), cancel=cancel, progress=progress)
        assert result.ending is Ending.COMPLETE


async def test_a_job_that_nearly_everything_is_refused_of_stops_when_it_was_told_to() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=5)
        result = await crew.run(replace(NEW_LEADS, most_refused=7), [BulkRow(BAD)] * 500)
        assert result.ending is Ending.STOPPED
        assert 7 < result.progress.refused < 60
        assert result.error is not None
        assert "More than 7 rows were refused" in result.error.message


async def test_a_fault_of_the_source_or_of_a_callback_ends_the_run_as_itself() -> None:
    async def progress(_: Progress) -> None:
        raise LookupError("the one who listens")

    async with faulty_crm() as crm:
        with pytest.raises(LookupError):
            await Crew(crm).run(NEW_LEADS, leads(), progress=progress)
        with pytest.raises(ZeroDivisionError):
            await Crew(crm).run(NEW_LEADS, (BulkRow({"lastname": str(1 / 0)}) for _ in range(3)))


@pytest.mark.parametrize(
    "job",
    [
        replace(NEW_LEADS, id="x"),
        replace(NEW_LEADS, table="nothing"),
        replace(NEW_LEADS, action=Action.DELETE),
    ],
)
async def test_a_job_that_is_none_is_refused(job: Any) -> None:
    async with faulty_crm() as crm:
        with pytest.raises(InputError):
            await Crew(crm).run(job, leads())
        assert crm.seen == []


def test_the_key_of_a_row_is_the_version_5_uuid_of_its_number() -> None:
    for number in (1, 2, 999_999, 1_000_000):
        assert NEW_LEADS.key_of(number) == str(uuid5(UUID(NEW_LEADS.id), str(number)))


def test_a_policy_is_asked_about_every_column_of_a_job() -> None:
    assert NEW_LEADS.accesses() == (
        Access(Action.BULK, "lead", writes=NEW_LEADS.columns),
        Access(Action.CREATE, "lead", writes=NEW_LEADS.columns),
    )
