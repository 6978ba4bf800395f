"""Deals are won, lost and opened again once, with what was said of them, and taken back honestly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.interaction.connecting import ERAS, Era, Human
from tests.selling.crm import Rule, Seller, on, seller

pytestmark = pytest.mark.anyio
ASKS_TO_WIN = """
extends = "full-access"
[[rules]]
id = "ask"
effect = "confirm"
actions = ["win"]
tables = ["opportunity"]
"""


async def deal(one: Seller, **values: Any) -> str:
    """An open deal of 100."""
    return await one.make("opportunity", **{"name": "Deal", "estimatedvalue": 100, **values})


async def now(one: Seller, key: str) -> dict[str, Any]:
    """The deal as the CRM has it."""
    (row,) = await one.crm.rows(f"opportunities?$filter=opportunityid eq {key}")
    return row


@pytest.mark.parametrize("era", ERAS)
async def test_a_deal_is_won_with_value_date_and_note(era: Era) -> None:
    async with seller(era=era) as one:
        key = await deal(one)
        said = {"value": 120.5, "date": "2026-11-20", "note": "They liked it"}
        won = await one.ask("close_opportunity", opportunity="deal", outcome="won", **said)
        assert (won.record["statecode"], won.record["statuscode"]) == ("Won", "Won")
        row = await now(one, key)
        assert (row["actualvalue"], row["actualclosedate"], row["statuscode"]) == (120.5, "2026-11-20", 3)
        (close,) = await one.crm.rows(f"opportunitycloses?$filter=_opportunityid_value eq {key}")
        assert (close["subject"], close["description"]) == ("Won: Deal", "They liked it")


@pytest.mark.parametrize(("reason", "status"), [("out-sold", 5), ("Canceled", 4), ("5", 5), (None, 4)])
async def test_a_deal_is_lost_for_a_reason(reason: str | None, status: int) -> None:
    async with seller() as one:
        key = await deal(one)
        given = {} if reason is None else {"reason": reason}
        assert not (await one.ask("close_opportunity", opportunity="Deal", outcome="lost", **given)).failed
        assert ((await now(one, key))["statecode"], (await now(one, key))["statuscode"]) == (2, status)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"outcome": "won", "reason": "Canceled"}, "Known: Won. Give one of these"),
        ({"outcome": "lost", "reason": "price"}, "Known: Canceled, Out-Sold. Give one of these"),
        ({"outcome": "lost", "reason": "outsold"}, "Did you mean Out-Sold"),
        ({"outcome": "drawn"}, "one of won, lost"),
        ({"outcome": "won", "date": "yesterday"}, "written like 2026-12-31"),
        ({"outcome": "won", "date": "1066-10-14"}, "from 1753 to 9998"),
        ({"outcome": "won", "value": 1e15}, "to 1,000,000,000,000"),
        ({"outcome": "won", "value": "100"}, "must be a number"),
        ({"outcome": "won", "note": "x" * 2_001}, "at most 2,000 characters"),
    ],
)
async def test_what_cannot_be_closed_so_stays_open(arguments: dict[str, Any], says: str) -> None:
    async with seller() as one:
        key = await deal(one)
        assert says in (await one.ask("close_opportunity", opportunity="Deal", **arguments)).error["message"]
        assert (await now(one, key))["statecode"] == 0


async def test_what_is_closed_is_not_closed_again_nor_what_is_open_opened() -> None:
    async with seller() as one:
        await deal(one)
        error = (await one.ask("reopen_opportunity", opportunity="Deal")).error
        assert error["message"] == "This opportunity is open. Nothing was changed."
        await one.ask("close_opportunity", opportunity="Deal", outcome="won")
        for outcome in ("won", "lost"):
            error = (await one.ask("close_opportunity", opportunity="Deal", outcome=outcome)).error
            assert error["message"] == "This opportunity is won already. Nothing was changed."


@pytest.mark.parametrize("era", ERAS)
async def test_a_deal_that_somebody_closes_meanwhile_is_left_as_it_is(era: Era, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(ASKS_TO_WIN)
    async with seller() as other:
        key = await deal(other)

        class Meanwhile(Human):
            async def __call__(self, context: Any, params: Any) -> Any:
                await other.ask("close_opportunity", opportunity=key, outcome="lost")
                return await super().__call__(context, params)

        async with seller(str(policy), crm=other.crm, human=Meanwhile("accept"), era=era) as one:
            error = (await one.ask("close_opportunity", opportunity=key, outcome="won")).error
        assert "lost already" in error["message"]
        assert (await now(other, key))["statecode"] == 2


@pytest.mark.parametrize(("tool", "state"), [("close_opportunity", 1), ("reopen_opportunity", 0)])
async def test_a_lost_answer_is_found_out_and_done_once(tool: str, state: int) -> None:
    async with seller() as one:
        key = await deal(one)
        if state == 0:
            await one.ask("close_opportunity", opportunity=key, outcome="lost")
        sent = on("POST", "WinOpportunity") if state else on("PATCH", "opportunities")
        one.crm.rules.append(Rule(sent, lost=True))
        given = {"outcome": "won"} if state else {}
        assert not (await one.ask(tool, opportunity=key, **given)).failed
        assert (await now(one, key))["statecode"] == state
        assert len(await one.crm.rows(f"opportunitycloses?$filter=_opportunityid_value eq {key}")) == 1


@pytest.mark.parametrize("outcome", ["won", "lost"])
async def test_taking_it_back_opens_the_deal_and_says_what_stays(outcome: str) -> None:
    async with seller(human=Human("accept")) as one:
        key = await deal(one)
        closed = await one.ask("close_opportunity", opportunity=key, outcome=outcome, value=7)
        undone = await one.ask("undo_change", change_id=closed.content["change_id"])
        assert (await now(one, key))["statecode"] == 0
        told = " ".join(undone.content.get("not_restored", ()))
        assert "Actual revenue" in told or (await now(one, key))["actualvalue"] is None
        again = await one.ask("undo_change", change_id=undone.content["change_id"])
        assert again.failed or (await now(one, key))["statecode"] != 0


async def test_opening_a_deal_is_taken_back_by_closing_it_as_it_was() -> None:
    async with seller(human=Human("accept")) as one:
        key = await deal(one)
        await one.ask("close_opportunity", opportunity=key, outcome="lost", reason="Out-Sold")
        opened = await one.ask("reopen_opportunity", opportunity=key)
        undone = await one.ask("undo_change", change_id=opened.content["change_id"])
        assert "the value and the date" in undone.content["not_restored"][0]
        row = await now(one, key)
        assert (row["statecode"], row["statuscode"]) == (2, 5)


async def test_a_dry_run_closes_nothing() -> None:
    async with seller() as one:
        key = await deal(one)
        shown = await one.ask("close_opportunity", opportunity=key, outcome="won", value=7, dry_run=True)
        assert shown.content["sent"] is False
        assert any("Actual revenue: nothing -> 7" in line for line in shown.content["changes"])
        assert (await now(one, key))["statecode"] == 0
