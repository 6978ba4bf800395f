"""Structured filters: they select what they say, cannot be malformed, and are judged as OData text is."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.interaction.connecting import ERAS, Era
from tests.selling.crm import TODAY, Seller, seller

pytestmark = pytest.mark.anyio
KEY = "0a1b2c3d-0000-4000-8000-0123456789ab"


def nested(depth: int, word: str = "any") -> dict[str, Any]:
    """A condition inside of so many layers."""
    found: dict[str, Any] = {"column": "name", "op": "eq", "value": "A"}
    for _ in range(depth):
        found = {word: [found, {"column": "name", "op": "eq", "value": "Z"}]}
    return found


async def three(one: Seller) -> None:
    """Three accounts whose names tell them from all others."""
    await one.make("account", name="T1", revenue=10, address1_city="Bonn", industrycode="Consulting")
    await one.make("account", name="T2", revenue=20, address1_city="Ulm", telephone1="1")
    await one.make("account", name="T3", address1_city="Bonn & Co", websiteurl="https://t3.example")


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ({"column": "revenue", "op": "eq", "value": 10}, "1"),
        ({"column": "revenue", "value": "10"}, "1"),
        ({"column": "revenue", "op": "ne", "value": 10}, "23"),
        ({"column": "revenue", "op": "gt", "value": 10}, "2"),
        ({"column": "Annual revenue", "op": ">=", "value": 10}, "12"),
        ({"column": "revenue", "op": "lt", "value": 20}, "1"),
        ({"column": "revenue", "op": "LE", "value": 20}, "12"),
        ({"column": "revenue", "op": "between", "value": [10, 19.99]}, "1"),
        ({"column": "revenue", "op": "null"}, "3"),
        ({"column": "revenue", "op": "not_null"}, "12"),
        ({"column": "revenue", "op": "eq", "value": None}, "3"),
        ({"column": "revenue", "op": "!=", "value": None}, "12"),
        ({"column": "City", "op": "contains", "value": "ON"}, "13"),
        ({"column": "City", "op": "startswith", "value": "bonn &"}, "3"),
        ({"column": "City", "op": "endswith", "value": "m"}, "2"),
        ({"column": "City", "op": "in", "value": ["Bonn", "Ulm"]}, "12"),
        ({"column": "City", "op": "in", "value": "Ulm"}, "2"),
        ({"column": "City", "op": "not_in", "value": ["Bonn"]}, "23"),
        ({"column": "telephone1", "op": "not_in", "value": ["1"]}, "13"),
        ({"column": "Industry", "op": "eq", "value": "consulting"}, "1"),
        ({"column": "Industry", "op": "ne", "value": "Consulting"}, "23"),
        ({"column": "createdon", "op": "last_days", "value": 1}, "123"),
        ({"column": "createdon", "op": "older_than_days", "value": 1}, ""),
        ({"column": "createdon", "value": f"{TODAY:%Y-%m-%d}"}, "123"),
        ({"column": "createdon", "op": "ge", "value": f"{TODAY + timedelta(days=1):%Y-%m-%d}"}, ""),
        ({"column": "Owner", "value": "me"}, "123"),
        ({"column": "Owner", "op": "ne", "value": "ME"}, ""),
        ({"column": "Owner", "op": "in", "value": ["Kim Akers", "me"]}, "123"),
        ({"column": "Owner", "op": "not_in", "value": ["Kim Akers"]}, "123"),
        ({"column": "Primary contact", "op": "null"}, "123"),
        ({"any": [{"column": "revenue", "value": 10}, {"column": "City", "value": "Ulm"}]}, "12"),
        ({"all": [{"column": "revenue", "value": 10}, {"column": "City", "value": "Ulm"}]}, ""),
        ({"any": [{"all": [{"column": "revenue", "value": 20}]}, {"column": "revenue", "op": "null"}]}, "23"),
    ],
    ids=json.dumps,
)
async def test_each_operator_selects_what_it_says(condition: dict[str, Any], names: str) -> None:
    async with seller() as one:
        await three(one)
        own = {"column": "name", "op": "in", "value": ["T1", "T2", "T3"]}
        found = await one.find("account", own, condition, columns=["name"])
        assert sorted(row["name"] for row in found.content["records"]) == [f"T{number}" for number in names]


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"column": "Nmae", "value": "x"}, "Did you mean name"),
        ({"column": "name", "op": "like", "value": "x"}, "Unknown operator of where 'like'"),
        ({"column": "name"}, "has no value; what is empty is found by op null"),
        ({"column": "name", "op": "eq"}, "has no value"),
        ({"op": "eq", "value": 1}, "Argument where is a list of"),
        ({"column": 5, "value": 1}, "Argument where is a list of"),
        ({"column": "name", "value": "x", "also": 1}, "Argument where is a list of"),
        ({"any": []}, "Argument where is a list of"),
        ({"any": {}, "all": []}, "Argument where is a list of"),
        ({"any": ["name eq 'x'"]}, "Argument where is a list of"),
        (nested(31), "Argument where is a list of"),
        ({"column": "name", "op": "in", "value": []}, "1 to 100 items"),
        ({"column": "name", "op": "in", "value": ["x"] * 500}, "1 to 100 items. Split the question"),
        ({"column": "Primary contact", "op": "in", "value": ["x"] * 500}, "1 to 100 items"),
        ({"column": "Industry", "op": "in", "value": [None, "Consulting"]}, "holds null"),
        ({"column": "revenue", "op": "gt", "value": None}, "holds null"),
        ({"column": "revenue", "op": "between", "value": [1, None]}, "a list of two values"),
        ({"column": "revenue", "op": "between", "value": [1]}, "a list of two values"),
        ({"column": "revenue", "op": "contains", "value": "1"}, "contains works on text"),
        ({"column": "name", "op": "gt", "value": 5}, "is text"),
        ({"column": "name", "op": "contains", "value": 5}, "contains works on text"),
        ({"column": "accountid", "value": "x or revenue gt 5"}, "must be the id of a row"),
        ({"column": "accountid", "value": [KEY]}, "must be the id of a row"),
        ({"column": "createdon", "op": "ge", "value": "2026-02-30"}, "written like 2026-12-31"),
        ({"column": "createdon", "op": "ge", "value": "last week"}, "written like 2026-12-31T15:00"),
        ({"column": "createdon", "op": "le", "value": "9999-12-31"}, "from 1753 to 9998"),
        ({"column": "createdon", "op": "ge", "value": "0001-01-01"}, "from 1753 to 9998"),
        ({"column": "createdon", "op": "last_days", "value": 0}, "from 1 to 36,500"),
        ({"column": "createdon", "op": "last_days", "value": 10**20}, "from 1 to 36,500"),
        ({"column": "createdon", "op": "last_days", "value": "7"}, "from 1 to 36,500"),
        ({"column": "name", "op": "last_days", "value": 7}, "takes a date column"),
        ({"column": "Owner", "op": "contains", "value": "Kim"}, "is a lookup"),
        ({"column": "Owner", "value": 7}, "a record's name or id"),
        ({"column": "Owner", "value": "Kim Akkers"}, "Did you mean one of these"),
        ({"column": "Status", "value": "Aktive"}, "Did you mean Active"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
async def test_a_filter_that_is_wrong_is_answered_with_what_is_right(
    condition: dict[str, Any], says: str
) -> None:
    async with seller() as one:
        error = (await one.find("account", condition)).error
        assert says in error["message"]
        assert error["code"] in ("invalid_input", "unknown_name", "unknown_record")


@pytest.mark.parametrize("text", ["' or 1 eq 1 or name eq '", "x') or contains(name,'", "%", "_1", "[T]1"])
async def test_nothing_in_a_value_gets_out_of_it(text: str) -> None:
    async with seller() as one:
        await three(one)
        for op in ("eq", "contains", "startswith", "in"):
            found = await one.find("account", {"column": "name", "op": op, "value": text}, count=True)
            assert found.content["records"] == [], op


@pytest.mark.parametrize("word", ["any", "all"])
async def test_many_conditions_and_layers_are_taken(word: str) -> None:
    async with seller() as one:
        key = await one.make("account", name="A")
        many = [
            {"column": "name", "op": "ne" if word == "all" else "eq", "value": f"B{n}"} for n in range(140)
        ]
        hit = {"column": "accountid", "value": key}
        where = [hit, *many] if word == "all" else [{"any": [*many, hit]}]
        assert [row["name"] for row in (await one.find("account", *where)).content["records"]] == ["A"]
        deep = await one.find("account", nested(14, word))
        assert not deep.failed, deep.text
        assert "more than 150 conditions" in (await one.find("account", *many, *many)).error["message"]


async def test_lookups_of_one_filter_are_found_on_one_trip_and_once_each() -> None:
    async with seller() as one:
        await three(one)
        one.crm.seen.clear()
        owners = ["Kim Akers", "Dana Ortiz", "Kim Akers", "Robin Counts"] * 20
        found = await one.find("account", {"column": "Owner", "op": "in", "value": owners})
        assert not found.failed
        assert [path.rpartition("/")[2] for _, path in one.crm.seen] == ["$batch", "accounts"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("tool", ["query_records", "list_accounts", "summarize_records"])
async def test_the_policy_judges_both_kinds_of_filter_alike(tool: str, era: Era, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\n[hidden]\naccount = ["revenue"]\n')
    async with seller(str(policy), era=era) as one:
        table = {} if tool == "list_accounts" else {"table": "account"}
        texts = ({"filter": "revenue gt 5"}, {"where": [{"column": "revenue", "op": "gt", "value": 5}]})
        refusals = [(await one.ask(tool, **table, **text)).error for text in texts]
        assert [error["code"] for error in refusals] == ["denied_by_policy"] * 2
        assert refusals[0]["message"] == refusals[1]["message"]
        both = await one.ask(tool, **table, filter="statecode eq 'Active'", where=texts[1]["where"])
        assert both.error["code"] == "denied_by_policy"


async def test_text_and_structure_together_are_both_meant() -> None:
    async with seller() as one:
        await three(one)
        where = {"any": [{"column": "name", "value": "T1"}, {"column": "name", "value": "T2"}]}
        found = await one.find("account", where, filter="revenue gt 10 or revenue eq null")
        assert [row["name"] for row in found.content["records"]] == ["T2"]


async def test_days_ahead_are_counted_from_now() -> None:
    async with seller() as one:
        for days in (2, 5, 9):
            await one.make(
                "task", subject=f"In {days}", scheduledend=f"{TODAY + timedelta(days=days):%Y-%m-%dT%H:%M}"
            )
        soon = {"column": "scheduledend", "op": "next_days", "value": 6}
        found = await one.find("task", soon, {"column": "subject", "op": "startswith", "value": "In "})
        assert sorted(row["subject"] for row in found.content["records"]) == ["In 2", "In 5"]
