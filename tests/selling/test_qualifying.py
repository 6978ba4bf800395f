"""A lead is qualified once, into what is wanted of it, and never by halves without saying so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.interaction.connecting import ERAS, Era, Human
from tests.selling.crm import Rule, Seller, on, seller

pytestmark = pytest.mark.anyio
ACTION = on("POST", "QualifyLead")


def asking(folder: Path, effect: str, action: str, table: str) -> str:
    """A policy with one rule of its own."""
    path = folder / "policy.toml"
    path.write_text(
        f'extends = "full-access"\n[[rules]]\nid = "own"\neffect = "{effect}"\n'
        f'actions = ["{action}"]\ntables = ["{table}"]\n'
    )
    return str(path)


async def lead(one: Seller, **values: Any) -> str:
    """An open lead of a company that nobody knows."""
    return await one.make(
        "lead", **{"lastname": "Wolf", "companyname": "Wolf Mills", "subject": "Mill", **values}
    )


async def now(one: Seller, key: str) -> dict[str, Any]:
    """The lead as the CRM has it."""
    (row,) = await one.crm.rows(f"leads?$filter=leadid eq {key}")
    return row


async def count(one: Seller, entity_set: str, name: str) -> int:
    """How many records have this name."""
    column = "fullname" if entity_set == "contacts" else "name"
    return len(await one.crm.rows(f"{entity_set}?$filter={column} eq '{name}'"))


def made(answer: Any) -> list[str]:
    """The tables of what was created."""
    return [item["table"] for item in answer.content["created"]]


@pytest.mark.parametrize("era", ERAS)
async def test_a_lead_becomes_what_it_says_and_only_once(era: Era) -> None:
    async with seller(era=era) as one:
        key = await lead(one, emailaddress1="a@wolf.example")
        answer = await one.ask("qualify_lead", lead="a@wolf.example")
        assert made(answer) == ["account", "contact", "opportunity"]
        assert [item["name"] for item in answer.content["created"]] == ["Wolf Mills", "Wolf", "Mill"]
        again = (await one.ask("qualify_lead", lead=key)).error
        assert again["message"] == "This lead is qualified already. Nothing was changed."
        assert await count(one, "accounts", "Wolf Mills") == 1


@pytest.mark.parametrize(
    ("values", "arguments", "tables"),
    [
        ({}, {"account": "NEW", "contact": " None "}, ["account", "opportunity"]),
        ({}, {"account": "none", "contact": "none", "opportunity": False}, []),
        ({"companyname": None}, {}, ["contact", "opportunity"]),
        ({"companyname": None}, {"account": "new"}, ["account", "contact", "opportunity"]),
        ({"companyname": None}, {"opportunity": False}, ["contact"]),
    ],
)
async def test_only_what_is_wanted_is_made(
    values: dict[str, Any], arguments: dict[str, Any], tables: list[str]
) -> None:
    async with seller() as one:
        key = await lead(one, **values)
        assert made(await one.ask("qualify_lead", lead=key, **arguments)) == tables
        assert (await now(one, key))["statecode"] == 1


async def test_a_disqualified_lead_is_not_qualified() -> None:
    async with seller() as one:
        key = await lead(one)
        await one.ask("update_record", table="lead", record=key, values={"Status": "Disqualified"})
        error = (await one.ask("qualify_lead", lead=key)).error
        assert error["message"] == "This lead is disqualified already. Nothing was changed."


async def test_records_like_it_are_offered_and_used_when_they_are_named() -> None:
    async with seller() as one:
        account = await one.make("account", name="wolf mills")
        contact = await one.make("contact", lastname="Other", emailaddress1="a@wolf.example")
        key = await lead(one, emailaddress1="A@wolf.example")
        error = (await one.ask("qualify_lead", lead=key)).error
        assert error["code"] == "ambiguous_name"
        assert {item["id"] for item in error["candidates"]} == {account, contact}
        assert (await now(one, key))["statecode"] == 0
        one_left = (await one.ask("qualify_lead", lead=key, account="new")).error
        assert [item["id"] for item in one_left["candidates"]] == [contact]
        answer = await one.ask("qualify_lead", lead=key, account="Wolf Mills", contact="Other")
        assert made(answer) == ["opportunity"]
        assert {item["id"] for item in answer.content["used"]} == {account, contact}
        row = await now(one, key)
        assert (row["_parentaccountid_value"], row["_parentcontactid_value"]) == (account, contact)
        (deal,) = await one.crm.rows("opportunities?$filter=name eq 'Mill'")
        assert account in (deal["_customerid_value"], deal["_parentaccountid_value"])


async def test_a_lead_that_is_linked_already_uses_its_account() -> None:
    async with seller() as one:
        account = await one.make("account", name="Wolf Mills")
        key = await lead(one, parentaccountid=account)
        answer = await one.ask("qualify_lead", lead=key)
        assert made(answer) == ["contact", "opportunity"]
        assert [item["id"] for item in answer.content["used"]] == [account]


@pytest.mark.parametrize("era", ERAS)
async def test_what_a_human_declines_leaves_the_lead_as_it_was(era: Era, tmp_path: Path) -> None:
    human = Human("decline")
    async with seller(asking(tmp_path, "confirm", "qualify", "lead"), human=human, era=era) as one:
        account = await one.make("account", name="Wolf Mills")
        key = await lead(one)
        error = (await one.ask("qualify_lead", lead=key, account="Wolf Mills", contact="new")).error
        assert error["code"] == "not_approved"
        row = await now(one, key)
        assert (row["statecode"], row["_parentaccountid_value"]) == (0, None)
        assert len(human.questions) == 1
        assert f"Used instead of a new one: the account {account}" in human.questions[0]


@pytest.mark.parametrize(
    ("action", "table"), [("create", "contact"), ("update", "lead"), ("create", "opportunity")]
)
async def test_what_the_policy_denies_of_it_is_denied_as_a_whole(
    action: str, table: str, tmp_path: Path
) -> None:
    crm_of = seller()
    async with crm_of as one:
        await one.make("account", name="Wolf Mills")
        key = await lead(one)
        async with seller(asking(tmp_path, "deny", action, table), crm=one.crm) as other:
            answer = await other.ask("qualify_lead", lead=key, account="Wolf Mills", contact="new")
            assert answer.error["code"] == "denied_by_policy"
        row = await now(one, key)
        assert (row["statecode"], row["_parentaccountid_value"]) == (0, None)
        assert await count(one, "contacts", "Wolf") == 0


async def test_what_the_crm_refuses_in_the_middle_is_put_back() -> None:
    async with seller() as one:
        before = await one.make("account", name="Before")
        account = await one.make("account", name="Wolf Mills")
        key = await lead(one, parentaccountid=before)
        one.crm.rules.append(Rule(ACTION, code="0x80040220", status=403))
        error = (await one.ask("qualify_lead", lead=key, account=account, contact="new")).error
        assert error["code"] == "crm_privilege_missing"
        row = await now(one, key)
        assert (row["statecode"], row["_parentaccountid_value"]) == (0, before)
        (change,) = (await one.ask("list_changes", top=1)).content["records"]
        assert change["state"] == "refused; nothing was changed"


async def test_what_cannot_be_put_back_is_said() -> None:
    async with seller() as one:
        account = await one.make("account", name="Wolf Mills")
        key = await lead(one)

        def patched_again(method: str, path: str) -> bool:
            return method == "PATCH" and any("QualifyLead" in seen for _, seen in one.crm.seen)

        one.crm.rules += [
            Rule(ACTION, code="0x80040220", status=403),
            Rule(patched_again, code="0x80040220", status=403),
        ]
        error = (await one.ask("qualify_lead", lead=key, account=account, contact="new")).error
        assert "The lead is not qualified, but it may be linked" in error["message"]
        (change,) = (await one.ask("list_changes", top=1)).content["records"]
        assert change["state"].startswith("unclear")


@pytest.mark.parametrize("which", [ACTION, on("PATCH", "leads")])
async def test_a_lost_answer_is_found_out_and_done_once(which: Any) -> None:
    async with seller() as one:
        account = await one.make("account", name="Wolf Mills")
        key = await lead(one)
        one.crm.rules.append(Rule(which, lost=True))
        answer = await one.ask("qualify_lead", lead=key, account=account, contact="new")
        assert made(answer) == ["contact", "opportunity"]
        assert await count(one, "contacts", "Wolf") == await count(one, "opportunities", "Mill") == 1


async def test_taking_it_back_opens_the_lead_and_its_links_and_says_what_stays() -> None:
    async with seller(human=Human("accept")) as one:
        account = await one.make("account", name="Wolf Mills")
        key = await lead(one)
        answer = await one.ask("qualify_lead", lead=key, account=account, contact="new")
        undone = await one.ask("undo_change", change_id=answer.content["change_id"])
        assert "What was created from the lead stays" in " ".join(undone.content["not_restored"])
        row = await now(one, key)
        assert (row["statecode"], row["_parentaccountid_value"]) == (0, None)
        assert await count(one, "opportunities", "Mill") == 1


async def test_a_dry_run_changes_nothing() -> None:
    async with seller() as one:
        account = await one.make("account", name="Wolf Mills")
        key = await lead(one)
        shown = await one.ask("qualify_lead", lead=key, account=account, contact="new", dry_run=True)
        assert shown.content["changes"] == [
            "Created from it: the contact, the opportunity",
            f"Used instead of a new one: the account {account}",
        ]
        assert (await now(one, key))["statecode"] == 0
