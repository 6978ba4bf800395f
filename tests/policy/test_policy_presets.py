"""The presets mean what they say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from crm_server.policy.decide import decide
from crm_server.policy.load import load_policy
from crm_server.policy.model import Limits, Outcome, Principal, Spent
from crm_tools.operations import Access, Action
from crm_tools.tables import Table

NOW = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)
YES, NO, ASK = Outcome.ALLOWED, Outcome.DENIED, Outcome.CONFIRM

READING = ("read", "search", "aggregate")
WORKING = ("create", "update", "assign", "link", "qualify", "win", "lose", "reopen")
HEAVY = ("delete", "merge", "bulk")

# fmt: off
PRESETS = [
    #                   reading  working  heavy
    ("read-only",       (YES,    NO,      NO)),
    ("sales-assistant", (YES,    YES,     ASK)),
    ("full-access",     (YES,    YES,     YES)),
]
LIMITS = [
    ("read-only",       Limits(rows_per_read=500)),
    ("sales-assistant", Limits(writes_per_minute=30, deletes_per_day=20, rows_per_read=500)),
    ("full-access",     Limits(writes_per_minute=300, deletes_per_day=500, rows_per_read=5_000)),
]
# fmt: on


@pytest.mark.parametrize(("preset", "expected"), PRESETS)
def test_a_preset_decides_the_same_on_every_table(
    preset: str, expected: tuple[Outcome, ...], tables: Mapping[str, Table]
) -> None:
    policy = load_policy(preset, tables)
    for table, facts in tables.items():
        columns = frozenset(facts.columns)
        for actions, outcome in zip((READING, WORKING, HEAVY), expected, strict=True):
            for action in actions:
                asked = Access(Action(action), table, columns, columns)
                assert decide(policy, Principal(), asked, NOW, Spent()).outcome is outcome, (table, action)


def test_the_groups_of_actions_are_all_there_are() -> None:
    assert {*READING, *WORKING, *HEAVY} == set(Action)


@pytest.mark.parametrize(("preset", "limits"), LIMITS)
def test_a_preset_has_the_limits_it_documents(
    preset: str, limits: Limits, tables: Mapping[str, Table]
) -> None:
    assert load_policy(preset, tables).limits == limits
