"""What a condition says of a row is what the CRM's own filter selects, also for what is negated and empty."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sandbox import create_app
from crm_server.app import build_application
from crm_server.settings import Settings
from crm_tools.conditions import Verdict, parse_condition
from crm_tools.description import load
from crm_tools.operations import Create, Query
from crm_tools.tables import Table

TABLES = load().tables
TABLE: Table = TABLES["account"]
COLUMNS = ("name", "address1_city", "revenue", "numberofemployees", "industrycode", "statecode", "createdon")
CITIES = ("Seattle", "seattle", "SEATTLE", "Zürich", "zurich", "O''Fallon", "Sea", "")


class Crm:
    """The sandbox, asked as a filter would be by the server's own client."""

    def __init__(self) -> None:
        self.app = create_app(accounts=60)
        self.loop = asyncio.new_event_loop()
        self.application = build_application(Settings(policy="full-access"), asgi_app=self.app)
        self.client = self.application.crm.client()
        for place, city in enumerate([*CITIES, None]):
            # Rows that hold nothing in most columns, or what differs in case and accents alone.
            values = {"name": f"Odd {place}", "address1_city": city and city.replace("''", "'")}
            self.loop.run_until_complete(self.client.create(Create("account", str(uuid4()), values)))
        self.rows = {row["accountid"]: row for row in self.select(None)}
        assert any(row["revenue"] is None for row in self.rows.values()), "no row to be null about"

    def select(self, filter_: str | None) -> list[dict[str, Any]]:
        query = Query("account", ("accountid", *COLUMNS), filter_, top=5_000)
        return list(self.loop.run_until_complete(self.client.query(query)).rows)

    def selected(self, filter_: str) -> set[str]:
        return {row["accountid"] for row in self.select(filter_)}

    def close(self) -> None:
        self.loop.run_until_complete(self.application.aclose())
        self.loop.close()
        self.app.close()


@pytest.fixture(scope="module")
def crm() -> Iterator[Crm]:
    one = Crm()
    yield one
    one.close()


def _texts(column: str) -> st.SearchStrategy[str]:
    values = st.sampled_from(CITIES)
    compared = st.builds(
        lambda operator, value: f"{column} {operator} '{value}'", st.sampled_from(["eq", "ne"]), values
    )
    parts = st.sampled_from(["Sea", "sea", "ü", "u", "e", "Z", "O''"])
    functions = st.builds(
        lambda name, part: f"{name}({column},'{part}')",
        st.sampled_from(["contains", "startswith", "endswith"]),
        parts,
    )
    listed = st.lists(st.sampled_from(["'Seattle'", "'Zürich'", "'Berlin'"]), min_size=1, max_size=2).map(
        lambda items: f"{column} in ({','.join(items)})"
    )
    return compared | functions | listed | st.sampled_from([f"{column} eq null", f"{column} ne null"])


def _numbers(column: str, values: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
    compared = st.builds(lambda operator, value: f"{column} {operator} {value}", operators, values)
    return compared | st.sampled_from([f"{column} eq null", f"{column} ne null"])


LEAVES = (
    _texts("address1_city")
    | _texts("name")
    | _numbers("revenue", st.sampled_from([0, 1_000_000, 5_000_000, 50_000_000]))
    | _numbers("numberofemployees", st.sampled_from([0, 10, 100, 1_000]))
    | _numbers("industrycode", st.integers(1, 6))
    | _numbers("statecode", st.integers(0, 1))
    | st.sampled_from(["createdon ge 2025-01-01T00:00:00Z", "createdon lt 2025-06-01T00:00:00Z"])
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(
            lambda one, word, other: f"({one}) {word} ({other})", inner, st.sampled_from(["and", "or"]), inner
        )
        | st.builds(lambda one: f"not ({one})", inner)
    ),
    max_leaves=4,
)


@cache
def _seen() -> dict[Verdict, int]:
    return dict.fromkeys(Verdict, 0)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(text=CONDITIONS)
def test_a_condition_judges_each_row_as_the_crm_selects_it(crm: Crm, text: str) -> None:
    condition = parse_condition(text, TABLE, TABLES, to_negate=True)
    within, others = crm.selected(condition.text), crm.selected(condition.negation or "")
    # The rows that are meant and all others: each row is in exactly one of them.
    assert within | others == crm.rows.keys()
    assert not within & others
    for key, row in crm.rows.items():
        verdict = condition.judge(row)
        _seen()[verdict] += 1
        if verdict is Verdict.TRUE:
            assert key in within, (condition.text, row)
        if verdict is Verdict.FALSE:
            assert key in others, (condition.text, row)


def test_plain_comparisons_are_hardly_ever_unknown(crm: Crm) -> None:
    seen = _seen()
    assert seen[Verdict.TRUE] > 500
    assert seen[Verdict.FALSE] > 500
    assert seen[Verdict.UNKNOWN] + seen[Verdict.SILENT] < sum(seen.values()) / 100
