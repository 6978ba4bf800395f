"""An import is judged as a whole and row by row, and takes from the budgets what it changes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.bulk_tools.desk import Desk, desk
from tests.interaction.connecting import policy_file

pytestmark = pytest.mark.anyio
FREE = 'extends = "full-access"\n'
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def leads(count: int, **values: Any) -> list[dict[str, Any]]:
    return [
        {"lastname": f"Lead {number}", "companyname": "Fjord Marine", **values} for number in range(count)
    ]


LARGE = """
[[rules]]
id = "about-large-leads"
effect = "{}"
actions = ["create"]
tables = ["lead"]
values = "estimatedamount gt 1000"
"""


async def prepared(at: Desk, rows: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    return await at.call("import_records", table="lead", rows=rows, **arguments)


async def imported(at: Desk, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return await at.call("import_records", job=(await prepared(at, rows))["job"])


async def why_none_is_prepared(at: Desk, rows: list[dict[str, Any]]) -> str:
    return await at.refused("import_records", table="lead", rows=rows)


async def stored(at: Desk) -> list[dict[str, Any]]:
    return await at.rows("leads?$filter=companyname eq 'Fjord Marine'&$orderby=leadqualitycode")


def governed(folder: Path, text: str) -> AbstractAsyncContextManager[Desk]:
    """A desk, at the same moment for ever, where everything is free but for this."""
    return desk(folder, policy_file(folder, FREE + text), now=lambda: NOW)


async def test_a_human_who_declines_keeps_every_row_out(tmp_path: Path) -> None:
    async with desk(tmp_path, human="decline") as at:
        first = await prepared(at, leads(3))
        assert "did not agree" in await at.refused("import_records", job=first["job"])
        assert await stored(at) == []


async def test_where_the_policy_allows_it_nobody_is_asked(tmp_path: Path) -> None:
    async with desk(tmp_path, "full-access", human="decline") as at:
        assert (await imported(at, leads(3)))["created"] == 3
        assert at.human.questions == []


async def test_a_policy_that_allows_no_bulk_offers_no_import(tmp_path: Path) -> None:
    async with desk(tmp_path, "read-only") as at:
        names = {tool.name for tool in (await at.client.list_tools()).tools}
        assert "export_records" in names
        assert "import_records" not in names


async def test_a_job_has_at_most_as_many_rows_as_the_policy_says(tmp_path: Path) -> None:
    async with governed(tmp_path, "[limits]\nrows_per_bulk = 2\n") as at:
        said = await why_none_is_prepared(at, leads(3))
        assert "allows 2 rows for one job, and this one has 3" in said
        assert (await imported(at, leads(2)))["created"] == 2


async def test_a_hidden_column_cannot_be_imported(tmp_path: Path) -> None:
    async with governed(tmp_path, '[hidden]\nlead = ["jobtitle"]\n') as at:
        said = await why_none_is_prepared(at, leads(1, jobtitle="Chief"))
        assert "lead.jobtitle" in said


async def test_rows_with_values_that_a_rule_denies_are_left_out(tmp_path: Path) -> None:
    async with governed(tmp_path, LARGE.format("deny")) as at:
        rows = [*leads(1, estimatedamount=10), *leads(1, estimatedamount=5000)]
        first = await prepared(at, rows)
        assert (first["rows"], first["left_out"]) == (1, 1)
        assert "about-large-leads" in first["problems"][0]["why"]
        done = await at.call("import_records", job=first["job"])
        assert done["created"] == 1


async def test_a_rule_that_asks_about_one_row_asks_about_the_job(tmp_path: Path) -> None:
    async with governed(tmp_path, LARGE.format("confirm")) as at:
        await imported(at, leads(2, estimatedamount=10))
        assert at.human.questions == []
        await imported(at, leads(2, estimatedamount=5000))
        assert len(at.human.questions) == 1


async def test_records_outside_of_what_may_be_written_are_left_out_of_a_change(tmp_path: Path) -> None:
    text = """
    [[rules]]
    id = "everything"
    effect = "allow"
    actions = ["read", "search", "aggregate", "create", "bulk"]
    tables = ["*"]

    [[rules]]
    id = "change-warm-leads"
    effect = "allow"
    actions = ["update"]
    tables = ["lead"]
    rows = "leadqualitycode eq 2"
    """
    async with governed(tmp_path, text) as at:
        await imported(at, [*leads(1, leadqualitycode="Warm"), *leads(1, leadqualitycode="Cold")])
        made = await stored(at)
        warm, cold = (row["leadid"] for row in made)
        rows = [{"id": warm, "jobtitle": "A"}, {"id": cold, "jobtitle": "B"}]
        first = await prepared(at, rows, mode="update")
        assert first["rows"] == 1
        assert first["problems"][0]["row"] == 2
        assert "only some rows" in first["problems"][0]["why"]
        out = [{"id": warm, "leadqualitycode": "Hot"}]
        assert (await prepared(at, out, mode="update"))["rows"] == 0


async def test_each_row_counts_for_the_limits_of_a_day_and_the_job_once_for_the_minute(
    tmp_path: Path,
) -> None:
    text = "[limits]\nwrites_per_minute = 3\nwrites_per_day = 10\n"
    async with governed(tmp_path, text) as at:
        assert (await imported(at, leads(6)))["created"] == 6
        said = await why_none_is_prepared(at, leads(5))
        assert "The job would change 5 records, and 4 of 10 writes per day left" in said
        assert (await imported(at, leads(4)))["created"] == 4
        said = await at.refused("create_record", table="lead", values={"lastname": "One more"})
        assert "10 writes per day" in said


async def test_each_row_is_a_record_of_its_own_for_the_limit_on_records(tmp_path: Path) -> None:
    text = "[limits]\nrecords_per_day = 5\n"
    async with governed(tmp_path, text) as at:
        await imported(at, leads(4))
        await at.call("create_record", table="lead", values={"lastname": "Fifth"})
        said = await at.refused("create_record", table="lead", values={"lastname": "Sixth"})
        assert "records per day" in said


async def test_the_policy_in_force_when_the_job_runs_is_the_one_that_counts(tmp_path: Path) -> None:
    async with governed(tmp_path, "[limits]\nwrites_per_day = 4\n") as at:
        first = await prepared(at, leads(4))
        await at.call("create_record", table="lead", values={"lastname": "In between"})
        assert "4 records, and 3 of 4" in await at.refused("import_records", job=first["job"])
        assert await stored(at) == []


async def test_a_job_is_in_the_journal_and_cannot_be_undone_as_a_whole(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        done = await imported(at, leads(2))
        (change,) = (await at.call("list_changes"))["records"]
        assert change["change_id"] == done["change_id"]
        assert change["action"] == "bulk"
        assert "one by one" in await at.refused("undo_change", change_id=done["change_id"])
