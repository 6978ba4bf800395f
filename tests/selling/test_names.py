"""Records by the names people use: what is meant is found, what is not clear is asked back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interaction.connecting import ERAS, Era
from tests.selling.crm import Rule, on, seller

pytestmark = pytest.mark.anyio
ODD_NAMES = [
    "O'Neil & Sons",
    "100% Wool",
    "snake_case",
    "[Draft] Plan",
    "A+B #1 / C?",
    "Søren Ærø",
    "Umbrella 🎉",
    '"Quoted"',
    "a\\b",
]


@pytest.mark.parametrize("era", ERAS)
async def test_a_record_goes_by_id_name_email_and_number(era: Era) -> None:
    async with seller(era=era) as one:
        key = await one.make(
            "account", name="Wolf Mills", accountnumber="W-7", emailaddress1="in@wolf.example"
        )
        for text in (key, key.upper(), "wolf mills", "  WOLF MILLS ", "w-7", "IN@wolf.example"):
            found = (await one.ask("get_record", table="account", record=text)).record
            assert found["accountid"] == key, text


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_name_is_compared_as_it_is_written(name: str) -> None:
    async with seller() as one:
        key = await one.make("account", name=name)
        await one.make("account", name=name.replace("%", "x").replace("_", "x") + " other")
        assert (await one.ask("get_record", table="account", record=name)).record["accountid"] == key


@pytest.mark.parametrize("text", ["%", "100_ Wool", "[a-z]00% Wool", "' or name ne '", "100% Wool'--"])
async def test_no_character_of_a_name_stands_for_others(text: str) -> None:
    async with seller() as one:
        await one.make("account", name="100% Wool")
        found = await one.ask("get_record", table="account", record=text)
        assert found.error["code"] == "unknown_record"


async def test_an_accent_more_or_less_is_another_name_that_is_offered() -> None:
    async with seller() as one:
        key = await one.make("account", name="Söhne Handel")
        error = (await one.ask("get_record", table="account", record="Sohne Handel")).error
        assert error["code"] == "unknown_record"
        assert [item["id"] for item in error["candidates"]] == [key]
        assert "Did you mean" in error["message"]


@pytest.mark.parametrize("text", ["x" * 5_000, "🎉" * 5_000, "it's " * 1_000])
async def test_a_name_that_no_record_can_have_is_refused_unasked(text: str) -> None:
    async with seller() as one:
        one.crm.seen.clear()
        error = (await one.ask("get_record", table="account", record=text)).error
        assert "at most 300 characters, not" in error["message"]
        assert not any("account" in path for _, path in one.crm.seen)


@pytest.mark.parametrize("text", ["", "   "])
async def test_no_name_is_no_name(text: str) -> None:
    async with seller() as one:
        error = (await one.ask("get_record", table="account", record=text)).error
        assert error["message"] == "Argument record names a record; it is empty."


@pytest.mark.parametrize("era", ERAS)
async def test_several_of_a_name_are_told_apart_and_nothing_is_changed(era: Era) -> None:
    async with seller(era=era) as one:
        keys = {await one.make("account", name="Twin", address1_city=city) for city in ("Bonn", "Ulm")}
        error = (
            await one.ask("update_record", table="account", record="twin", values={"telephone1": "1"})
        ).error
        assert error["code"] == "ambiguous_name"
        assert {item["id"] for item in error["candidates"]} == keys
        assert {(item["name"], item["city"]) for item in error["candidates"]} == {
            ("Twin", "Bonn"),
            ("Twin", "Ulm"),
        }
        assert not await one.crm.rows("accounts?$filter=name eq 'Twin' and telephone1 ne null")


async def test_of_many_with_a_name_the_only_active_one_is_meant() -> None:
    async with seller() as one:
        for _ in range(12):
            await one.make("account", name="Many")
        keys = [
            row["accountid"] for row in await one.crm.rows("accounts?$filter=name eq 'Many'&$select=name")
        ]
        for key in keys[1:]:
            await one.ask("update_record", table="account", record=key, values={"statecode": "Inactive"})
        assert (await one.ask("get_record", table="account", record="Many")).record["accountid"] == keys[0]


async def test_two_active_among_many_are_never_taken_for_one() -> None:
    async with seller() as one:
        for _ in range(20):
            await one.make("account", name="Many")
        keys = sorted(row["accountid"] for row in await one.crm.rows("accounts?$filter=name eq 'Many'"))
        for key in keys[1:-1]:
            await one.ask("update_record", table="account", record=key, values={"statecode": "Inactive"})
        error = (await one.ask("get_record", table="account", record="Many")).error
        assert error["code"] == "ambiguous_name"
        assert {keys[0], keys[-1]} <= {item["id"] for item in error["candidates"]}


async def test_a_deal_to_open_again_is_the_closed_one_of_its_name() -> None:
    async with seller() as one:
        await one.make("opportunity", name="Same")
        closed = await one.make("opportunity", name="Same")
        await one.ask("close_opportunity", opportunity=closed, outcome="lost")
        opened = await one.ask("reopen_opportunity", opportunity="Same")
        assert opened.record["opportunityid"] == closed


async def test_several_lookups_and_tables_are_found_on_one_trip() -> None:
    async with seller() as one:
        await one.make("account", name="Trip Ltd")
        await one.make("contact", firstname="Ada", lastname="Trip")
        one.crm.seen.clear()
        made = await one.ask(
            "create_record",
            table="opportunity",
            values={"name": "One trip", "Customer": "Trip Ltd", "parentcontactid": "Ada Trip"},
        )
        assert not made.failed
        assert [(method, path.rpartition("/")[2]) for method, path in one.crm.seen] == [
            ("POST", "$batch"),
            ("POST", "opportunities"),
        ]


async def test_a_table_that_could_not_be_asked_leaves_open_which_record_is_meant() -> None:
    async with seller() as one:
        await one.make("account", name="Half Known")
        broken = Rule(on("POST", "$batch"), instead=(b"/contacts?", b"/contactz?"))
        one.crm.rules.append(broken)
        found = await one.ask("log_activity", type="task", about="Half Known", subject="x")
        assert found.failed
        assert not await one.crm.rows("tasks?$filter=subject eq 'x'")


async def test_me_is_who_is_signed_in() -> None:
    async with seller() as one:
        await one.make("account", name="Mine")
        await one.ask("assign_record", table="account", record="Mine", to="Kim Akers")
        back = await one.ask("assign_record", table="account", record="Mine", to="Me")
        assert back.record["ownerid"]["name"] == "Alex Baker"


async def test_where_names_are_hidden_ids_and_email_still_lead_to_a_record(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\n[hidden]\ncontact = ["fullname", "firstname", "lastname"]\n')
    async with seller(str(policy)) as one:
        (row,) = await one.crm.rows(
            "contacts?$top=1&$filter=emailaddress1 ne null&$select=fullname,emailaddress1"
        )
        by_name = await one.ask("get_record", table="contact", record=row["fullname"])
        assert by_name.error["code"] == "unknown_record"
        assert "candidates" not in by_name.error
        for text in (row["contactid"], row["emailaddress1"]):
            found = await one.ask("get_record", table="contact", record=text)
            assert found.record["contactid"] == row["contactid"]
            assert row["fullname"] not in found.text
