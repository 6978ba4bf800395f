"""Totals: right to the last row, each currency by itself, and a clear word where there is too much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.interaction.connecting import ERAS, Era
from tests.selling.crm import Rule, Seller, on, seller

pytestmark = pytest.mark.anyio
Row = Mapping[str, Any]
LABEL = "@OData.Community.Display.V1.FormattedValue"
BERLIN = ZoneInfo("Europe/Berlin")
CURRENCY = "transactioncurrencyid"


async def deals(one: Seller) -> list[dict[str, Any]]:
    """Every deal as the CRM has it, with the names of its owner and its currency's code."""
    rows = await one.crm.rows("opportunities")
    codes = {
        row["transactioncurrencyid"]: row["isocurrencycode"]
        for row in await one.crm.rows("transactioncurrencies")
    }
    owners = {row["systemuserid"]: row["fullname"] for row in await one.crm.rows("systemusers")}
    return [
        {
            **row,
            "code": codes.get(row["_transactioncurrencyid_value"]),
            "owner": owners[row["_ownerid_value"]],
        }
        for row in rows
    ]


def quarter(day: str) -> str:
    """The quarter of a day."""
    return f"{day[:4]}-Q{(int(day[5:7]) + 2) // 3}"


GROUPINGS: dict[str, Callable[[Row], Any]] = {
    "stepname": lambda row: row["stepname"],
    "Owner": lambda row: row["owner"],
    "statecode": lambda row: ["Open", "Won", "Lost"][row["statecode"]],
    "estimatedclosedate:month": lambda row: (
        row["estimatedclosedate"][:7] if row["estimatedclosedate"] else None
    ),
    "estimatedclosedate:quarter": lambda row: (
        quarter(row["estimatedclosedate"]) if row["estimatedclosedate"] else None
    ),
    "estimatedclosedate:year": lambda row: (
        row["estimatedclosedate"][:4] if row["estimatedclosedate"] else None
    ),
}


async def with_gaps(one: Seller) -> None:
    """Deals that lack what others have."""
    await one.make("opportunity", name="Without anything")
    await one.make("opportunity", name="Without a date", estimatedvalue=0.1, stepname="2-Develop")
    await one.make("opportunity", name="Without a stage", estimatedvalue=0.2, estimatedclosedate="2026-12-31")


@pytest.mark.parametrize("by", GROUPINGS)
async def test_sums_and_counts_are_those_of_all_rows(by: str) -> None:
    async with seller(accounts=60) as one:
        await with_gaps(one)
        rows = await deals(one)
        wanted: dict[Any, list[float]] = defaultdict(lambda: [0, 0.0])
        for row in rows:
            key = (row["code"], GROUPINGS[by](row))
            wanted[key][0] += 1
            wanted[key][1] += row["estimatedvalue"] or 0
        given = {"table": "opportunity", "measures": ["count", "sum estimatedvalue"], "by": [by], "top": 200}
        answer = (await one.ask("summarize_records", **given)).content
        assert answer["more"] is False
        name = next(item for item in answer["by"] if item != CURRENCY)
        found = {
            (group[CURRENCY], group[name]): [group["count"], group["sum estimatedvalue"] or 0]
            for group in answer["groups"]
        }
        assert {key: [count, round(total, 2)] for key, (count, total) in wanted.items()} == found
        totals = {part[CURRENCY]: part["count"] for part in answer["total"]}
        assert sum(totals.values()) == len(rows)


async def test_average_least_and_most_are_those_of_all_rows() -> None:
    async with seller(accounts=60) as one:
        await with_gaps(one)
        rows = [row for row in await deals(one) if row["code"] == "EUR" and row["estimatedvalue"] is not None]
        values = [row["estimatedvalue"] for row in rows]
        measures = [f"{word} Estimated revenue" for word in ("avg", "minimum", "max", "total")]
        where = [{"column": "Currency", "value": "EUR"}]
        given = {"table": "opportunity", "measures": measures, "where": where}
        (group,) = (await one.ask("summarize_records", **given)).content["groups"]
        assert group == {
            "average estimatedvalue": round(sum(values) / len(values), 2),
            "min estimatedvalue": min(values),
            "max estimatedvalue": max(values),
            "sum estimatedvalue": round(sum(values), 2),
        }


@pytest.mark.parametrize("era", ERAS)
async def test_a_sum_in_one_currency_says_which(era: Era) -> None:
    async with seller(era=era) as one:
        for code, value in (("EUR", 5), ("EUR", 6)):
            (row,) = await one.crm.rows(f"transactioncurrencies?$filter=isocurrencycode eq '{code}'")
            await posted(one, name="Only", estimatedvalue=value, currency=row["transactioncurrencyid"])
        await one.make("opportunity", name="Only")
        where = [{"column": "name", "value": "Only"}]
        given = {"table": "opportunity", "measures": ["sum estimatedvalue", "count"], "where": where}
        answer = await one.ask("summarize_records", **given)
        assert answer.content["currency"] == "EUR"
        assert answer.content["groups"] == [{"sum estimatedvalue": 11, "count": 3}]
        assert "currency: EUR" in answer.text
        assert "note" not in answer.content


@pytest.mark.parametrize("by", [[], ["stepname"], ["estimatedclosedate:year"], ["Currency"]])
async def test_amounts_of_several_currencies_are_never_added_up(by: list[str]) -> None:
    async with seller(accounts=60) as one:
        given = {"table": "opportunity", "measures": ["sum estimatedvalue"], "by": by, "top": 200}
        answer = (await one.ask("summarize_records", **given)).content
        sums: dict[Any, float] = defaultdict(float)
        for row in await deals(one):
            sums[row["code"]] += row["estimatedvalue"] or 0
        assert len(sums) > 1
        assert {part[CURRENCY]: part["sum estimatedvalue"] for part in answer["total"]} == sums
        assert "several currencies" in answer["note"]
        assert "currency" not in answer


async def test_where_currencies_are_hidden_it_is_said_that_they_may_differ(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\n[hidden]\nopportunity = ["transactioncurrencyid"]\n')
    async with seller(str(policy)) as one:
        answer = await one.ask("summarize_records", table="opportunity", measures=["sum estimatedvalue"])
        assert "whatever their currencies" in answer.content["note"]
        glance = await one.ask("get_overview", record=(await busiest(one)))
        assert "value" not in glance.content["opportunities"]
        assert "currencies may not be read" in glance.content["opportunities"]["value_note"]


async def test_the_glance_at_an_account_keeps_currencies_apart() -> None:
    async with seller() as one:
        key = await one.make("account", name="Two Currencies")
        for code, value in (("EUR", 5), ("USD", 7), ("EUR", 6)):
            (row,) = await one.crm.rows(f"transactioncurrencies?$filter=isocurrencycode eq '{code}'")
            await posted(
                one, name=f"In {code}", estimatedvalue=value, currency=row["transactioncurrencyid"], of=key
            )
        told = (await one.ask("get_overview", record="Two Currencies")).content["opportunities"]
        assert sorted(told["values"], key=str) == [
            {"currency": "EUR", "value": 11},
            {"currency": "USD", "value": 7},
        ]
        assert "value" not in told
        assert {(deal["name"], deal["currency"]) for deal in told["records"]} == {
            ("In EUR", "EUR"),
            ("In USD", "USD"),
        }


async def test_periods_are_those_of_the_users_zone() -> None:
    async with seller(time_zone=BERLIN) as one:
        for moment in ("2027-04-30T23:59", "2027-05-01T00:01"):
            await one.make("task", subject="Edge", scheduledend=moment)
        where = [{"column": "subject", "value": "Edge"}]
        answer = await one.ask("summarize_records", table="task", by=["scheduledend"], where=where)
        assert answer.content["groups"] == [
            {"scheduledend:month": "2027-04", "count": 1},
            {"scheduledend:month": "2027-05", "count": 1},
        ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"measures": ["sum"]}, "A measure names its column"),
        ({"measures": ["median estimatedvalue"]}, "Unknown measure 'median'"),
        ({"measures": ["sum name"]}, "holds no number"),
        ({"measures": ["sum createdon"]}, "holds no number"),
        ({"measures": ["sum estimatedvalu"]}, "Did you mean estimatedvalue"),
        ({"by": ["createdon:week"]}, "Unknown period 'week'"),
        ({"by": ["stepname:month"]}, "is no date"),
        ({"by": ["description"]}, "not grouped by description"),
        ({"by": ["createdon", "estimatedclosedate"]}, "one date at most"),
        ({"filter": "1 eq 1"}, "something that is not a condition"),
        ({"top": 0}, "from 1 to 200"),
    ],
)
async def test_what_cannot_be_summed_is_answered_with_what_can(arguments: dict[str, Any], says: str) -> None:
    async with seller() as one:
        assert says in (await one.ask("summarize_records", table="opportunity", **arguments)).error["message"]


@pytest.mark.parametrize("last", ["2040-01-01", "9998-12-31"])
async def test_too_many_periods_are_refused_before_they_are_asked_for(last: str) -> None:
    async with seller() as one:
        await one.make("opportunity", name="Far", estimatedclosedate=last)
        one.crm.seen.clear()
        error = (
            await one.ask("summarize_records", table="opportunity", by=["estimatedclosedate:month"])
        ).error
        assert "at most 36 are counted at once. Narrow the dates" in error["message"]
        assert len(one.crm.seen) == 1


async def test_nothing_that_matches_is_nothing_and_no_empty_periods() -> None:
    async with seller() as one:
        where = [{"column": "name", "value": "nothing of the kind"}]
        for by, groups in ((["createdon:month"], []), (["stepname"], []), ([], [{"count": 0}])):
            answer = await one.ask("summarize_records", table="opportunity", by=by, where=where)
            assert answer.content["groups"] == groups


HEAVY = ["0x80044151", "0x80048544", "0x80048644", "0x80048744", "0x80048745"]


@pytest.mark.parametrize("code", HEAVY)
@pytest.mark.parametrize("status", [400, 500])
async def test_a_question_that_would_look_through_too_much_is_told_how_to_be_narrowed(
    code: str, status: int
) -> None:
    async with seller() as one:
        await one.ask("whoami")
        for tool, arguments in (
            ("summarize_records", {"table": "account"}),
            ("query_records", {"table": "account", "filter": "contains(name,'a')"}),
            ("list_accounts", {}),
        ):
            one.crm.rules = [Rule(on("GET", "accounts"), code=code, status=status, times=9)]
            error = (await one.ask(tool, **arguments)).error
            assert "too many records. Narrow it" in error["message"]
            assert (error["crm_code"], error["code"]) == (code, "crm_refused")


async def test_more_rows_than_are_added_up_are_told_to_be_narrowed() -> None:
    async with seller() as one:
        await one.ask("whoami")
        one.crm.rules.append(Rule(on("GET", "accounts"), code="0x8004e023"))
        error = (await one.ask("summarize_records", table="account")).error
        assert "more than 50,000 records, and more are not added up. Narrow it" in error["message"]


async def posted(one: Seller, *, currency: str, of: str | None = None, **values: Any) -> None:
    """A deal in a currency, put into the CRM from outside: our tools leave currencies to it."""
    import httpx

    body = {**values, "transactioncurrencyid@odata.bind": f"/transactioncurrencies({currency})"}
    if of is not None:
        body["customerid_account@odata.bind"] = f"/accounts({of})"
    transport = httpx.ASGITransport(app=one.crm.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://sandbox.invalid") as http:
        answer = await http.post("/api/data/v9.2/opportunities", json=body)
    assert answer.status_code == 204, answer.text


async def busiest(one: Seller) -> str:
    """An account with open deals that have a value."""
    path = "opportunities?$filter=statecode eq 0 and estimatedvalue gt 0&$select=_parentaccountid_value"
    return next(
        str(row["_parentaccountid_value"])
        for row in await one.crm.rows(path)
        if row.get("_parentaccountid_value")
    )
