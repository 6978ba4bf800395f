"""Duplicates are found and merged, records connected and taken apart: the right ones, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.interaction.connecting import ERAS, Era, Human
from tests.selling.crm import Rule, Seller, on, seller

pytestmark = pytest.mark.anyio


MASKING = """
[[rules]]
id = "masked"
effect = "allow"
actions = ["read"]
tables = ["account"]
masked = { emailaddress1 = "domain" }

[[rules]]
id = "rest"
effect = "allow"
actions = ["update", "merge", "create", "delete"]
tables = ["account"]
"""


def policy_of(folder: Path, text: str) -> str:
    """A policy file: with this text after all that is allowed, or where it allows, with nothing besides."""
    path = folder / "policy.toml"
    path.write_text(text if "allow" in text else f'extends = "full-access"\n{text}')
    return str(path)


async def two(one: Seller) -> tuple[str, str]:
    """Two accounts that are one: the kept, and the one that goes, which has a contact and a number."""
    kept = await one.make("account", name="Wolf Mills", emailaddress1="in@wolf.example")
    gone = await one.make("account", name="Wolf Mill", telephone1="+1 1", emailaddress1="old@wolf.example")
    await one.make("contact", lastname="Wolf", parentcustomerid_account=gone)
    return kept, gone


async def account(one: Seller, key: str) -> dict[str, Any]:
    """The account as the CRM has it."""
    (row,) = await one.crm.rows(f"accounts?$filter=accountid eq {key}")
    return row


@pytest.mark.parametrize("era", ERAS)
async def test_two_become_one_with_what_is_taken_over(era: Era) -> None:
    async with seller(era=era, human=Human("accept")) as one:
        kept, gone = await two(one)
        given = {"table": "account", "keep": "Wolf Mills", "merge": "Wolf Mill", "take": ["telephone1"]}
        merged = await one.ask("merge_records", **given)
        assert merged.content["merged"] == {"id": gone, "name": "Wolf Mill", "state": "deactivated"}
        row = await account(one, kept)
        assert (row["telephone1"], row["emailaddress1"]) == ("+1 1", "in@wolf.example")
        assert (await account(one, gone))["statecode"] == 1
        (contact,) = await one.crm.rows("contacts?$filter=lastname eq 'Wolf'")
        assert contact["_parentcustomerid_value"] == kept
        again = (await one.ask("merge_records", table="account", keep=kept, merge=gone)).error
        assert "inactive already" in again["message"]
        undo = (await one.ask("undo_change", change_id=merged.content["change_id"])).error
        assert "A merge cannot be undone" in undo["message"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"merge": "Wolf Mills"}, "are the same record. Nothing was changed"),
        ({"merge": "Wolf"}, "No account matches"),
        ({"take": ["nmae"]}, "Did you mean name"),
        ({"take": ["ownerid"]}, "no lookups, not ownerid"),
        ({"take": ["createdon"]}, "not createdon"),
        ({"table": "lead", "merge": "Wolf Mill"}, "No lead matches"),
        ({"table": "opportunity"}, "one of account, contact, lead"),
    ],
)
async def test_what_cannot_be_merged_stays_two(arguments: dict[str, Any], says: str) -> None:
    async with seller(human=Human("accept")) as one:
        _, gone = await two(one)
        given = {"table": "account", "keep": "Wolf Mills", "merge": "Wolf Mill", **arguments}
        assert says in (await one.ask("merge_records", **given)).error["message"]
        assert (await account(one, gone))["statecode"] == 0


@pytest.mark.parametrize("era", ERAS)
async def test_without_a_human_who_agrees_nothing_is_merged(era: Era) -> None:
    for human in (Human("decline"), None):
        async with seller("sales-assistant", era=era, human=human) as one:
            kept, gone = await two(one)
            names = [tool.name for tool in (await one.client.list_tools()).tools]
            if "merge_records" not in names:
                continue
            error = (await one.ask("merge_records", table="account", keep=kept, merge=gone)).error
            assert error["code"] in ("not_approved", "denied_by_policy")
            assert (await account(one, gone))["statecode"] == 0


async def test_a_policy_that_denies_merging_offers_no_such_tool(tmp_path: Path) -> None:
    denies = '[[rules]]\nid = "no"\neffect = "deny"\nactions = ["merge"]\ntables = ["*"]\n'
    async with seller(policy_of(tmp_path, denies)) as one:
        assert "merge_records" not in [tool.name for tool in (await one.client.list_tools()).tools]


async def test_what_a_mask_leaves_of_a_value_is_never_taken_over(tmp_path: Path) -> None:
    async with seller() as all_seeing:
        kept, gone = await two(all_seeing)
        masks = policy_of(tmp_path, MASKING)
        async with seller(masks, crm=all_seeing.crm, human=Human("accept")) as one:
            answer = await one.ask(
                "merge_records", table="account", keep=kept, merge=gone, take=["emailaddress1"]
            )
            assert "the columns of take be read whole" in answer.error["message"]
        assert (await account(all_seeing, kept))["emailaddress1"] == "in@wolf.example"
        assert (await account(all_seeing, gone))["statecode"] == 0


async def test_a_merge_whose_answer_is_lost_is_done_once() -> None:
    async with seller(human=Human("accept")) as one:
        kept, gone = await two(one)
        one.crm.rules.append(Rule(on("POST", "Merge"), lost=True))
        assert not (await one.ask("merge_records", table="account", keep=kept, merge=gone)).failed
        assert (await account(one, gone))["statecode"] == 1


async def test_duplicates_are_what_is_the_same_or_named_nearly_so() -> None:
    async with seller() as one:
        kept, gone = await two(one)
        other = await one.make("account", name="Quite Different", emailaddress1="IN@wolf.example")
        found = await one.ask("find_duplicates", table="account", record="Wolf Mills")
        reasons = {item["id"]: item["same"] for item in found.content["duplicates"]}
        assert reasons == {gone: "name nearly", other: "emailaddress1"}
        named = await one.ask("find_duplicates", table="account", name="wolf mills")
        assert {item["id"] for item in named.content["duplicates"]} == {kept, gone}
        nothing = (await one.ask("find_duplicates", table="account")).error
        assert "There is nothing to compare by" in nothing["message"]


async def test_what_is_the_same_is_found_among_many_that_begin_alike() -> None:
    async with seller() as one:
        for number in range(110):
            await one.make("account", name=f"Wolf {number} unlike the others by far", description="x")
        same = await one.make("account", name="Zebra", telephone1="+49 1")
        found = await one.ask("find_duplicates", table="account", name="Wolf Mills", phone="+49 1")
        assert [item["id"] for item in found.content["duplicates"]] == [same]
        assert found.content["more"] is True


@pytest.mark.parametrize("era", ERAS)
async def test_a_lookup_connects_and_only_its_own_link_is_taken_apart(era: Era) -> None:
    async with seller(era=era) as one:
        key = await one.make("account", name="Wolf Mills")
        ada, bob = [await one.make("contact", lastname=name) for name in ("Ada", "Bob")]
        ends = {"table": "account", "record": "Wolf Mills", "to_table": "contact"}
        linked = await one.ask("link_records", **ends, to="Ada")
        assert linked.record["primarycontactid"]["id"] == ada
        wrong = (await one.ask("link_records", **ends, to=bob, unlink=True)).error
        assert "not connected by this lookup" in wrong["message"]
        assert (await account(one, key))["_primarycontactid_value"] == ada
        undone = await one.ask("link_records", **ends, to="Ada", unlink=True)
        assert not undone.failed
        assert (await account(one, key))["_primarycontactid_value"] is None
        back = await one.ask("undo_change", change_id=undone.content["change_id"])
        assert not back.failed
        assert (await account(one, key))["_primarycontactid_value"] == ada


async def test_a_relationship_of_many_connects_takes_apart_and_is_taken_back() -> None:
    async with seller() as one:
        (team,) = await one.crm.rows("teams?$top=1&$filter=teamtype eq 0 and isdefault eq false")
        ends = {"table": "team", "record": team["teamid"], "to_table": "systemuser", "to": "Kim Akers"}

        async def members() -> list[str]:
            path = f"teams({team['teamid']})/teammembership_association?$select=fullname"
            return [row["fullname"] for row in await one.crm.rows(path)]

        before = await members()
        unlink = "Kim Akers" in before
        changed = await one.ask(
            "link_records", **ends, relationship="teammembership_association", unlink=unlink
        )
        assert not changed.failed, changed.text
        assert ("Kim Akers" in await members()) is not unlink
        await one.ask("undo_change", change_id=changed.content["change_id"])
        assert sorted(await members()) == sorted(before)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"relationship": "nope"}, "Give relationship, one of primarycontactid"),
        (
            {"table": "contact", "record": "Ada", "to_table": "opportunity", "to": "Deal"},
            "the other way round",
        ),
        ({"table": "opportunity", "record": "Deal", "to_table": "account", "to": "Wolf Mills"}, "one of"),
        ({"table": "acount"}, "Did you mean account"),
        ({"to": "Nobody"}, "No contact matches"),
    ],
)
async def test_an_unknown_way_is_answered_with_those_there_are(arguments: dict[str, Any], says: str) -> None:
    async with seller() as one:
        await one.make("account", name="Wolf Mills")
        await one.make("contact", lastname="Ada")
        await one.make("opportunity", name="Deal")
        given = {"table": "account", "record": "Wolf Mills", "to_table": "contact", "to": "Ada", **arguments}
        assert says in (await one.ask("link_records", **given)).error["message"]


async def test_an_assignment_is_made_and_taken_back() -> None:
    async with seller() as one:
        key = await one.make("account", name="Wolf Mills")
        given = await one.ask(
            "assign_record", table="account", record="Wolf Mills", to="kim.akers@contoso.example"
        )
        assert given.record["ownerid"]["name"] == "Kim Akers"
        assert not (await one.ask("undo_change", change_id=given.content["change_id"])).failed
        assert (await account(one, key))["_ownerid_value"] != given.record["ownerid"]["id"]
        nobody = (await one.ask("assign_record", table="account", record=key, to="Kim Acker")).error
        assert [item["name"] for item in nobody["candidates"]] == ["Kim Akers"]
        money = await one.ask("assign_record", table="transactioncurrency", record="US Dollar", to="me")
        assert "no owner of their own" in money.error["message"]
