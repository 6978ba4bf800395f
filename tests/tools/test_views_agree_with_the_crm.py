"""A view's condition selects the same rows as a filter of ours as it does where the CRM runs the view."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from crm_sandbox import create_app
from crm_tools.fetch_conditions import OPERATORS
from crm_tools.filters import parse_filter
from crm_tools.standard import standard_tables
from crm_tools.views import view_query

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
TABLES = standard_tables()
ROOT = "https://sandbox.invalid/api/data/v9.2/"
_NAMES = ("Contoso 50%", "Contoso 50 a", "100_b", "100xb", "[x] Ltd", "O'Neil", "")


class Crm:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str) -> list[dict[str, Any]]:
        answer = await self._client.get(ROOT + path)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["value"]
        return rows

    async def add(self, entity_set: str, **values: Any) -> None:
        answer = await self._client.post(ROOT + entity_set, json=values)
        assert answer.status_code == 204, answer.text


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def crm(anyio_backend: str) -> AsyncIterator[Crm]:
    app = create_app(now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        one = Crm(client)
        for name in _NAMES:
            # Rows that hold nothing in most columns beside those that hold what is looked for.
            await one.add("accounts", name="x", address1_city=name or None)
        yield one
    app.close()


async def both(crm: Crm, table: str, condition: str) -> tuple[set[str], set[str]]:
    """The keys of the rows of a condition: as the CRM runs it, and as our filter selects them."""
    facts = TABLES[table]
    content = f"<attribute name='{facts.key}'/><filter>{condition}</filter>"
    xml = f"<fetch><entity name='{table}'>{content}</entity></fetch>"
    text = parse_filter(view_query(xml, facts, UTC).filter or "", facts, TABLES).text
    run = await crm.get(f"{facts.entity_set}?fetchXml={quote(xml)}")
    filtered = await crm.get(f"{facts.entity_set}?$select={facts.key}&$filter={quote(text)}")
    return {row[facts.key] for row in run}, {row[facts.key] for row in filtered}


def condition(column: str, operator: str, *values: str) -> str:
    inner = "".join(f"<value>{value}</value>" for value in values)
    return f"<condition attribute='{column}' operator='{operator}'>{inner}</condition>"


_DAYS = ("today", "yesterday", "tomorrow", "last-seven-days", "next-seven-days")
_SPANS = tuple(f"{which}-{unit}" for which in ("last", "this", "next") for unit in ("week", "month", "year"))
_COUNTED = tuple(
    f"{which}-x-{unit}"
    for which in ("last", "next", "olderthan")
    for unit in ("days", "weeks", "months", "years")
)
_HOURS = ("last-x-hours", "next-x-hours", "olderthan-x-hours", "olderthan-x-minutes")
CASES: list[tuple[str, str, str, tuple[str, ...]]] = [
    *(("opportunity", "estimatedclosedate", operator, ()) for operator in (*_DAYS, *_SPANS)),
    *(("opportunity", "estimatedclosedate", operator, ("2",)) for operator in _COUNTED),
    *(("task", "scheduledend", operator, ("30",)) for operator in _HOURS),
    *(
        ("task", "scheduledend", operator, ("2026-11-20",))
        for operator in ("on", "on-or-after", "on-or-before")
    ),
    *(
        ("account", "revenue", operator, ("5000000",))
        for operator in ("gt", "ge", "lt", "le", "eq", "ne", "neq")
    ),
    *(
        ("opportunity", "estimatedclosedate", operator, ("2026-12-01",))
        for operator in ("eq", "ne", "gt", "le")
    ),
    ("account", "createdon", "lt", ("2026-01-01",)),
    ("account", "revenue", "between", ("1000000", "5000000.50")),
    ("account", "revenue", "not-between", ("1000000", "5000000.50")),
    ("account", "industrycode", "in", ("1", "2", "3")),
    ("account", "industrycode", "not-in", ("1", "2", "3")),
    ("account", "statecode", "eq", ("1",)),
    ("account", "primarycontactid", "null", ()),
    ("account", "primarycontactid", "not-null", ()),
    *(("account", "ownerid", operator, ()) for operator in ("eq-userid", "ne-userid", "eq-userteams")),
    ("account", "ownerid", "eq-useroruserteams", ()),
    ("systemuser", "businessunitid", "eq-businessid", ()),
    *(
        ("account", "address1_city", operator, (value,))
        for operator in ("begins-with", "not-begin-with", "ends-with", "not-end-with")
        for value in ("Sea", "tle", "b", "o")
    ),
    *(
        ("account", "address1_city", operator, (value,))
        for operator in ("like", "not-like")
        for value in ("%e%", "Sea%", "%tle", "Seattle", "%", "100_b%", "%50[%]", "%[[]x]%", "%O'N%")
    ),
    *(("account", "address1_city", operator, (value,)) for operator in ("eq", "ne") for value in _NAMES[:-1]),
]


@pytest.mark.parametrize(("table", "column", "operator", "values"), CASES)
async def test_an_operator_selects_here_what_it_selects_in_the_crm(
    crm: Crm, table: str, column: str, operator: str, values: tuple[str, ...]
) -> None:
    run, filtered = await both(crm, table, condition(column, operator, *values))
    assert filtered == run


def test_every_operator_is_held_against_the_crm() -> None:
    assert {operator for _, _, operator, _ in CASES} == OPERATORS


async def test_most_of_these_questions_select_some_rows_and_not_all(crm: Crm) -> None:
    telling = 0
    for table, column, operator, values in CASES:
        run, _ = await both(crm, table, condition(column, operator, *values))
        whole = await crm.get(f"{TABLES[table].entity_set}?$select={TABLES[table].key}")
        telling += 0 < len(run) < len(whole)
    assert telling > len(CASES) * 3 // 4


async def test_each_public_system_view_shows_the_same_rows_in_the_same_order(crm: Crm) -> None:
    views = await crm.get("savedqueries?$filter=querytype eq 0")
    assert len(views) > 10
    for view in views:
        facts = TABLES[view["returnedtypecode"]]
        meant = view_query(view["fetchxml"], facts, UTC)
        text = parse_filter(meant.filter or "", facts, TABLES).text
        run = await crm.get(f"{facts.entity_set}?savedQuery={view['savedqueryid']}")
        order = f"&$orderby={quote(meant.orderby or '')}"
        filtered = await crm.get(f"{facts.entity_set}?$select={facts.key}&$filter={quote(text)}{order}")
        assert {row[facts.key] for row in filtered} == {row[facts.key] for row in run}, view["name"]
        (first, *_) = (meant.orderby or "").split()
        ordered = [await _value(crm, facts.entity_set, row[facts.key], first) for row in filtered[:10]]
        assert ordered == [row.get(first) for row in run[:10]], view["name"]
    assert sum(1 for view in views if view["isdefault"]) == 4


async def _value(crm: Crm, entity_set: str, key: str, column: str) -> Any:
    key_column = entity_set.removesuffix("s").replace("opportunitie", "opportunity") + "id"
    (row,) = await crm.get(f"{entity_set}?$select={column}&$filter={key_column} eq {key}")
    return row[column]
