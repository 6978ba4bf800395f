"""A structured filter selects exactly the rows that a naive reading of it selects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from anyio.from_thread import start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.selling.crm import Seller, seller

Row = Mapping[str, Any]
NUMBERS = ("revenue", "numberofemployees")
TEXTS = ("address1_city", "name", "telephone1")
LABEL = "@OData.Community.Display.V1.FormattedValue"


def compared(value: Any, op: str, other: Any) -> bool:
    """A comparison as Dataverse makes it: what is empty is only equal to nothing, and differs from all."""
    if value is None:
        return op == "ne"
    return {
        "eq": value == other, "ne": value != other, "gt": value > other,
        "ge": value >= other, "lt": value < other, "le": value <= other,
    }[op]  # fmt: skip


def holds(row: Row, node: Mapping[str, Any]) -> bool:
    """Whether a row is meant by a condition."""
    if "any" in node:
        return any(holds(row, part) for part in node["any"])
    if "all" in node:
        return all(holds(row, part) for part in node["all"])
    column, op = node["column"], node["op"]
    wanted: Any = node.get("value")
    value = row.get(column + LABEL) if column in ("statecode", "industrycode") else row.get(column)
    match op:
        case "null" | "not_null":
            return (value is None) is (op == "null")
        case "in":
            return any(compared(value, "eq", item) for item in wanted)
        case "not_in":
            return all(compared(value, "ne", item) for item in wanted)
        case "between":
            return compared(value, "ge", wanted[0]) and compared(value, "le", wanted[1])
        case "contains":
            return value is not None and str(wanted).casefold() in value.casefold()
        case "startswith":
            return value is not None and value.casefold().startswith(wanted.casefold())
        case "endswith":
            return value is not None and value.casefold().endswith(wanted.casefold())
    return compared(value, op, wanted)


def conditions(rows: list[Row]) -> st.SearchStrategy[dict[str, Any]]:
    """Conditions on values that some rows have, so that they select some and not all."""

    def of(column: str, values: list[Any], ops: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
        value = st.sampled_from(sorted(set(values)))
        lists = st.lists(value, min_size=1, max_size=4)
        pairs = st.tuples(value, value).map(list)
        return st.one_of(
            st.builds(lambda op, v: {"column": column, "op": op, "value": v}, st.sampled_from(ops), value),
            st.builds(
                lambda op, v: {"column": column, "op": op, "value": v},
                st.sampled_from(["in", "not_in"]),
                lists,
            ),
            st.builds(lambda op: {"column": column, "op": op}, st.sampled_from(["null", "not_null"])),
            *(
                [st.builds(lambda v: {"column": column, "op": "between", "value": v}, pairs)]
                if column in NUMBERS
                else []
            ),
        )

    known = {name: [row[name] for row in rows if row.get(name) is not None] for name in (*NUMBERS, *TEXTS)}
    parts = {
        name: [text[:3] for text in known[name]] + [text[-2:].strip() for text in known[name]]
        for name in TEXTS
    }
    leaves = [
        *(of(name, known[name], ("eq", "ne", "gt", "ge", "lt", "le")) for name in NUMBERS),
        *(of(name, known[name], ("eq", "ne")) for name in TEXTS),
        *(of(name, parts[name], ("contains", "startswith", "endswith")) for name in TEXTS),
        of("statecode", ["Active", "Inactive"], ("eq", "ne")),
        of(
            "industrycode",
            [row["industrycode" + LABEL] for row in rows if row.get("industrycode")],
            ("eq", "ne"),
        ),
    ]
    return st.recursive(
        st.one_of(leaves),
        lambda inner: st.builds(
            lambda word, items: {word: items},
            st.sampled_from(["any", "all"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=6,
    )


async def seeded(one: Seller) -> list[Row]:
    """The rows there are, some of them with empty columns and odd texts."""
    odd: list[dict[str, Any]] = [
        {},
        {"revenue": 0},
        {"address1_city": "100% [x]_y", "telephone1": "'"},
        {"numberofemployees": 1},
    ]
    for number, values in enumerate(odd):
        await one.make("account", name=f"Odd {number}", **values)
    found = await one.ask("query_records", table="account", top=200, format="detailed")
    keys = {row["accountid"] for row in found.content["records"]}
    rows = [row for row in await one.crm.rows("accounts") if row["accountid"] in keys]
    described = {row["accountid"]: row for row in found.content["records"]}
    for row in rows:
        for name in ("statecode", "industrycode"):
            row[name + LABEL] = described[row["accountid"]].get(name)
    return list(rows)


def test_a_generated_filter_selects_what_a_naive_reading_selects() -> None:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(seller(accounts=25)) as one:
        rows = portal.call(seeded, one)
        assert len(rows) > 25

        @settings(max_examples=120, deadline=None, derandomize=True)
        @given(st.lists(conditions(rows), min_size=1, max_size=3))
        def agrees(where: list[dict[str, Any]]) -> None:
            ask = partial(one.find, "account", *where, top=200, columns=["accountid"])
            found = {row["accountid"] for row in portal.call(ask).content["records"]}
            assert found == {row["accountid"] for row in rows if all(holds(row, node) for node in where)}

        agrees()
