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

# fmt: off
PRESETS = [
    #                   read  create  update  delete
    ("read-only",       (YES, NO,     NO,     NO)),
    ("sales-assistant", (YES, YES,    YES,    ASK)),
    ("full-access",     (YES, YES,    YES,    YES)),
]
LIMITS = [
    ("read-only",       Limits(None, None, 500)),
    ("sales-assistant", Limits(30, 20, 500)),
    ("full-access",     Limits(300, 500, 5_000)),
]
# fmt: on


@pytest.mark.parametrize(("preset", "expected"), PRESETS)
def test_a_preset_decides_the_same_on_every_table(
    preset: str, expected: tuple[Outcome, ...], tables: Mapping[str, Table]
) -> None:
    policy = load_policy(preset, tables)
    for table, facts in tables.items():
        columns = frozenset(facts.columns)
        outcomes = tuple(
            decide(policy, Principal(), Access(action, table, columns, columns), NOW, Spent()).outcome
            for action in Action
        )
        assert outcomes == expected, table


@pytest.mark.parametrize(("preset", "limits"), LIMITS)
def test_a_preset_has_the_limits_it_documents(
    preset: str, limits: Limits, tables: Mapping[str, Table]
) -> None:
    assert load_policy(preset, tables).limits == limits
