"""Words are found where they are, a record is told at a glance, and a budget is cut honestly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crm_tools.rendering import tokens_about
from tests.interaction.connecting import ERAS, Era
from tests.selling.crm import Rule, Seller, on, seller

pytestmark = pytest.mark.anyio


def off() -> Rule:
    """Dataverse search, switched off by an administrator."""
    return Rule(on("POST", "/search/"), code="0x80040800", status=501, times=99)


async def known(one: Seller) -> str:
    """An account with everything around it."""
    key = await one.make("account", name="Zyron & Sons 100% [x]", telephone1="+49 30 1", address1_city="Bonn")
    await one.make("contact", firstname="Ada", lastname="Zyron", parentcustomerid_account=key)
    await one.make("opportunity", name="Zyron deal", estimatedvalue=5, Customer=key)
    for kind, subject in (("task", "Call back"), ("note", "Talk")):
        about = {"type": kind, "about": key, "subject": subject, "text": "They want it soon"}
        await one.ask("log_activity", **about)
    return key


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("is_on", [True, False], ids=["search on", "search off"])
async def test_words_are_found_over_tables_with_search_on_and_off(era: Era, is_on: bool) -> None:
    async with seller(era=era) as one:
        await known(one)
        if not is_on:
            one.crm.rules.append(off())
        for text in ("Zyron", "zyron", "  Zyron "):
            found = (await one.ask("find_records", text=text)).content
            assert [row["name"] for row in found["account"]] == ["Zyron & Sons 100% [x]"]
            assert [row["fullname"] for row in found["contact"]] == ["Ada Zyron"]
            assert [row["name"] for row in found["opportunity"]] == ["Zyron deal"]
            assert ("note" in found) is is_on


@pytest.mark.parametrize(
    "text", ["Zyr", "yron & S", "100% [x]", "& Sons", "Zyron -Sons", '"Zyron', "Zyron | x)"]
)
@pytest.mark.parametrize("is_on", [True, False], ids=["search on", "search off"])
async def test_parts_of_names_and_odd_characters_are_text(text: str, is_on: bool) -> None:
    async with seller() as one:
        await known(one)
        if not is_on:
            one.crm.rules.append(off())
        found = (await one.ask("find_records", text=text, tables=["account"])).content
        is_written_so = text.casefold() in "zyron & sons 100% [x]"
        names = [row["name"] for row in found.get("account", ())]
        if is_written_so or is_on:
            assert names == ["Zyron & Sons 100% [x]"]
        else:
            assert found["found"] == 0


@pytest.mark.parametrize("text", ["a", " a ", "", "x" * 101])
async def test_too_few_and_too_many_characters_are_not_looked_for(text: str) -> None:
    async with seller() as one:
        assert "2 to 100 characters" in (await one.ask("find_records", text=text)).error["message"]


async def test_nothing_found_is_said_with_what_to_try() -> None:
    async with seller() as one:
        found = await one.ask("find_records", text="nothing of the kind")
        assert found.content == {
            "found": 0,
            "hint": "Nothing has these words. Try fewer or other words, or part of the name.",
        }
        assert "more" not in found.content


async def test_a_table_that_search_does_not_know_is_looked_through() -> None:
    async with seller() as one:
        found = await one.ask("find_records", text="Kim", tables=["users", "transactioncurrency"])
        assert [row["fullname"] for row in found.content["systemuser"]] == ["Kim Akers"]
        wrong = (await one.ask("find_records", text="Kim", tables=["acount"])).error
        assert "Did you mean account" in wrong["message"]


READS = """
[[rules]]
id = "reads"
effect = "allow"
actions = ["read"]
tables = ["*"]
"""


async def test_a_policy_that_lets_be_read_and_not_searched_still_finds(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(READS)
    async with seller() as everything:
        await known(everything)
        async with seller(str(policy), crm=everything.crm) as one:
            everything.crm.seen.clear()
            found = await one.ask("find_records", text="Zyron")
            assert [row["name"] for row in found.content["account"]] == ["Zyron & Sons 100% [x]"]
            assert not [path for _, path in everything.crm.seen if "/search/" in path]


@pytest.mark.parametrize("era", ERAS)
async def test_an_account_is_told_at_a_glance_on_one_trip(era: Era) -> None:
    async with seller(era=era) as one:
        await known(one)
        one.crm.seen.clear()
        answer = await one.ask("get_overview", record="Zyron & Sons 100% [x]", table="account")
        assert [path.rpartition("/")[2] for _, path in one.crm.seen] == ["accounts", "$batch"]
        told = answer.content
        assert told["record"]["address1_city"] == "Bonn"
        assert [person["name"] for person in told["people"]] == ["Ada Zyron"]
        assert (told["opportunities"]["open"], told["opportunities"]["value"]) == (1, 5)
        assert [task["subject"] for task in told["tasks"]] == ["Call back"]
        assert [note["text"] for note in told["notes"]] == ["⟦They want it soon⟧"]
        assert {activity["subject"] for activity in told["activities"]} == {"Call back"}


@pytest.mark.parametrize(
    ("table", "part"), [("contact", "opportunities"), ("lead", "tasks"), ("opportunity", "tasks")]
)
async def test_people_leads_and_deals_are_told_too(table: str, part: str) -> None:
    async with seller() as one:
        key = await known(one)
        values = {
            "contact": {"lastname": "Glance"},
            "lead": {"lastname": "Glance"},
            "opportunity": {"name": "Glance"},
        }[table]
        made = await one.make(table, **values)
        await one.make("opportunity", name="Of Glance", Customer=made if table == "contact" else key)
        await one.ask("log_activity", type="task", about=made, about_table=table, subject="Of Glance")
        told = (await one.ask("get_overview", record="Glance", table=table)).content
        assert told["record"]["name"] == "Glance"
        named = told[part]["records"] if part == "opportunities" else told[part]
        assert "Of Glance" in json.dumps(named)


@pytest.mark.parametrize("part", ["contacts", "opportunities", "tasks", "activitypointers", "annotations"])
async def test_a_part_that_cannot_be_read_is_named_and_the_rest_is_told(part: str) -> None:
    async with seller() as one:
        key = await known(one)
        address = f"/{part}?".encode()
        one.crm.rules.append(Rule(on("POST", "$batch"), instead=(address, b"/no_such_thing?")))
        told = (await one.ask("get_overview", record=key, table="account")).content
        name = {"contacts": "people", "activitypointers": "activities", "annotations": "notes"}.get(
            part, part
        )
        assert told["not_read"] == f"Could not be read: {name}."
        assert name not in told
        assert told["record"]["name"] == "Zyron & Sons 100% [x]"


async def test_parts_that_the_policy_hides_altogether_are_not_spoken_of(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'extends = "full-access"\n[[rules]]\nid = "no"\neffect = "deny"\nactions = ["read"]\n'
        'tables = ["annotation", "contact"]\n'
    )
    async with seller() as everything:
        await known(everything)
        async with seller(str(policy), crm=everything.crm) as one:
            told = await one.ask("get_overview", record="Zyron & Sons 100% [x]", table="account")
            assert told.content.keys() == {"record", "opportunities", "tasks", "activities"}
            assert "Ada" not in told.text


BUDGETS: list[tuple[str, dict[str, Any], str]] = [
    ("query_records", {"table": "account", "top": 20}, "records"),
    ("summarize_records", {"table": "account", "by": ["address1_city", "name"]}, "groups"),
]


@pytest.mark.parametrize("most", [150, 300, 450])
@pytest.mark.parametrize(("tool", "arguments", "name"), BUDGETS)
async def test_a_budget_is_kept_and_what_is_left_out_is_counted(
    tool: str, arguments: dict[str, Any], name: str, most: int
) -> None:
    async with seller() as one:
        whole = (await one.ask(tool, **arguments)).content[name]
        answer = await one.ask(tool, **arguments, max_tokens=most)
        items = answer.content[name]
        assert items == whole[: len(items)]
        assert tokens_about(answer.content) <= most + 50
        assert answer.content["shown"] == len(items)
        assert answer.content["more"] is True
        assert f"{len(whole) - len(items)} of {len(whole)} {name}" in answer.content["cut"]
        assert answer.content["cut"] in answer.text
        assert "cursor" not in answer.content


@pytest.mark.parametrize("most", [100, 250, 600])
async def test_a_glance_and_a_find_are_cut_from_the_end_and_say_so(most: int) -> None:
    async with seller() as one:
        key = await known(one)
        for number in range(12):
            await one.make("opportunity", name=f"Zyron deal {number}", Customer=key, estimatedvalue=number)
        for tool, given in (
            ("get_overview", {"record": key}),
            ("find_records", {"text": "Zyron", "top": 20}),
        ):
            answer = await one.ask(tool, **given, max_tokens=most)
            assert "left out" in answer.content["cut"]
            fits = tokens_about(answer.content) <= most + 50
            assert fits or "What is left is longer all the same" in answer.content["cut"]
            assert ": none" not in answer.text
        deals = (await one.ask("get_overview", record=key, max_tokens=most)).content["opportunities"]
        assert deals["open"] == 13
        assert deals["value"] == 5 + sum(range(12))


@pytest.mark.parametrize("era", ERAS)
async def test_text_and_structured_content_tell_the_same(era: Era) -> None:
    async with seller(era=era) as one:
        await known(one)
        for tool, given in (
            ("get_overview", {"record": "Zyron & Sons 100% [x]"}),
            ("find_records", {"text": "Zyron"}),
            ("summarize_records", {"table": "account", "by": ["address1_city"], "top": 5}),
        ):
            answer = await one.ask(tool, **given)
            for leaf in leaves(answer.content):
                assert str(leaf) in answer.text, leaf


def leaves(content: Any) -> list[Any]:
    """The texts and numbers that the text of an answer has to tell; ids and links are for programs."""
    if isinstance(content, dict):
        unread = {"id", "url", "etag"} | ({"table"} if content.keys() == {"id", "name", "table"} else set())
        return [leaf for key, value in content.items() if key not in unread for leaf in leaves(value)]
    if isinstance(content, list):
        return [leaf for value in content for leaf in leaves(value)]
    is_moment = isinstance(content, str) and content.endswith("Z") and content[:4].isdigit()
    return [] if content is None or isinstance(content, bool) or is_moment else [content]
