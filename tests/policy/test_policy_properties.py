"""What holds for every policy, whatever its rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from crm_server.policy.decide import combine, decide, ever_allows
from crm_server.policy.explain import explain
from crm_server.policy.limits import COUNTED
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
STRICTNESS = {Outcome.ALLOWED: 0, Outcome.CONFIRM: 1, Outcome.DENIED: 2}
# The same examples each time, and no deadline: a slow machine is not a failure.
EXAMPLES = settings(max_examples=80, derandomize=True, database=None, deadline=None)
UNSHRUNK = settings(EXAMPLES, phases=[Phase.generate])
TABLES = ("account", "contact", "lead")
COLUMNS = ("name", "fullname", "birthdate")

columns = st.frozensets(st.sampled_from(COLUMNS), max_size=2)
limit = st.none() | st.integers(0, 5)


def rules(effects: st.SearchStrategy[Effect]) -> st.SearchStrategy[Rule]:
    return st.builds(
        Rule,
        id=st.from_regex(r"[a-z]{1,6}", fullmatch=True),
        effect=effects,
        actions=st.frozensets(st.sampled_from(Action), min_size=1),
        tables=st.none() | st.frozensets(st.sampled_from(TABLES), min_size=1),
    )


any_rule = rules(st.sampled_from(Effect))
policies = st.builds(
    Policy,
    name=st.just("generated"),
    rules=st.lists(any_rule, max_size=6).map(tuple),
    limits=st.builds(Limits, writes_per_minute=limit, deletes_per_day=limit, rows_per_read=limit),
    hidden=st.dictionaries(st.sampled_from(TABLES), columns, max_size=2),
)
accesses = st.builds(
    Access, st.sampled_from(Action), st.sampled_from(TABLES), columns, columns, st.integers(0, 10)
)


def used(names: Iterable[str]) -> st.SearchStrategy[dict[str, Used]]:
    return st.fixed_dictionaries({name: st.builds(Used, st.integers(0, 6)) for name in names})


COUNTED_NAMES = tuple(one.name for one in COUNTED)
spents = st.builds(Spent, used(COUNTED_NAMES), used(COUNTED_NAMES))
decisions = st.builds(decide, policies, st.just(Principal()), accesses, st.just(NOW), spents)


def strictness(policy: Policy, access: Access, spent: Spent) -> int:
    return STRICTNESS[decide(policy, Principal(), access, NOW, spent).outcome]


def with_rules(policy: Policy, new: tuple[Rule, ...]) -> Policy:
    return Policy(policy.name, new, policy.limits, policy.hidden)


@EXAMPLES
@given(policies, rules(st.just(Effect.DENY)), accesses, spents)
def test_adding_a_deny_rule_never_widens(policy: Policy, deny: Rule, access: Access, spent: Spent) -> None:
    stricter = with_rules(policy, (*policy.rules, deny))
    assert strictness(stricter, access, spent) >= strictness(policy, access, spent)


@EXAMPLES
@given(policies, rules(st.just(Effect.ALLOW)), accesses, spents)
def test_adding_an_allow_rule_never_narrows(
    policy: Policy, allow: Rule, access: Access, spent: Spent
) -> None:
    wider = with_rules(policy, (*policy.rules, allow))
    assert strictness(wider, access, spent) <= strictness(policy, access, spent)


@EXAMPLES
@given(policies, st.randoms(use_true_random=False), accesses, spents)
def test_the_order_of_rules_has_no_meaning(policy: Policy, random, access: Access, spent: Spent) -> None:
    shuffled = list(policy.rules)
    random.shuffle(shuffled)
    asked = (Principal(), access, NOW, spent)
    assert decide(with_rules(policy, tuple(shuffled)), *asked) == decide(policy, *asked)


@EXAMPLES
@given(policies, accesses, spents, st.sampled_from(TABLES), st.sampled_from(COLUMNS))
def test_hiding_a_column_never_widens(
    policy: Policy, access: Access, spent: Spent, table: str, column: str
) -> None:
    hidden = {**policy.hidden, table: policy.hidden.get(table, frozenset()) | {column}}
    stricter = Policy(policy.name, policy.rules, policy.limits, hidden)
    assert strictness(stricter, access, spent) >= strictness(policy, access, spent)


@EXAMPLES
@given(policies, accesses, spents)
def test_more_writes_before_never_widen(policy: Policy, access: Access, spent: Spent) -> None:
    more = Spent(
        *(
            {name: Used(one.amount + 1) for name, one in side.items()}
            for side in (spent.everyone, spent.caller)
        )
    )
    assert strictness(policy, access, more) >= strictness(policy, access, spent)


@EXAMPLES
@given(policies, accesses, spents)
def test_what_is_ever_denied_is_never_let_through(policy: Policy, access: Access, spent: Spent) -> None:
    decision = decide(policy, Principal(), access, NOW, spent)
    if not ever_allows(policy, access.action, access.table):
        assert decision.outcome is Outcome.DENIED


@EXAMPLES
@given(policies, st.sampled_from(Action), st.sampled_from(TABLES))
def test_what_is_ever_allowed_has_a_call_that_gets_through(
    policy: Policy, action: Action, table: str
) -> None:
    plain = decide(policy, Principal(), Access(action, table), NOW, Spent())
    assert ever_allows(policy, action, table) is (plain.outcome is not Outcome.DENIED)


@EXAMPLES
@given(policies, accesses, spents)
def test_nothing_gets_through_without_a_rule_that_says_so(
    policy: Policy, access: Access, spent: Spent
) -> None:
    decision = decide(policy, Principal(), access, NOW, spent)
    letting = {rule.id for rule in policy.rules if rule.effect is not Effect.DENY}
    if decision.outcome is not Outcome.DENIED:
        assert decision.rules
        assert set(decision.rules) <= letting


@EXAMPLES
@given(st.lists(decisions, min_size=1, max_size=4))
def test_an_operation_is_allowed_only_if_each_access_is(parts: list[Decision]) -> None:
    whole = combine(parts)
    assert whole.allowed is all(part.allowed for part in parts)
    assert STRICTNESS[whole.outcome] == max(STRICTNESS[part.outcome] for part in parts)


@EXAMPLES
@given(policies, st.lists(accesses, min_size=1, max_size=3), spents)
def test_the_explanation_shows_the_outcome_that_was_decided(
    policy: Policy, asked: list[Access], spent: Spent
) -> None:
    decided = [(access, decide(policy, Principal(), access, NOW, spent)) for access in asked]
    text = explain(policy, "some_tool", decided)
    lines = text.splitlines()
    whole = combine(decision for _, decision in decided)
    assert lines[0] == f"Tool some_tool under policy generated: {whole.outcome}"
    for access, decision in decided:
        assert f"{access.action} {access.table}: {decision.outcome}" in lines
        assert all(rule in text for rule in decision.rules)
    assert max(map(len, lines)) <= 100


def test_the_properties_reach_every_outcome() -> None:
    """Guards the generators: a property over denials alone would prove nothing."""
    for outcome in Outcome:
        assert find(decisions, lambda decision, wanted=outcome: decision.outcome is wanted, settings=UNSHRUNK)
