"""The journal as a client meets it: what was changed is listed, and taken back under the same policy."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from tests.interaction.connecting import ERAS, Era, Human, content, memory_client, policy_file

pytestmark = pytest.mark.anyio


async def changes(client: Client, **arguments: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = (await content(client, "list_changes", **arguments))["records"]
    return records


async def lead(client: Client, **columns: Any) -> dict[str, Any]:
    record: dict[str, Any] = (
        await content(client, "create_lead", lastname="Quill", subject="Pens", **columns)
    )["record"]
    return record


@pytest.mark.parametrize("era", ERAS)
async def test_an_update_is_listed_with_before_and_after_and_can_be_undone(sandbox: Any, era: Era) -> None:
    async with memory_client("full-access", sandbox=sandbox, era=era) as client:
        key = (await lead(client, description="Wants pens", leadqualitycode="Warm"))["leadid"]
        answer = await content(
            client, "update_lead", leadid=key, subject="Pencils", leadqualitycode="Hot", description=None
        )
        change, created = await changes(client, id=key)
        assert (change["change_id"], change["action"], change["state"]) == (
            answer["change_id"],
            "update",
            "done",
        )
        assert change["before"] == {
            "subject": "Pens",
            "leadqualitycode": "Warm",
            "description": "⟦Wants pens⟧",
        }
        assert change["after"] == {"subject": "Pencils", "leadqualitycode": "Hot", "description": None}
        assert created["action"] == "create"

        undone = await content(client, "undo_change", change_id=change["change_id"])
        assert undone["undone"]["change_id"] == change["change_id"]
        record = await content(
            client, "get_lead", leadid=key, select=["subject", "leadqualitycode", "description"]
        )
        assert record["record"]["subject"] == "Pens"
        assert record["record"]["leadqualitycode"] == "Warm"
        assert record["record"]["description"] == "⟦Wants pens⟧"

        undo, change, _ = await changes(client, id=key)
        assert undo["undo_of"] == change["change_id"]
        assert change["undone_by"] == undo["change_id"]
        again = await content(client, "undo_change", change_id=change["change_id"])
        assert f"was undone by change {undo['change_id']}" in again["error"]["message"]
        # Undoing the undo makes the change again.
        await content(client, "undo_change", change_id=undo["change_id"])
        record = await content(client, "get_lead", leadid=key, select=["subject"])
        assert record["record"]["subject"] == "Pencils"


async def test_lookups_go_back_to_the_row_they_led_to(sandbox: Any) -> None:
    async with memory_client("full-access", sandbox=sandbox) as client:
        first, second = (await content(client, "list_accounts", top=2))["records"]
        contact = (
            await content(
                client, "create_contact", lastname="Quill", parentcustomerid_account=first["accountid"]
            )
        )["record"]["contactid"]
        await content(
            client, "update_contact", contactid=contact, parentcustomerid_account=second["accountid"]
        )
        change = (await changes(client, id=contact))[0]
        assert change["before"]["parentcustomerid"]["id"] == first["accountid"]
        await content(client, "undo_change", change_id=change["change_id"])
        found = await content(client, "get_contact", contactid=contact, select=["parentcustomerid"])
        assert found["record"]["parentcustomerid"]["id"] == first["accountid"]
        # What was empty before is empty again.
        await content(client, "update_contact", contactid=contact, parentcustomerid_account=None)
        change = (await changes(client, id=contact))[0]
        await content(client, "undo_change", change_id=change["change_id"])
        found = await content(client, "get_contact", contactid=contact, select=["parentcustomerid"])
        assert found["record"]["parentcustomerid"]["id"] == first["accountid"]


async def test_what_was_created_is_deleted_and_what_was_deleted_comes_back_with_its_id(sandbox: Any) -> None:
    human = Human("accept")
    async with memory_client(sandbox=sandbox, human=human) as client:
        key = (await lead(client, description="Wants pens", firstname="Ana"))["leadid"]
        change = (await changes(client, id=key))[0]
        undone = await content(client, "undo_change", change_id=change["change_id"])
        assert undone["undone"]["leadid"] == key
        assert human.questions[0].startswith("Delete the lead Ana Quill for good")
        assert (await content(client, "get_lead", leadid=key))["error"]["code"] == "not_found"

        deleted = (await changes(client, id=key))[0]
        assert (deleted["action"], deleted["before"]["firstname"]) == ("delete", "Ana")
        undone = await content(client, "undo_change", change_id=deleted["change_id"])
        assert undone["record"]["leadid"] == key
        assert any("does not come back" in sentence for sentence in undone["not_restored"])
        record = (await content(client, "get_lead", leadid=key, format="detailed"))["record"]
        assert (record["firstname"], record["subject"], record["description"]) == (
            "Ana",
            "Pens",
            "⟦Wants pens⟧",
        )


async def test_a_state_change_is_taken_back(sandbox: Any) -> None:
    async with memory_client("full-access", sandbox=sandbox) as client:
        key = (await lead(client))["leadid"]
        before = (await content(client, "get_lead", leadid=key, select=["statecode", "statuscode"]))["record"]
        await content(client, "update_lead", leadid=key, statecode="Disqualified")
        change = (await changes(client, id=key))[0]
        await content(client, "undo_change", change_id=change["change_id"])
        after = (await content(client, "get_lead", leadid=key, select=["statecode", "statuscode"]))["record"]
        assert (after["statecode"], after["statuscode"]) == (before["statecode"], before["statuscode"])


@pytest.mark.parametrize("era", ERAS)
async def test_a_record_that_changed_since_is_undone_only_when_a_human_has_seen_what_differs(
    sandbox: Any, era: Era
) -> None:
    human = Human("decline")
    async with memory_client("full-access", sandbox=sandbox, era=era, human=human) as client:
        key = (await lead(client))["leadid"]
        change = (await content(client, "update_lead", leadid=key, subject="Pencils"))["change_id"]
        await content(client, "update_lead", leadid=key, subject="Crayons")
        preview = await content(client, "undo_change", change_id=change, dry_run=True)
        assert preview["changes"] == ["Changed since by somebody else: Topic", "Topic: Crayons -> Pens"]
        assert preview["sent"] is False
        refused = await content(client, "undo_change", change_id=change)
        assert refused["error"]["code"] == "not_approved"
        assert "Topic: Crayons -> Pens" in human.questions[-1]
        human.action = "accept"
        await content(client, "undo_change", change_id=change)
        found = await content(client, "get_lead", leadid=key, select=["subject"])
        assert found["record"]["subject"] == "Pens"


async def test_a_record_that_has_others_by_now_is_not_deleted_unasked(sandbox: Any) -> None:
    async with memory_client("full-access", sandbox=sandbox) as client:
        made = await content(client, "create_account", name="Quill & Co")
        key = made["record"]["accountid"]
        await content(client, "create_opportunity", name="Pens", parentaccountid=key)
        refused = await content(client, "undo_change", change_id=made["change_id"])
        assert refused["error"]["code"] == "not_approved"
        assert (await content(client, "get_account", accountid=key))["record"]["accountid"] == key


async def test_nobody_undoes_what_is_not_there_or_not_theirs(sandbox: Any) -> None:
    async with memory_client("full-access", sandbox=sandbox) as client:
        made = await lead(client)
        assert made
    async with memory_client("full-access", sandbox=sandbox) as client:
        refused = await content(client, "undo_change", change_id="abcdefghij")
        assert refused["error"]["message"].startswith("There is no change of yours")


DESCRIPTION_HIDDEN = """
extends = "full-access"

[hidden]
lead = ["description"]
"""


async def test_the_journal_shows_no_more_than_a_read_would(tmp_path: Path, sandbox: Any) -> None:
    settings = {"state": f"sqlite:///{tmp_path / 'state.db'}"}
    async with memory_client("full-access", sandbox=sandbox, **settings) as client:
        key = (await lead(client, description="canary"))["leadid"]
        await content(client, "update_lead", leadid=key, description="canary too", subject="Pencils")
        await content(client, "delete_lead", leadid=key)
    hidden = policy_file(tmp_path, DESCRIPTION_HIDDEN)
    async with memory_client(hidden, sandbox=sandbox, **settings) as client:
        listed = await changes(client, id=key)
        assert [change["action"] for change in listed] == ["delete", "update", "create"]
        assert "canary" not in json.dumps(listed)
        undone = await content(client, "undo_change", change_id=listed[0]["change_id"])
        assert undone["record"]["subject"] == "Pencils"
        assert "canary" not in json.dumps(undone)
        assert "Description" in undone["not_restored"][0]


async def test_undoing_needs_what_the_policy_asks_of_any_change(tmp_path: Path, sandbox: Any) -> None:
    settings = {"state": f"sqlite:///{tmp_path / 'state.db'}"}
    async with memory_client("full-access", sandbox=sandbox, **settings) as client:
        change = (await content(client, "create_lead", lastname="Quill", subject="Pens"))["change_id"]
    async with memory_client("sales-assistant", sandbox=sandbox, **settings) as client:
        asked = await content(client, "undo_change", change_id=change)
        assert asked["error"]["code"] == "not_approved"
    no_deletes = policy_file(
        tmp_path,
        'extends = "full-access"\n'
        '[[rules]]\nid = "keep"\neffect = "deny"\nactions = ["delete"]\ntables = ["*"]\n',
    )
    async with memory_client(no_deletes, sandbox=sandbox, **settings) as client:
        refused = await content(client, "undo_change", change_id=change)
        assert refused["error"]["rules"] == ["keep"]


async def test_an_answer_says_what_is_left_of_the_limits(tmp_path: Path, sandbox: Any) -> None:
    moment = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
    limited = policy_file(
        tmp_path,
        'extends = "full-access"\n[limits]\nwrites_per_minute = 4\n'
        "[limits.each_caller]\nwrites_per_day = 3\n",
    )
    async with memory_client(limited, sandbox=sandbox, now=lambda: moment) as client:
        result = await client.call_tool("create_lead", {"lastname": "Quill", "subject": "Pens"})
        left = {one["limit"]: (one["for"], one["left"]) for one in result.meta["policy"]["left"]}
        assert left == {
            "writes_per_minute": ("all callers together", 3),
            "writes_per_day": ("you", 2),
        }
        await lead(client)
        third = await content(client, "create_lead", lastname="Quill", subject="Pens")
        assert "0 of 3 writes per day left for you, more from 2026-05-05 10:00:00 UTC" in third["limits"]
        refused = await content(client, "create_lead", lastname="Quill", subject="Pens")
        assert refused["error"]["rules"] == ["limit:writes_per_day"]
        assert "frees at 2026-05-05 10:00:00 UTC" in refused["error"]["message"]


async def test_rows_that_were_read_count_against_the_limit_of_an_hour(tmp_path: Path, sandbox: Any) -> None:
    limited = policy_file(tmp_path, 'extends = "full-access"\n[limits]\nrows_per_hour = 25\n')
    async with memory_client(limited, sandbox=sandbox) as client:
        assert (await content(client, "list_accounts", top=20))["shown"] == 20
        assert (await content(client, "list_leads", top=20))["shown"] == 5
        refused = await content(client, "list_accounts", top=1)
        assert refused["error"]["rules"] == ["limit:rows_per_hour"]


ASK_AFTER_READING = 'extends = "full-access"\nask_after_reading = true\n'


async def test_writes_need_a_human_once_text_of_strangers_was_read(tmp_path: Path, sandbox: Any) -> None:
    careful = policy_file(tmp_path, ASK_AFTER_READING)
    human = Human("decline")
    async with memory_client(careful, sandbox=sandbox, human=human) as client:
        key = (await lead(client))["leadid"]
        assert human.questions == []
        await content(client, "get_lead", leadid=key)
        refused = await content(client, "update_lead", leadid=key, subject="Pencils")
        assert refused["error"]["code"] == "not_approved"
        assert "Text that strangers may have written was read before this change" in human.questions[-1]
