"""Imports: shown first, then carried out exactly as they were shown, with an outcome for each row."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.bulk_tools.desk import LEADS, Desk, desk
from tests.interaction.connecting import ERAS, Era

pytestmark = pytest.mark.anyio
FJORD = "leads?$filter=companyname eq 'Fjord Marine'"


async def shown(
    at: Desk, content: str | bytes = LEADS, table: str = "lead", **arguments: Any
) -> dict[str, Any]:
    at.file("given.csv", content)
    return await at.call("import_records", table=table, file="given.csv", **arguments)


@pytest.mark.parametrize("era", ERAS)
async def test_a_file_is_shown_agreed_to_and_imported(era: Era, tmp_path: Path) -> None:
    async with desk(tmp_path, era=era) as at:
        first = await shown(at)
        assert first["mapping"][0] == {"from": "Last name", "to": "lastname", "examples": "Lund, Berg, Moen"}
        assert (first["rows"], first["left_out"]) == (3, 0)
        assert "A human is asked first" in first["note"]
        assert await at.rows(FJORD) == []

        done = await at.call("import_records", job=first["job"])
        assert (done["created"], done["refused"]) == (3, 0)
        (question,) = at.human.questions
        assert "Create 3 leads in one job" in question
        assert "Last name Lund, First name Mia" in question
        assert "Lead source Trade Show" in question
        mia, eli = await at.rows(f"{FJORD}&$orderby=lastname")
        assert (mia["lastname"], mia["leadsourcecode"], eli["leadsourcecode"]) == ("Lund", 7, 8)


async def test_the_progress_of_a_job_is_told(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        job = (await shown(at))["job"]
        await at.call("import_records", job=job)
        assert at.told[-1] == (3, 3, "3 rows done")


async def test_what_is_carried_out_is_what_was_shown_whatever_became_of_the_file(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        job = (await shown(at))["job"]
        at.file("given.csv", "Last name\nSomebody Else\n")
        await at.call("import_records", job=job)
        assert len(await at.rows(FJORD)) == 2
        assert await at.rows("leads?$filter=lastname eq 'Somebody Else'") == []


async def test_a_job_that_is_called_twice_makes_each_row_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        job = (await shown(at))["job"]
        first = await at.call("import_records", job=job)
        again = await at.call("import_records", job=job)
        assert again["created"] == first["created"] == 3
        assert len(at.human.questions) == 1
        assert len(await at.rows(FJORD)) == 2


async def test_the_same_rows_prepared_again_are_told_of(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        job = (await shown(at))["job"]
        assert "warning" not in await shown(at)
        await at.call("import_records", job=job)
        assert "imported before" in (await shown(at))["warning"]


async def test_half_bad_rows_are_named_and_the_good_half_goes_in(tmp_path: Path) -> None:
    bad = (
        LEADS
        + ",Nobody,Nowhere,n@x.example,Web\n"
        + "Odd,Ida,X,i@x.example,Webb\n"
        + 'Sly,"=HYPERLINK(""http://x"")",X,s@x.example,Web\n'
        + "Short,Row\n"
        + f"{'L' * 51},Long,X,l@x.example,Web\n"
    )
    async with desk(tmp_path) as at:
        first = await shown(at, bad)
        why = {item["row"]: item["why"] for item in first["problems"]}
        assert (first["rows"], first["left_out"]) == (3, 5)
        assert "needs lastname" in why[5]
        assert "Did you mean Web?" in why[6]
        assert "formula" in why[7]
        assert "2 cells and the first line 5" in why[8]
        assert "50 characters" in why[9]

        done = await at.call("import_records", job=first["job"])
        assert done["created"] == 3
        assert "5 rows left out" in at.human.questions[0]
        with (tmp_path / done["outcomes"]).open(encoding="utf-8-sig", newline="") as file:
            outcomes = {int(row["row"]): row for row in csv.DictReader(file)}
        assert [outcomes[row]["outcome"] for row in range(2, 10)] == ["done"] * 3 + ["left out"] * 5
        (mia,) = await at.rows("leads?$filter=emailaddress1 eq 'mia@fjord.example'")
        assert outcomes[2]["id"] == mia["leadid"]


async def test_columns_that_are_not_known_are_all_named_with_what_to_write(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.file("given.csv", "Last name,Compny,Shoe size,Status\nLund,Fjord,42,Open\n")
        said = await at.refused("import_records", table="lead", file="given.csv")
        assert "'Compny' is no column of lead; did you mean companyname" in said
        assert "'Shoe size' is no column" in said
        assert 'Give mapping, such as {"Compny": "companyname"' in said
        assert "Nothing was changed" in said
        mapping = {"Compny": "companyname", "Shoe size": None, "Status": None}
        found = await at.call("import_records", table="lead", file="given.csv", mapping=mapping)
        assert [item["to"] for item in found["mapping"]] == [
            "lastname",
            "companyname",
            "left out",
            "left out",
        ]


async def test_lookups_go_by_name_and_one_that_leads_nowhere_or_to_several_leaves_its_row_out(
    tmp_path: Path,
) -> None:
    people = 'Last name,Company name\nLund,"Fabrikam, Inc."\nBerg,No Such Company\nMoen,Contoso Ltd\n'
    async with desk(tmp_path) as at:
        await at.call("create_record", table="account", values={"name": "Contoso Ltd"})
        accounts = await at.rows("accounts?$filter=name eq 'Contoso Ltd'")
        first = await shown(at, people, table="contact", mapping={"Company name": "parentcustomerid_account"})
        why = {item["row"]: item["why"] for item in first["problems"]}
        assert first["rows"] == 3 - len(why)
        assert "No record matches" in why[3]
        assert (4 in why) is (len(accounts) > 1)
        await at.call("import_records", job=first["job"])
        (mia,) = await at.rows("contacts?$filter=lastname eq 'Lund'&$expand=parentcustomerid_account")
        assert mia["parentcustomerid_account"]["name"] == "Fabrikam, Inc."


async def test_rows_can_be_given_in_the_call(tmp_path: Path) -> None:
    rows = [{"Last name": "Lund", "Company name": "Fjord Marine"}, {"lastname": "Moen"}]
    async with desk(tmp_path, files=False) as at:
        first = await at.call("import_records", table="lead", rows=rows[:1])
        done = await at.call("import_records", job=first["job"])
        assert done["created"] == 1
        assert "outcomes" not in done
        said = await at.refused("import_records", table="lead", rows=rows)
        assert "both go to lastname" in said


async def test_records_are_changed_by_what_tells_them_apart(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.call("import_records", job=(await shown(at))["job"])
        changes = "E-mail,Job title\nmia@fjord.example,Director\nMIA@fjord.example,Chief\nno@one.example,X\n"
        first = await shown(at, changes, mode="update", match_on="E-mail")
        why = {item["row"]: item["why"] for item in first["problems"]}
        assert "No record has emailaddress1 'no@one.example'" in why[4]
        done = await at.call("import_records", job=first["job"])
        assert (done["changed"], done["refused"]) == (1, 1)
        assert "changes the same record" in done["problems"][0]["why"]
        (mia,) = await at.rows("leads?$filter=emailaddress1 eq 'mia@fjord.example'")
        assert mia["jobtitle"] == "Director"
        assert mia["lastname"] == "Lund"


async def test_rows_that_exist_are_left_out_of_an_import_that_creates(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.call("import_records", job=(await shown(at))["job"])
        more = (
            LEADS
            + "New,One,Fjord Marine,new@fjord.example,Web\nNew,Twin,Fjord Marine,new@fjord.example,Web\n"
        )
        first = await shown(at, more, match_on="emailaddress1")
        assert (first["rows"], first["left_out"]) == (1, 4)
        assert "already" in first["problems"][0]["why"]
        assert first["problems"][-1] == {"row": 6, "why": "Row 5 has the same emailaddress1."}


async def test_an_export_that_was_changed_in_a_spreadsheet_comes_back_as_changes(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        where = [{"column": "companyname", "op": "eq", "value": "Holm Supply"}]
        await at.call(
            "export_records", table="lead", file="out.csv", where=where, columns=["lastname", "jobtitle"]
        )
        text = (tmp_path / "out.csv").read_text(encoding="utf-8-sig").replace("IT Director", "'=Owner")
        first = await shown(at, text, mode="update")
        done = await at.call("import_records", job=first["job"])
        assert done["changed"] == first["rows"] > 0
        assert len(await at.rows("leads?$filter=jobtitle eq '=Owner'")) == text.count("'=Owner")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "Give table"),
        ({"table": "lead"}, "either rows or file"),
        ({"table": "lead", "rows": [{"lastname": "A"}], "file": "x.csv"}, "either rows or file"),
        ({"table": "lead", "rows": []}, "no rows"),
        ({"table": "leed", "rows": [{"lastname": "A"}]}, "lead"),
        ({"table": "lead", "file": "none.csv"}, "no file none.csv"),
        ({"table": "lead", "file": "../secrets.csv"}, "name alone"),
        ({"table": "lead", "file": "/etc/passwd"}, "name alone"),
        ({"table": "lead", "rows": [{"lastname": "A"}], "mapping": {"x": "y"}}, "'x'"),
        ({"table": "lead", "rows": [{"lastname": "A"}], "mapping": {"lastname": None}}, "No column is left"),
        ({"table": "lead", "rows": [{"lastname": "A"}], "mode": "update"}, "match_on"),
        ({"table": "lead", "rows": [{"lastname": "A"}], "match_on": "emailaddress1"}, "emailaddress1"),
        ({"table": "lead", "rows": [{"id": "A", "lastname": "B"}]}, "mode update"),
        ({"table": "lead", "rows": [{"id": "A", "statecode": "Open"}], "mode": "update"}, "one by one"),
        ({"table": "lead", "rows": [{"ownerid": "Kim Akers"}]}, "cannot be set"),
        ({"job": "0b6c0f0a-0000-4000-8000-000000000000"}, "no job of yours"),
        ({"job": "made up"}, "no job of yours"),
        ({"job": "0b6c0f0a-0000-4000-8000-000000000000", "table": "lead"}, "leave out table"),
    ],
)
async def test_bad_arguments_say_what_to_change(arguments: dict[str, Any], says: str, tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        assert says in await at.refused("import_records", **arguments)


async def test_an_import_without_one_good_row_has_no_job(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        first = await at.call("import_records", table="lead", rows=[{"lastname": ""}, {"lastname": None}])
        assert "job" not in first
        assert first["rows"] == 0
        assert "nothing was changed" in first["note"]


async def test_a_file_in_another_encoding_is_refused_with_what_to_save(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.file("old.csv", "Last name\nMüller\n".encode("cp1252"))
        assert "CSV UTF-8" in await at.refused("import_records", table="lead", file="old.csv")


async def test_without_a_folder_files_are_refused_with_who_can_set_one(tmp_path: Path) -> None:
    async with desk(tmp_path, files=False) as at:
        assert "DYNAMICS_FILES" in await at.refused("import_records", table="lead", file="x.csv")


async def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("Last name\nSecret\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.csv").symlink_to(outside)
    async with desk(folder) as at:
        assert "cannot be read" in await at.refused("import_records", table="lead", file="link.csv")
