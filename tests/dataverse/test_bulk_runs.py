"""The run of a job: from a source of any length, in bounded requests, to its end or a word to stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import anyio
import pytest

from crm_server.dataverse.bulk import OPEN_CHUNKS
from crm_tools.bulk import BulkRow, Ending, Progress
from crm_tools.errors import InputError
from crm_tools.operations import Access, Action
from tests.dataverse.bulk_jobs import (
    EVERYTHING,
    NEW_LEADS,
    Crew,
    leads,
)
from tests.dataverse.faulty_crm import answer, faulty_crm

pytestmark = pytest.mark.anyio


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
