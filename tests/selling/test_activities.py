"""Calls, meetings, tasks and notes: logged as they were, and never by halves without saying so."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.interaction.connecting import ERAS, Era, Human
from tests.selling.crm import Rule, on, seller

pytestmark = pytest.mark.anyio
CALL = {"type": "call", "about": "Wolf Mills", "subject": "Prices", "done": True}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("arguments", "entity_set", "stored"),
    [
        (
            {**CALL, "when": "2026-11-23T10:00", "direction": "in", "text": "Too dear"},
            "phonecalls",
            {
                "statecode": 1,
                "statuscode": 2,
                "directioncode": False,
                "description": "Too dear",
                "scheduledend": "2026-11-23T09:00:00Z",
            },
        ),
        ({**CALL, "type": "task", "done": False}, "tasks", {"statecode": 0}),
        ({**CALL, "type": "task"}, "tasks", {"statecode": 1, "statuscode": 5}),
        (
            {**CALL, "type": "meeting", "when": "2026-11-23T10:00"},
            "appointments",
            {
                "statecode": 1,
                "scheduledstart": "2026-11-23T09:00:00Z",
                "scheduledend": "2026-11-23T10:00:00Z",
            },
        ),
        (
            {"type": "meeting", "when": "2026-12-01T10:00", "until": "2026-12-01T10:30"},
            "appointments",
            {"statecode": 0, "scheduledend": "2026-12-01T09:30:00Z"},
        ),
        ({**CALL, "type": "note", "text": "Hello"}, "annotations", {"notetext": "Hello"}),
    ],
)
async def test_each_kind_is_logged_as_it_was(
    arguments: dict[str, Any], entity_set: str, stored: dict[str, Any], era: Era
) -> None:
    async with seller(era=era, time_zone=ZoneInfo("Europe/Berlin")) as one:
        account = await one.make("account", name="Wolf Mills")
        answer = await one.ask("log_activity", **{"about": "Wolf Mills", "subject": "Prices", **arguments})
        assert not answer.failed, answer.text
        about = "_objectid_value" if entity_set == "annotations" else "_regardingobjectid_value"
        (row,) = await one.crm.rows(f"{entity_set}?$filter={about} eq {account}")
        assert {name: row[name] for name in stored} == stored


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"type": "meeting"}, "A meeting needs when"),
        ({"type": "meeting", "when": "tomorrow"}, "written like 2026-12-31T15:00"),
        (
            {"type": "meeting", "when": "2026-12-31T15:00", "until": "2026-12-31T14:00"},
            "until is before when",
        ),
        ({"type": "meeting", "when": "9999-12-31T23:30"}, "from 1753 to 9998"),
        ({"type": "task", "until": "2026-12-31T14:00"}, "Only a meeting has an end"),
        ({"type": "task", "direction": "in"}, "Only a call has a direction"),
        ({"type": "note", "when": "2026-12-31T14:00"}, "A note has no time"),
        ({"type": "fax"}, "one of call, meeting, task, note"),
        ({"subject": "  "}, "subject is empty"),
        ({"subject": "x" * 201}, "at most 200 characters"),
        ({"text": "x" * 2_001}, "at most 2,000 characters"),
        ({"about": "Wolf Mill"}, "Did you mean one of these"),
        ({"about": "Wolf Mills", "about_table": "contact"}, "No contact matches"),
    ],
)
async def test_what_cannot_be_is_not_logged(arguments: dict[str, Any], says: str) -> None:
    async with seller() as one:
        await one.make("account", name="Wolf Mills")
        given = {"type": "task", "about": "Wolf Mills", "subject": "Prices", **arguments}
        assert says in (await one.ask("log_activity", **given)).error["message"]
        assert not [path for method, path in one.crm.seen if method == "POST" and path.endswith("s")][1:]


async def test_a_call_that_cannot_be_completed_is_told_to_be_open() -> None:
    async with seller() as one:
        await one.make("account", name="Wolf Mills")
        one.crm.rules.append(Rule(on("PATCH", "phonecalls"), code="0x80040220", status=403))
        answer = await one.ask("log_activity", **CALL)
        assert answer.record["statecode"] == "Open"
        assert answer.content["not_completed"] == "crm_privilege_missing"
        for text in (answer.text, answer.content["warning"]):
            assert "It was created, but it could not be completed and is open" in text
        assert len(await one.crm.rows("phonecalls?$filter=subject eq 'Prices'")) == 1


ASKS = """
extends = "full-access"
[[rules]]
id = "ask"
effect = "confirm"
actions = ["update"]
tables = ["phonecall"]
"""


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("answer", ["accept", "decline"])
async def test_a_human_who_has_to_agree_to_half_of_it_does_not_make_it_twice(
    era: Era, answer: Any, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(ASKS)
    async with seller(str(policy), era=era, human=Human(answer)) as one:
        await one.make("account", name="Wolf Mills")
        logged = await one.ask("log_activity", **CALL)
        (row,) = await one.crm.rows("phonecalls?$filter=subject eq 'Prices'")
        assert (row["statecode"] == 1) is ("warning" not in logged.content)
        if row["statecode"] == 0:
            assert "is open" in logged.content["warning"]


@pytest.mark.parametrize("which", [on("POST", "phonecalls"), on("PATCH", "phonecalls")])
async def test_a_lost_answer_is_found_out_and_done_once(which: Any) -> None:
    async with seller() as one:
        await one.make("account", name="Wolf Mills")
        one.crm.rules.append(Rule(which, lost=True))
        answer = await one.ask("log_activity", **CALL)
        assert answer.record["statecode"] == "Completed"
        assert len(await one.crm.rows("phonecalls?$filter=subject eq 'Prices'")) == 1


async def test_a_dry_run_logs_nothing() -> None:
    async with seller() as one:
        await one.make("account", name="Wolf Mills")
        shown = await one.ask("log_activity", **CALL, dry_run=True)
        assert "Subject: Prices" in shown.content["changes"]
        assert not await one.crm.rows("phonecalls?$filter=subject eq 'Prices'")
