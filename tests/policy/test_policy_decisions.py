"""What a policy answers, as a table that can be read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crm_server.policy.decide import combine, decide, ever_allows, readable
from crm_server.policy.model import (
    Decision,
    Effect,
    Limits,
    Outcome,
    Policy,
    Principal,
    Rule,
    Spent,
    Used,
)
from crm_tools.operations import Access, Action

NOW = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)
READ, CREATE, UPDATE, DELETE = Action.READ, Action.CREATE, Action.UPDATE, Action.DELETE
MAIN = (READ, CREATE, UPDATE, DELETE)
ALLOWED, DENIED, CONFIRM = Outcome.ALLOWED, Outcome.DENIED, Outcome.CONFIRM


def rule(rule_id: str, effect: Effect, actions: set[Action], *tables: str) -> Rule:
    return Rule(rule_id, effect, frozenset(actions), frozenset(tables) if tables else None)


POLICY = Policy(
    name="example",
    rules=(
        rule("read-all", Effect.ALLOW, {READ}),
        rule("write-all", Effect.ALLOW, {CREATE, UPDATE, DELETE}),
        rule("ask-on-deals", Effect.CONFIRM, {UPDATE, DELETE}, "opportunity"),
        rule("ask-on-delete", Effect.CONFIRM, {DELETE}),
        rule("no-lead-deletes", Effect.DENY, {DELETE}, "lead"),
        rule("no-lead-updates", Effect.DENY, {UPDATE, DELETE}, "lead"),
    ),
    limits=Limits(writes_per_minute=3, deletes_per_day=2, rows_per_read=100),
    hidden={"contact": frozenset({"birthdate", "mobilephone"})},
)
EMPTY = Policy("empty", (), Limits(), {})
OPEN = Policy("open", (rule("all", Effect.ALLOW, set(Action)),), Limits(), {})


def access(action: Action, table: str, *, reads: str = "", writes: str = "", rows: int = 0) -> Access:
    return Access(action, table, frozenset(reads.split()), frozenset(writes.split()), rows)


FREES = datetime(2026, 5, 4, 10, 0, 30, tzinfo=UTC)


def spent(writes: int = 0, deletes: int = 0) -> Spent:
    used = {"writes_per_minute": Used(writes, FREES), "deletes_per_day": Used(deletes, FREES)}
    return Spent(everyone=used)


def judge(policy: Policy, asked: Access, before: Spent | None = None) -> Decision:
    return decide(policy, Principal(), asked, NOW, before or Spent())


WRITES, DELETES = "limit:writes_per_minute", "limit:deletes_per_day"
BIRTHDATE, MOBILE = "hidden:contact.birthdate", "hidden:contact.mobilephone"
NO_LEADS = ("no-lead-deletes", "no-lead-updates")
ASK_ON_BOTH = ("ask-on-deals", "ask-on-delete")

# fmt: off
DECISIONS = [
    # what is asked                                        spent        outcome   deciding rules
    (access(READ, "account", reads="name", rows=20),       spent(),     ALLOWED, ("read-all",)),
    (access(READ, "account", rows=5_000),                  spent(9, 9), ALLOWED, ("read-all",)),
    (access(CREATE, "account", writes="name"),             spent(),     ALLOWED, ("write-all",)),
    (access(CREATE, "account"),                            spent(2, 0), ALLOWED, ("write-all",)),
    (access(CREATE, "account"),                            spent(3, 0), DENIED,  (WRITES,)),
    (access(CREATE, "account"),                            spent(0, 9), ALLOWED, ("write-all",)),
    (access(UPDATE, "account", writes="name"),             spent(),     ALLOWED, ("write-all",)),
    (access(UPDATE, "opportunity"),                        spent(),     CONFIRM, ("ask-on-deals",)),
    (access(UPDATE, "opportunity"),                        spent(3, 0), DENIED,  (WRITES,)),
    (access(DELETE, "account"),                            spent(),     CONFIRM, ("ask-on-delete",)),
    (access(DELETE, "opportunity"),                        spent(),     CONFIRM, ASK_ON_BOTH),
    (access(DELETE, "account"),                            spent(0, 2), DENIED,  (DELETES,)),
    (access(DELETE, "account"),                            spent(3, 2), DENIED,  (WRITES, DELETES)),
    (access(UPDATE, "lead"),                               spent(),     DENIED,  ("no-lead-updates",)),
    (access(DELETE, "lead"),                               spent(),     DENIED,  NO_LEADS),
    (access(DELETE, "lead"),                               spent(9, 9), DENIED,  NO_LEADS),
    (access(READ, "contact", reads="fullname"),            spent(),     ALLOWED, ("read-all",)),
    (access(READ, "contact", reads="fullname birthdate"),  spent(),     DENIED,  (BIRTHDATE,)),
    (access(READ, "contact", reads="mobilephone birthdate"), spent(),   DENIED,  (BIRTHDATE, MOBILE)),
    (access(UPDATE, "contact", writes="birthdate"),        spent(),     DENIED,  (BIRTHDATE,)),
    (access(READ, "lead", reads="mobilephone"),            spent(),     ALLOWED, ("read-all",)),
]
# fmt: on


@pytest.mark.parametrize(("asked", "spent", "outcome", "rules"), DECISIONS)
def test_a_decision_is_what_the_table_says(
    asked: Access, spent: Spent, outcome: Outcome, rules: tuple[str, ...]
) -> None:
    decision = judge(POLICY, asked, spent)
    assert (decision.outcome, decision.rules) == (outcome, rules)
    assert decision.allowed is (outcome is ALLOWED)


@pytest.mark.parametrize("action", list(Action))
def test_what_no_rule_speaks_of_is_denied(action: Action) -> None:
    decision = judge(EMPTY, access(action, "account"))
    assert (decision.outcome, decision.rules) == (DENIED, ())
    assert decision.reason == f"Policy empty has no rule that allows {action} on account."


# fmt: off
REASONS = [
    (access(READ, "account", rows=20), spent(),
     "Policy example allows read on account by rule read-all."),
    (access(READ, "account", rows=101), spent(),
     "Policy example allows read on account by rule read-all, at most 100 rows at a time."),
    (access(DELETE, "opportunity"), spent(),
     ("Policy example asks for a human's approval of delete on opportunity "
      "by rules ask-on-deals and ask-on-delete.")),
    (access(UPDATE, "lead"), spent(),
     "Policy example denies update on lead by rule no-lead-updates."),
    (access(READ, "contact", reads="birthdate"), spent(),
     "Policy example hides the column contact.birthdate: leave it out."),
    (access(READ, "contact", reads="birthdate mobilephone"), spent(),
     "Policy example hides the columns contact.birthdate and contact.mobilephone: leave them out."),
    (access(CREATE, "lead"), spent(3, 0),
     ("The limit of 3 writes per minute for all callers together is used up; it frees at "
     "2026-05-04 10:00:30 UTC.")),
    (access(DELETE, "account"), spent(0, 2),
     ("The limit of 2 deletes per day for all callers together is used up; it frees at "
     "2026-05-04 10:00:30 UTC.")),
]
# fmt: on


@pytest.mark.parametrize(("asked", "spent", "reason"), REASONS)
def test_a_reason_says_in_words_what_decided(asked: Access, spent: Spent, reason: str) -> None:
    assert judge(POLICY, asked, spent).reason == reason


def test_a_hidden_column_is_named_even_where_a_rule_denies_too() -> None:
    policy = Policy("both", (rule("no", Effect.DENY, {READ}),), Limits(), {"lead": frozenset({"subject"})})
    decision = judge(policy, access(READ, "lead", reads="subject"))
    assert decision.rules == ("no", "hidden:lead.subject")
    assert decision.reason == (
        "Policy both denies read on lead by rule no and hides the column lead.subject: leave it out."
    )


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        (access(READ, "account", rows=20), 100),
        (access(READ, "account", rows=5_000), 100),
        (access(READ, "contact", rows=0), 100),
        (access(CREATE, "account"), None),
        (access(READ, "contact", reads="birthdate", rows=5_000), None),
    ],
)
def test_reads_are_narrowed_and_never_denied_for_asking_too_many_rows(
    asked: Access, most: int | None
) -> None:
    assert judge(POLICY, asked).max_rows == most


def test_without_a_limit_reads_are_not_narrowed() -> None:
    assert judge(OPEN, access(READ, "account", rows=5_000)).max_rows is None


# fmt: off
CLOSED = [
    # limits                        read   create  update  delete
    (Limits(),                      (True,  True,  True,  True)),
    (Limits(writes_per_minute=1),   (True,  True,  True,  True)),
    (Limits(writes_per_minute=0),   (True,  False, False, False)),
    (Limits(deletes_per_day=0),     (True,  True,  True,  False)),
    (Limits(rows_per_read=0),       (False, True,  True,  True)),
]
# fmt: on


@pytest.mark.parametrize(("limits", "expected"), CLOSED)
def test_a_limit_of_zero_closes_the_action_for_good(limits: Limits, expected: tuple[bool, ...]) -> None:
    policy = Policy("limited", OPEN.rules, limits, {})
    assert tuple(ever_allows(policy, action, "account") for action in MAIN) == expected
    assert tuple(judge(policy, access(action, "account")).allowed for action in MAIN) == expected


def test_a_limit_of_zero_does_not_promise_to_free() -> None:
    policy = Policy("limited", OPEN.rules, Limits(deletes_per_day=0), {})
    decision = judge(policy, access(DELETE, "account"))
    assert decision.rules == ("limit:deletes_per_day",)
    assert decision.reason == "The policy sets deletes per day to 0, so there can be none."


# fmt: off
EVER = [
    #               read   create  update  delete
    ("account",     (True, True,  True,  True)),
    ("opportunity", (True, True,  True,  True)),
    ("lead",        (True, True,  False, False)),
]
# fmt: on


@pytest.mark.parametrize(("table", "expected"), EVER)
def test_ever_allows_counts_what_a_human_may_confirm(table: str, expected: tuple[bool, ...]) -> None:
    assert tuple(ever_allows(POLICY, action, table) for action in MAIN) == expected


def test_ever_allows_nothing_where_no_rule_matches() -> None:
    assert not any(ever_allows(EMPTY, action, "account") for action in Action)


def test_hidden_columns_are_not_readable_and_the_others_keep_their_order() -> None:
    policy = Policy("hiding", OPEN.rules, Limits(), {"contact": frozenset({"birthdate"})})
    columns = ("telephone1", "birthdate", "fullname")
    assert readable(policy, Principal(), "contact", columns, NOW) == ("telephone1", "fullname")
    assert readable(policy, Principal(), "lead", columns, NOW) == columns
    assert readable(EMPTY, Principal(), "lead", columns, NOW) == ()


A = Decision(ALLOWED, ("a",), "A allows.", 50)
B = Decision(ALLOWED, ("b",), "B allows.", 20)
C = Decision(CONFIRM, ("c",), "C asks.", None)
D = Decision(DENIED, ("d",), "D denies.", None)
E = Decision(DENIED, ("e", "d"), "E denies.", None)


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([A], A),
        ([A, B], Decision(ALLOWED, ("a", "b"), "A allows. B allows.", 20)),
        ([A, A], A),
        ([A, C], Decision(CONFIRM, ("c",), "C asks.", 50)),
        ([A, C, D], D),
        ([D, C, E, A], Decision(DENIED, ("d", "e"), "D denies. E denies.")),
    ],
)
def test_an_operation_gets_the_strictest_of_its_decisions(parts: list[Decision], whole: Decision) -> None:
    assert combine(parts) == whole


def test_an_operation_without_any_access_is_denied() -> None:
    assert combine([]).outcome is DENIED
