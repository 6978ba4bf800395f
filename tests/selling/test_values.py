"""Values as people write them: labels, amounts, dates and moments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm_tools.errors import UnknownNameError
from crm_tools.standard import standard_tables
from crm_tools.wording import column_named
from tests.selling.crm import seller

pytestmark = pytest.mark.anyio
BERLIN = ZoneInfo("Europe/Berlin")
LEAP = "2028-02-29"


@pytest.mark.parametrize(
    ("table", "values", "stored"),
    [
        ("lead", {"lastname": "L", "Rating": "hot"}, {"leadqualitycode": 1}),
        ("lead", {"lastname": "L", "leadsourcecode": "  Trade Show "}, {"leadsourcecode": 7}),
        ("lead", {"lastname": "L", "statuscode": "Contacted"}, {"statuscode": 2, "statecode": 0}),
        ("account", {"Account name": "A", "Annual revenue": "1200.50"}, {"revenue": 1200.5}),
        ("account", {"name": "A", "revenue": 100_000_000_000_000}, {"revenue": 1e14}),
        ("opportunity", {"name": "O", "estimatedvalue": -5}, {"estimatedvalue": -5}),
        ("opportunity", {"name": "O", "estimatedclosedate": LEAP}, {"estimatedclosedate": LEAP}),
        ("phonecall", {"subject": "P", "directioncode": "no"}, {"directioncode": False}),
        ("phonecall", {"subject": "P", "directioncode": True}, {"directioncode": True}),
    ],
)
async def test_what_people_write_is_stored_as_meant(
    table: str, values: dict[str, Any], stored: dict[str, Any]
) -> None:
    async with seller() as one:
        key = await one.make(table, **values)
        entity_set = {"opportunity": "opportunities"}.get(table, f"{table}s")
        field = "activityid" if table == "phonecall" else f"{table}id"
        (row,) = await one.crm.rows(f"{entity_set}?$filter={field} eq {key}")
        assert {name: row[name] for name in stored} == stored


@pytest.mark.parametrize(
    ("table", "values", "says"),
    [
        ("lead", {"lastname": "L", "Rating": "Hott"}, "Did you mean Hot?"),
        ("lead", {"lastname": "L", "Rating": "Lukewarm"}, "Did you mean Warm"),
        ("lead", {"lastname": "L", "statuscode": "Qualifed"}, "Did you mean Qualified"),
        ("lead", {"lastname": "L", "Ratting": "Hot"}, "Did you mean Rating"),
        ("lead", {"lastname": "L", "fullname": "x"}, "cannot be set when a record is created"),
        ("lead", {"lastname": "x" * 51}, "at most 50 characters, not 51"),
        ("lead", {"firstname": "x"}, "not created without lastname"),
        ("account", {"name": "A", "revenue": -1}, "from 0 to 100,000,000,000,000"),
        ("account", {"name": "A", "revenue": 1e15}, "from 0 to 100,000,000,000,000"),
        ("account", {"name": "A", "revenue": "NaN"}, "a number such as 1200.50"),
        ("account", {"name": "A", "revenue": "1,200"}, "without currency or separators"),
        ("account", {"name": "A", "revenue": "12 EUR"}, "without currency or separators"),
        ("account", {"name": "A", "revenue": True}, "a number such as 1200.50"),
        ("account", {"name": "A", "numberofemployees": 1.5}, "whole number"),
        ("account", {"name": ["A"]}, "is text"),
        ("account", {"name": "A", "Account name": "B"}, "the same column. Give it once"),
        ("opportunity", {"name": "O", "estimatedclosedate": "next friday"}, "written like 2026-12-31"),
        ("opportunity", {"name": "O", "estimatedclosedate": "31.12.2026"}, "written like 2026-12-31"),
        ("opportunity", {"name": "O", "estimatedclosedate": "2026-02-30"}, "written like 2026-12-31"),
        ("opportunity", {"name": "O", "estimatedclosedate": "1066-10-14"}, "from 1753 to 9998"),
        ("opportunity", {"name": "O", "Customer": 5}, "a record's name or id"),
        ("opportunity", {"name": "O", "Owner": "Kim Akers"}, "Use assign_record"),
        ("phonecall", {"subject": "P", "directioncode": "sideways"}, "true or false"),
        ("task", {"subject": "T", "scheduledend": "tomorrow"}, "written like 2026-12-31T15:00"),
        ("task", {"subject": "T", "scheduledend": "0001-01-01T00:00"}, "from 1753 to 9998"),
    ],
)
async def test_what_does_not_fit_is_answered_with_what_does(
    table: str, values: dict[str, Any], says: str
) -> None:
    async with seller() as one:
        one.crm.seen.clear()
        error = (await one.ask("create_record", table=table, values=values)).error
        assert says in error["message"]
        assert not [method for method, _ in one.crm.seen if method != "GET"]


async def test_a_label_that_several_columns_have_is_answered_with_their_names() -> None:
    lead = standard_tables()["lead"]
    columns = {**lead.columns, "telephone1": replace(lead.columns["telephone1"], label="First name")}
    with pytest.raises(UnknownNameError, match="Several columns have this label: firstname, telephone1"):
        column_named("First Name", replace(lead, columns=columns))
    assert column_named("First Name", lead).name == "firstname"


@pytest.mark.parametrize(
    ("written", "stored", "shown"),
    [
        ("2026-12-31T15:00", "2026-12-31T14:00:00Z", "2026-12-31 15:00"),
        ("2026-07-01T15:00", "2026-07-01T13:00:00Z", "2026-07-01 15:00"),
        ("2026-12-31T15:00Z", "2026-12-31T15:00:00Z", "2026-12-31 16:00"),
        ("2026-12-31T15:00-05:00", "2026-12-31T20:00:00Z", "2026-12-31 21:00"),
        ("2026-12-31", "2026-12-30T23:00:00Z", "2026-12-31 00:00"),
        # An hour that is left out in spring, and one that comes twice in autumn: the first is meant.
        ("2026-03-29T02:30", "2026-03-29T01:30:00Z", "2026-03-29 03:30"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z", "2026-10-25 02:30"),
    ],
)
async def test_moments_are_meant_and_shown_in_the_zone_of_those_who_ask(
    written: str, stored: str, shown: str
) -> None:
    async with seller(time_zone=BERLIN) as one:
        values = {"subject": "T", "scheduledend": written}
        answer = await one.ask("create_record", table="task", values=values)
        assert answer.record["scheduledend"] == stored
        assert f"scheduledend: {shown}" in answer.text
        found = await one.find("task", {"column": "scheduledend", "op": "eq", "value": written})
        assert "T" in [row.get("subject") for row in found.content["records"]]


async def test_a_day_of_the_user_is_no_day_of_greenwich() -> None:
    async with seller(time_zone=BERLIN) as one:
        for moment in ("2027-05-01T00:10", "2027-05-01T23:50", "2027-05-02T00:10"):
            await one.make("task", subject=moment, scheduledend=moment)

        async def on(op: str, value: Any) -> list[str]:
            where = {"column": "scheduledend", "op": op, "value": value}
            lately = {"column": "scheduledend", "op": "ge", "value": "2027-04-30"}
            found = await one.find("task", where, lately)
            return sorted(row["subject"] for row in found.content["records"])

        first = ["2027-05-01T00:10", "2027-05-01T23:50"]
        assert await on("eq", "2027-05-01") == first
        assert await on("le", "2027-05-01") == first
        assert await on("lt", "2027-05-01") == []
        assert await on("gt", "2027-05-01") == ["2027-05-02T00:10"]
        assert await on("ne", "2027-05-01") == ["2027-05-02T00:10"]
        assert await on("between", ["2027-05-01", "2027-05-01"]) == first
