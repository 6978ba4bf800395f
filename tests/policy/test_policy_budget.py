"""Counting writes for the limits, on a clock that the tests turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crm_server.policy.budget import Budget
from crm_server.policy.decide import decide
from crm_server.policy.model import MOST_COUNTED, Effect, Limits, Policy, Principal, Rule, Spent
from crm_tools.operations import Access, Action

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


# fmt: off
COUNTED = [
    (Action.READ,   Spent(0, 0)),
    (Action.CREATE, Spent(1, 0)),
    (Action.UPDATE, Spent(1, 0)),
    (Action.DELETE, Spent(1, 1)),
]
# fmt: on


@pytest.mark.parametrize(("action", "spent"), COUNTED)
def test_a_delete_counts_as_a_write_too_and_a_read_as_nothing(action: Action, spent: Spent) -> None:
    budget = Budget()
    budget.reserve(action, NOON)
    assert budget.spent(NOON) == spent


# fmt: off
WINDOWS = [
    (at(0),               Spent(1, 1)),
    (at(59.999),          Spent(1, 1)),
    (at(60),              Spent(0, 1)),
    (at(24 * 3600 - 1),   Spent(0, 1)),
    (at(24 * 3600),       Spent(0, 0)),
]
# fmt: on


@pytest.mark.parametrize(("now", "spent"), WINDOWS)
def test_a_write_counts_for_a_minute_and_a_delete_for_a_day(now: datetime, spent: Spent) -> None:
    budget = Budget()
    budget.reserve(Action.DELETE, NOON)
    assert budget.spent(now) == spent


def test_the_window_slides_and_does_not_start_anew_on_the_minute() -> None:
    budget = Budget()
    for seconds in (0, 30, 50):
        budget.reserve(Action.UPDATE, at(seconds))
    assert [budget.spent(at(now)).writes_last_minute for now in (59, 60, 89, 90, 110)] == [3, 2, 2, 1, 0]


def test_a_clock_that_is_set_back_frees_nothing_early() -> None:
    budget = Budget()
    budget.reserve(Action.UPDATE, at(3600))
    budget.reserve(Action.UPDATE, at(0))
    assert budget.spent(at(0)).writes_last_minute == 2
    assert budget.spent(at(120)).writes_last_minute == 2
    assert budget.spent(at(3660)).writes_last_minute == 0


def test_memory_is_bounded_and_the_largest_limit_still_holds() -> None:
    budget = Budget()
    for _ in range(MOST_COUNTED + 50):
        budget.reserve(Action.DELETE, NOON)
    assert budget.spent(NOON) == Spent(MOST_COUNTED, MOST_COUNTED)


def test_checked_and_reserved_writes_never_exceed_the_limit_in_any_minute() -> None:
    allow = Rule("all", Effect.ALLOW, frozenset(Action), None)
    policy = Policy("limited", (allow,), Limits(writes_per_minute=5), {})
    budget, sent = Budget(), []
    for step in range(400):
        now = NOON + step * 0.7 * SECOND
        if decide(policy, Principal(), Access(Action.CREATE, "lead"), now, budget.spent(now)).allowed:
            budget.reserve(Action.CREATE, now)
            sent.append(now)
    busiest = max(sum(start <= other < start + 60 * SECOND for other in sent) for start in sent)
    assert busiest == 5
    assert len(sent) == 25
