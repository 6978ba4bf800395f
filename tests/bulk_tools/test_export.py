"""Exports: what may be read, whole, in a file that no spreadsheet runs; a few records in the answer."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.bulk_tools.desk import desk
from tests.interaction.connecting import ERAS, Era

pytestmark = pytest.mark.anyio
HIDING = """
extends = "sales-assistant"
[hidden]
lead = ["emailaddress1"]

[limits]
rows_per_read = 50
"""
WHERE = [{"column": "companyname", "op": "eq", "value": "Fjord Marine"}]


def table_in(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("era", ERAS)
async def test_all_that_match_are_in_the_file_over_many_pages(era: Era, tmp_path: Path) -> None:
    policy = tmp_path / "small-pages.toml"
    policy.write_text('extends = "sales-assistant"\n[limits]\nrows_per_read = 50\n')
    async with desk(tmp_path, str(policy), era=era) as at:
        told = await at.call("export_records", table="lead", file="leads.csv", columns=["fullname", "status"])
        found = table_in(tmp_path / "leads.csv")
        whole = await at.rows("leads?$select=leadid")
        assert told["rows"] == len(found) == len(whole)
        assert told["more"] is False
        assert {row["leadid"] for row in found} == {row["leadid"] for row in whole}
        assert {row["statecode"] for row in found} <= {"Open", "Qualified", "Disqualified"}
        assert len(at.told) >= len(whole) // 50 - 1


async def test_labels_names_and_whole_texts_are_in_the_file(tmp_path: Path) -> None:
    text = "line one\nline \u2066two\u2069, with <b>marks</b> " + "x" * 1500
    async with desk(tmp_path) as at:
        values = {
            "lastname": "Lund",
            "companyname": "Fjord Marine",
            "leadsourcecode": "Web",
            "description": text,
        }
        await at.call("create_record", table="lead", values=values)
        columns = ["lastname", "leadsourcecode", "description", "Owner"]
        await at.call("export_records", table="lead", file="x.csv", where=WHERE, columns=columns)
        (row,) = table_in(tmp_path / "x.csv")
        assert (row["lastname"], row["leadsourcecode"]) == ("Lund", "Web")
        assert row["description"] == text
        assert row["ownerid"]


async def test_a_text_that_a_spreadsheet_would_run_is_marked_as_text(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        values = {"lastname": "=HYPERLINK(1)", "companyname": "Fjord Marine"}
        await at.call("create_record", table="lead", values=values)
        await at.call("export_records", table="lead", file="x.csv", where=WHERE, columns=["lastname"])
        assert table_in(tmp_path / "x.csv")[0]["lastname"] == "'=HYPERLINK(1)"


async def test_json_lines_have_values_as_they_are(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        values = {"lastname": "Lund", "companyname": "Fjord Marine", "estimatedamount": 1200.5}
        await at.call("create_record", table="lead", values=values)
        columns = ["lastname", "estimatedamount", "jobtitle"]
        await at.call("export_records", table="lead", file="x.jsonl", where=WHERE, columns=columns)
        (line,) = (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()
        assert json.loads(line) == {
            "leadid": json.loads(line)["leadid"],
            "lastname": "Lund",
            "estimatedamount": 1200.5,
        }


async def test_without_a_file_a_few_records_are_in_the_answer_and_the_rest_is_told(tmp_path: Path) -> None:
    async with desk(tmp_path, files=False) as at:
        told = await at.call("export_records", table="lead", columns=["lastname"])
        assert (told["rows"], told["more"]) == (200, True)
        assert "name a file" in told["note"]
        few = await at.call("export_records", table="lead", columns=["lastname"], most=3, orderby="lastname")
        assert (len(few["records"]), few["more"]) == (3, True)


async def test_what_the_policy_hides_is_in_no_export(tmp_path: Path) -> None:
    policy = tmp_path / "hiding.toml"
    policy.write_text(HIDING)
    async with desk(tmp_path, str(policy)) as at:
        await at.call("export_records", table="lead", file="x.csv")
        assert "emailaddress1" not in table_in(tmp_path / "x.csv")[0]
        said = await at.refused("export_records", table="lead", file="y.csv", columns=["E-mail"])
        assert "lead.emailaddress1" in said
        assert not (tmp_path / "y.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"table": "leed"}, "lead"),
        ({"table": "lead", "file": "../x.csv"}, "name alone"),
        ({"table": "lead", "file": "x.exe"}, "name alone"),
        ({"table": "lead", "file": "there.csv"}, "another name"),
        ({"table": "lead", "columns": ["shoe size"]}, "shoe size"),
        ({"table": "lead", "most": 0}, "most"),
    ],
)
async def test_bad_arguments_say_what_to_change(arguments: dict[str, Any], says: str, tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.file("there.csv", "kept")
        assert says in await at.refused("export_records", **arguments)
        assert (tmp_path / "there.csv").read_text() == "kept"
