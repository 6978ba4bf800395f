"""The decision procedure: pure functions from a policy and what is asked of it to a decision.

Default deny; deny beats confirm, confirm beats allow; the order of rules has no meaning. Hidden columns and
used-up limits deny what the rules would let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_server.policy.letting import Letting, letting_through
from crm_server.policy.matching import speaking
from crm_server.policy.model import (
    DELETES_WINDOW,
    WRITES_WINDOW,
    Decision,
    Effect,
    Limits,
    Outcome,
    Policy,
    Principal,
    Rule,
    Spent,
)
from crm_tools.operations import THROUGH_FILTER, Access, Action

_OUTCOMES_BY_STRENGTH = (Outcome.DENIED, Outcome.CONFIRM, Outcome.ALLOWED)
_WINDOWS = {"writes_per_minute": WRITES_WINDOW, "deletes_per_day": DELETES_WINDOW}


def decide(
    policy: Policy,
    principal: Principal,
    access: Access,
    now: datetime,
    spent: Spent,
    environment: str | None = None,
) -> Decision:
    """Decide one access.

    ``now`` carries its time zone. ``spent`` is what was written before this access. ``environment`` is the
    kind of environment, None while it is not known: then strict rules about environments hold, others do not.
    """
    rules = speaking(policy, access, principal, now, environment)
    denying = sorted(rule.id for rule in rules if _denies(rule, access.table))
    letting = letting_through(policy, access, rules)
    hidden = sorted((access.reads | access.writes) & policy.hidden.get(access.table, frozenset()))
    if denying or hidden or letting.missing or not letting.rules or _sees_other_rows(access, letting):
        return _denied(policy, access, denying, hidden, letting)
    if used_up := _used_up(policy.limits, access.action, spent):
        return _over_limit(policy.limits, used_up, now)
    return _let_through(policy, access, letting)


def _sees_other_rows(access: Access, letting: Letting) -> bool:
    """Whether a filter or an order would follow lookups to rows that may not be read, and so tell of them."""
    return access.via == THROUGH_FILTER and letting.scope is not None


def _denies(rule: Rule, table: str) -> bool:
    """Whether the rule denies the access, and not only some rows."""
    return rule.effect is Effect.DENY and table not in rule.rows


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
    return ruling(policy, action, table).effect is not Effect.DENY and not closed_by(policy.limits, action)


def readable(
    policy: Policy,
    principal: Principal,
    table: str,
    columns: Iterable[str],
    now: datetime,
    environment: str | None = None,
) -> tuple[str, ...]:
    """The columns (wire names) of a table that may be read, whole or masked, in their order."""

    def may(names: frozenset[str]) -> bool:
        access = Access(Action.READ, table, reads=names)
        return decide(policy, principal, access, now, Spent(), environment).outcome is not Outcome.DENIED

    columns = tuple(columns)
    if may(frozenset(columns)):
        return columns
    return tuple(column for column in columns if may(frozenset({column})))


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules come to for an action on a table, whoever asks and whatever is touched.

    ``effect`` is deny where nothing can get through; ``rules`` are the ids of what decides, empty where no
    rule matches; ``conditions`` says that it depends on more than action and table.
    """

    effect: Effect
    rules: tuple[str, ...]
    conditions: bool = False


def ruling(policy: Policy, action: Action, table: str) -> Ruling:
    """The strongest effect that can come about."""
    matching = policy.rules_for(action, table)
    denying = sorted(rule.id for rule in matching if rule.effect is Effect.DENY and rule.unconditional)
    if denying:
        return Ruling(Effect.DENY, tuple(denying))
    conditions = any(not rule.unconditional for rule in matching)
    for effect in (Effect.CONFIRM, Effect.ALLOW):
        if ids := sorted(rule.id for rule in matching if rule.effect is effect):
            return Ruling(effect, tuple(ids), conditions)
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


def _denied(
    policy: Policy, access: Access, denying: list[str], hidden: list[str], letting: Letting
) -> Decision:
    what = f"{access.action} on {access.table}"
    clauses = []
    if denying:
        clauses.append(f"denies {what} by {_named(denying)}")
    elif not letting.rules:
        clauses.append(f"has no rule that allows {what}")
    columns = [f"{access.table}.{column}" for column in hidden]
    if columns:
        clauses.append(f"hides the {_columns(columns)}: leave {_them(columns)} out")
    missing = [f"{access.table}.{column}" for column in sorted(letting.missing - set(hidden))]
    if missing and letting.rules and not denying:
        how = f" to be used otherwise than shown in {what}" if letting.masked_use else f" in {what}"
        clauses.append(f"does not let the {_columns(missing)}{how}: leave {_them(missing)} out")
    if _sees_other_rows(access, letting) and not clauses:
        clauses.append(f"lets only some rows of {access.table} be read: name none of its columns by a lookup")
    return Decision(
        Outcome.DENIED,
        rules=(*denying, *(f"hidden:{column}" for column in columns)),
        reason=f"Policy {policy.name} {' and '.join(clauses)}.",
    )


def _columns(names: list[str]) -> str:
    return f"column{'' if len(names) == 1 else 's'} {_and(names)}"


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _let_through(policy: Policy, access: Access, letting: Letting) -> Decision:
    what = f"{access.action} on {access.table} by {_named(letting.rules)}"
    most = policy.limits.rows_per_read if access.action is Action.READ else None
    narrowed = f", at most {most:,} rows at a time" if most is not None and access.rows > most else ""
    if letting.scope is not None:
        narrowed += ", of the rows that the policy allows"
    ask = letting.effect is Effect.CONFIRM
    verb = "asks for a human's approval of" if ask else "allows"
    return Decision(
        Outcome.CONFIRM if ask else Outcome.ALLOWED,
        letting.rules,
        f"Policy {policy.name} {verb} {what}{narrowed}.",
        most,
        letting.scope,
        letting.masks,
    )


def _named(rules: Sequence[str]) -> str:
    return f"rule{'' if len(rules) == 1 else 's'} {_and(rules)}"


def _and(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
