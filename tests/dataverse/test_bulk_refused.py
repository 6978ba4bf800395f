"""Rows of a job that the CRM or the client refuses: each by its number, and none of the others with it."""

from __future__ import annotations

import math
from dataclasses import replace
from uuid import uuid4

import pytest

from crm_tools.bulk import BulkRow, Ending, Progress
from crm_tools.operations import Binding
from tests.dataverse.bulk_jobs import (
    BAD,
    CHANGED_LEADS,
    CREATE_MULTIPLE,
    EVERYTHING,
    GOOD,
    NEW_LEADS,
    Crew,
    leads,
    titles,
)
from tests.dataverse.faulty_crm import faulty_crm

pytestmark = pytest.mark.anyio


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


async def test_keys_that_exist_at_the_first_try_are_refused_and_the_others_go_in() -> None:
    async with faulty_crm() as crm:
        await Crew(crm).run(NEW_LEADS, leads(5))
        crew = Crew(crm, chunk_rows=20)
        await crew.run(NEW_LEADS, leads())
        assert crew.numbers("refused") == [1, 2, 3, 4, 5]
        assert crew.told[1].error is not None
        assert "exists already" in crew.told[1].error.message
        assert await crew.stored() == crew.keys(EVERYTHING)


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


async def test_a_job_that_nearly_everything_is_refused_of_stops_when_it_was_told_to() -> None:
    async with faulty_crm() as crm:
        crew = Crew(crm, chunk_rows=5)
        result = await crew.run(replace(NEW_LEADS, most_refused=7), [BulkRow(BAD)] * 500)
        assert result.ending is Ending.STOPPED
        assert 7 < result.progress.refused < 60
        assert result.error is not None
        assert "More than 7 rows were refused" in result.error.message
