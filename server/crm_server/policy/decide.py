"""The decision procedure: pure functions from a policy and what is asked of it to a decision.

Default deny; deny beats confirm, confirm beats allow; the order of rules has no meaning. Hidden columns and
used-up limits deny what the rules would let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from crm_server.policy.model import (
    DELETES_WINDOW,
    WRITES_WINDOW,
    Decision,
    Effect,
    Limits,
    Outcome,
    Policy,
    Principal,
    Spent,
)
from crm_tools.operations import Access, Action

_BY_STRENGTH = (Effect.DENY, Effect.CONFIRM, Effect.ALLOW)
_OUTCOMES_BY_STRENGTH = (Outcome.DENIED, Outcome.CONFIRM, Outcome.ALLOWED)
_WINDOWS = {"writes_per_minute": WRITES_WINDOW, "deletes_per_day": DELETES_WINDOW}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules alone say of an action on a table. No ids: no rule matched, so it is denied."""

    effect: Effect
    rules: tuple[str, ...]


def decide(policy: Policy, principal: Principal, access: Access, now: datetime, spent: Spent) -> Decision:
    """Decide one access.

    ``now`` carries its time zone and only serves to say when a used-up limit frees. ``spent`` is what was
    written before this access. No kind of rule looks at ``principal``: a policy holds for all callers.
    """
    ruling = rules_on(policy, access.action, access.table)
    hidden = sorted((access.reads | access.writes) & policy.hidden.get(access.table, frozenset()))
    if ruling.effect is Effect.DENY or hidden:
        return _denied(policy, access, ruling, hidden)
    if used_up := _used_up(policy.limits, access.action, spent):
        return _over_limit(policy.limits, used_up, now)
    return _let_through(policy, access, ruling)


def combine(decisions: Iterable[Decision]) -> Decision:
    """One decision for an operation with several accesses: the strictest one.

    ``rules`` and ``reason`` are those of all the decisions that have the strictest outcome; ``max_rows`` is
    the smallest. Without any decision the answer is denied.
    """
    decisions = tuple(decisions)
    for outcome in _OUTCOMES_BY_STRENGTH:
        if deciding := [decision for decision in decisions if decision.outcome is outcome]:
            bounds = [decision.max_rows for decision in decisions if decision.max_rows is not None]
            return Decision(
                outcome,
                rules=tuple(dict.fromkeys(rule for decision in deciding for rule in decision.rules)),
                reason=" ".join(dict.fromkeys(decision.reason for decision in deciding)),
                max_rows=None if outcome is Outcome.DENIED else min(bounds, default=None),
            )
    return Decision(Outcome.DENIED, (), "There is nothing that the policy could allow.")


def ever_allows(policy: Policy, action: Action, table: str) -> bool:
    """Whether some call of this kind could be allowed or confirmed, with no limit used up."""
    return rules_on(policy, action, table).effect is not Effect.DENY and not closed_by(policy.limits, action)


def visible(policy: Policy, table: str, columns: Iterable[str]) -> tuple[str, ...]:
    """The columns (wire names) that are not hidden, in their order. Rules are not asked."""
    hidden = policy.hidden.get(table, frozenset())
    return tuple(column for column in columns if column not in hidden)


def rules_on(policy: Policy, action: Action, table: str) -> Ruling:
    """The strongest effect among the rules that match, with the ids of those that have it, sorted."""
    matching = [rule for rule in policy.rules if rule.matches(action, table)]
    for effect in _BY_STRENGTH:
        if ids := sorted(rule.id for rule in matching if rule.effect is effect):
            return Ruling(effect, tuple(ids))
    return Ruling(Effect.DENY, ())


def closed_by(limits: Limits, action: Action) -> tuple[str, ...]:
    """Ids of the limits that are 0 and so close the action for good."""
    return tuple(f"limit:{name}" for name, limit in _limits_on(limits, action) if limit == 0)


def _limits_on(limits: Limits, action: Action) -> Iterator[tuple[str, int]]:
    """The limits that are set and hold for this action; a delete is a write too."""
    named = {
        "writes_per_minute": limits.writes_per_minute if action is not Action.READ else None,
        "deletes_per_day": limits.deletes_per_day if action is Action.DELETE else None,
        "rows_per_read": limits.rows_per_read if action is Action.READ else None,
    }
    return ((name, limit) for name, limit in named.items() if limit is not None)


def _used_up(limits: Limits, action: Action, spent: Spent) -> list[str]:
    # Reads use nothing up: their limit narrows, and closes reading only when it is 0.
    used = {"writes_per_minute": spent.writes_last_minute, "deletes_per_day": spent.deletes_last_day}
    return [name for name, limit in _limits_on(limits, action) if used.get(name, 0) >= limit]


def _over_limit(limits: Limits, names: list[str], now: datetime) -> Decision:
    sentences = [_limit_sentence(name, getattr(limits, name), now) for name in names]
    return Decision(Outcome.DENIED, tuple(f"limit:{name}" for name in names), " ".join(sentences))


def _limit_sentence(name: str, limit: int, now: datetime) -> str:
    words = name.replace("_", " ")
    if limit == 0:
        return f"The policy sets {words} to 0, so there can be none."
    free = f"{now + _WINDOWS[name]:%Y-%m-%d %H:%M:%S %Z}".rstrip()
    return f"The limit of {limit:,} {words} is used up; it frees at the latest at {free}."


def _denied(policy: Policy, access: Access, ruling: Ruling, hidden: list[str]) -> Decision:
    clauses = []
    if ruling.effect is Effect.DENY:
        what = f"{access.action} on {access.table}"
        clauses.append(
            f"denies {what} by {_named(ruling.rules)}" if ruling.rules else f"has no rule that allows {what}"
        )
    columns = [f"{access.table}.{column}" for column in hidden]
    if columns:
        one = len(columns) == 1
        clauses.append(
            f"hides the column{'' if one else 's'} {_and(columns)}: leave {'it' if one else 'them'} out"
        )
    return Decision(
        Outcome.DENIED,
        rules=(
            *(ruling.rules if ruling.effect is Effect.DENY else ()),
            *(f"hidden:{column}" for column in columns),
        ),
        reason=f"Policy {policy.name} {' and '.join(clauses)}.",
    )


def _let_through(policy: Policy, access: Access, ruling: Ruling) -> Decision:
    what = f"{access.action} on {access.table} by {_named(ruling.rules)}"
    most = policy.limits.rows_per_read if access.action is Action.READ else None
    narrowed = f", at most {most:,} rows at a time" if most is not None and access.rows > most else ""
    if ruling.effect is Effect.CONFIRM:
        return Decision(
            Outcome.CONFIRM,
            ruling.rules,
            f"Policy {policy.name} asks for a human's approval of {what}{narrowed}.",
            most,
        )
    return Decision(Outcome.ALLOWED, ruling.rules, f"Policy {policy.name} allows {what}{narrowed}.", most)


def _named(rules: tuple[str, ...]) -> str:
    return f"rule{'' if len(rules) == 1 else 's'} {_and(rules)}"


def _and(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
