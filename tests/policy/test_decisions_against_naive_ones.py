"""The decision against a second one that is slow, obvious, and written from the documentation alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crm_server.policy.decide import decide
from crm_server.policy.model import Effect, Limits, Mask, Outcome, Policy, Principal, Rule, Spent
from crm_tools.conditions import Condition, parse_condition
from crm_tools.description import load
from crm_tools.operations import Access, Action

TABLES = load().tables
NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
COLUMNS = ("name", "telephone1", "revenue")
SMALL, LARGE = "revenue lt 100", "revenue ge 1000"
NAMED = "name eq 'Contoso'"
MEANINGS: Mapping[str, Any] = {
    SMALL: lambda row: row["revenue"] is not None and row["revenue"] < 100,
    LARGE: lambda row: row["revenue"] is not None and row["revenue"] >= 1000,
    NAMED: lambda row: row["name"] == "Contoso",
}
"""What the conditions mean, said anew."""

READ_CONDITIONS: Mapping[str, Condition] = {
    text: parse_condition(text, TABLES["account"], TABLES, to_negate=True) for text in MEANINGS
}
TEXT_OF = {id(condition): text for text, condition in READ_CONDITIONS.items()}
SHOWS_MOST_FIRST = list(Mask)


@dataclass(frozen=True)
class Naive:
    """``seen`` says whether the row that was asked about is within."""

    outcome: Outcome
    seen: bool = False
    masks: Mapping[str, Mask] | None = None


DENIED = Naive(Outcome.DENIED)


def naive(
    policy: Policy, who: Principal, access: Access, environment: str | None, row: Mapping[str, Any]
) -> Naive:
    speaking = [rule for rule in policy.rules if speaks(rule, who, access, environment)]
    touched = access.reads | access.writes
    if any(rule.effect is Effect.DENY and not rule.rows for rule in speaking):
        return DENIED
    if touched & policy.hidden.get(access.table, frozenset()):
        return DENIED
    letting = [rule for rule in speaking if rule.effect is not Effect.DENY]
    if not letting:
        return DENIED
    masks: dict[str, Mask] = {}
    seen = (not touched and any(has_row(rule, row) for rule in letting)) or bool(touched)
    for column in touched:
        shown_only = column not in access.used and column not in access.writes
        whole = [rule for rule in letting if shows_whole(rule, column)]
        masked = [rule for rule in letting if shown_only and column in rule.masked.get("account", {})]
        if not whole and not masked:
            return DENIED
        if not whole:
            ways = [rule.masked["account"][column] for rule in masked]
            masks[column] = min(ways, key=SHOWS_MOST_FIRST.index)
        seen = seen and any(has_row(rule, row) for rule in [*whole, *masked])
    never = [rule for rule in speaking if rule.effect is Effect.DENY]
    seen = seen and not any(has_row(rule, row) for rule in never)
    confirm = any(rule.effect is Effect.CONFIRM for rule in letting)
    return Naive(Outcome.CONFIRM if confirm else Outcome.ALLOWED, seen, masks)


def speaks(rule: Rule, who: Principal, access: Access, environment: str | None) -> bool:
    if access.action not in rule.actions or (rule.tables is not None and access.table not in rule.tables):
        return False
    if (rule.roles or rule.users) and not (rule.roles & who.roles or who.name in rule.users):
        return False
    if rule.environments and (
        rule.effect is Effect.ALLOW if environment is None else environment not in rule.environments
    ):
        return False
    touched = access.reads | access.writes
    if rule.columns is not None and touched:
        named = rule.columns["account"] | rule.masked.get("account", {}).keys()
        if not named & touched:
            return False
    if rule.values:
        text = TEXT_OF[id(rule.values["account"])]
        column = "name" if text == NAMED else "revenue"
        if column not in access.values:
            return rule.effect is Effect.ALLOW
        return bool(MEANINGS[text](access.values))
    return True


def shows_whole(rule: Rule, column: str) -> bool:
    if column in rule.masked.get("account", {}):
        return False
    return rule.columns is None or column in rule.columns["account"]


def has_row(rule: Rule, row: Mapping[str, Any]) -> bool:
    if not rule.rows:
        return True
    return bool(MEANINGS[TEXT_OF[id(rule.rows["account"])]](row))


def _conditions(of: str) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(sorted(READ_CONDITIONS)).map(
        lambda text: (of, {"account": READ_CONDITIONS[text]})
    )


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    effect = draw(st.sampled_from(Effect))
    action = draw(st.sampled_from([Action.READ, Action.UPDATE]))
    narrowing: dict[str, Any] = {}
    if draw(st.booleans()):
        narrowing["columns"] = {"account": draw(st.frozensets(st.sampled_from(COLUMNS), min_size=1))}
    # A rule with masks and one with rows never meet on one column: such a policy is refused.
    if action is Action.READ and effect is not Effect.DENY and draw(st.booleans()):
        narrowing["masked"] = {"account": {draw(st.sampled_from(COLUMNS)): draw(st.sampled_from(Mask))}}
        if "columns" in narrowing:
            columns = narrowing["columns"]["account"] - narrowing["masked"]["account"].keys()
            narrowing["columns"] = {"account": columns}
    elif (rows := draw(_conditions("rows"))) is not None:
        narrowing |= dict([rows])
    if action is Action.UPDATE and (values := draw(_conditions("values"))) is not None:
        narrowing |= dict([values])
    if draw(st.booleans()):
        narrowing["roles"] = draw(st.frozensets(st.sampled_from(["a", "b"]), min_size=1))
    if draw(st.booleans()):
        narrowing["environments"] = frozenset({draw(st.sampled_from(["production", "sandbox"]))})
    rule_id = f"r{draw(st.integers(0, 10**6))}"
    return Rule(rule_id, effect, frozenset({action}), frozenset({"account"}), **narrowing)


def _plain(effect: Effect) -> Rule:
    return Rule(f"plain-{effect}", effect, frozenset({Action.READ, Action.UPDATE}), None)


POLICIES = st.builds(
    lambda given, hidden, plain: Policy("p", (*given, *plain), Limits(), {"account": hidden}),
    st.lists(rules(), max_size=5),
    st.frozensets(st.sampled_from(COLUMNS), max_size=1),
    st.lists(st.sampled_from([Effect.ALLOW, Effect.CONFIRM]).map(_plain), max_size=1),
)
ROWS = st.fixed_dictionaries(
    {
        "name": st.sampled_from([None, "Contoso", "Fabrikam"]),
        "revenue": st.sampled_from([None, 1, 100, 5000]),
        "telephone1": st.none(),
    }
)


@st.composite
def accesses(draw: st.DrawFn) -> Access:
    touched = draw(st.frozensets(st.sampled_from(COLUMNS)))
    if draw(st.booleans()):
        used = draw(st.frozensets(st.sampled_from(sorted(touched)))) if touched else frozenset()
        return Access(Action.READ, "account", reads=touched, used=used)
    values = {name: value for name, value in draw(ROWS).items() if name in touched}
    return Access(Action.UPDATE, "account", writes=frozenset(values), values=values)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    POLICIES,
    st.builds(Principal, st.just("ann"), st.frozensets(st.sampled_from(["a", "b"]))),
    accesses(),
    st.sampled_from([None, "production", "sandbox"]),
    ROWS,
)
def test_the_decision_is_the_naive_one(
    policy: Policy, who: Principal, access: Access, environment: str | None, row: Mapping[str, Any]
) -> None:
    wanted = naive(policy, who, access, environment, row)
    decision = decide(policy, who, access, NOW, Spent(), environment)
    assert decision.outcome is wanted.outcome
    if decision.outcome is not Outcome.DENIED:
        assert dict(decision.masks) == dict(wanted.masks or {})
        assert (decision.scope is None or decision.scope.holds(row)) is wanted.seen
