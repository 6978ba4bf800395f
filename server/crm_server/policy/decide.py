"""The decision procedure: pure functions from a policy and what is asked of it to a decision.

Default deny; deny beats confirm, confirm beats allow; the order of rules has no meaning. Hidden columns and
used-up limits deny what the rules would let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_server.policy import limits
from crm_server.policy.letting import Letting, letting_through
from crm_server.policy.limits import Left
from crm_server.policy.matching import speaking
from crm_server.policy.model import (
    Decision,
    Effect,
    Outcome,
    Policy,
    Principal,
    Rule,
    Spent,
)
from crm_tools.operations import THROUGH_FILTER, Access, Action

_OUTCOMES_BY_STRENGTH = (Outcome.DENIED, Outcome.CONFIRM, Outcome.ALLOWED)


def decide(
    policy: Policy,
    principal: Principal,
    access: Access,
    now: datetime,
    spent: Spent,
    environment: str | None = None,
) -> Decision:
    """Decide one access.

    ``now`` carries its time zone. ``spent`` is what was used of the limits before. ``environment`` is the
    kind of environment, None while it is not known: then strict rules about environments hold, others do not.
    """
    rules = speaking(policy, access, principal, now, environment)
    denying = sorted(rule.id for rule in rules if _denies(rule, access.table))
    letting = letting_through(policy, access, rules)
    hidden = sorted((access.reads | access.writes) & policy.hidden.get(access.table, frozenset()))
    if denying or hidden or letting.missing or not letting.rules or _sees_other_rows(access, letting):
        return _denied(policy, access, denying, hidden, letting)
    left = limits.left(policy, access.action, spent)
    if nothing_left := _nothing_left(policy, access.action, left):
        return _over_limit(nothing_left)
    return _let_through(policy, access, letting, limits.most_rows(policy, access.action, left))


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
    return ruling(policy, action, table).effect is not Effect.DENY and not closed_by(policy, action)


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


def closed_by(policy: Policy, action: Action) -> tuple[str, ...]:
    """Ids of the limits that are 0 and so close the action for good."""
    names = (*limits.closing(policy.limits, action), *limits.closing(policy.each_caller, action))
    return tuple(f"limit:{name}" for name in dict.fromkeys(names))


def _nothing_left(policy: Policy, action: Action, left: tuple[Left, ...]) -> list[Left]:
    """The limits that end the action here: nothing is left of them, or there never was anything."""
    counted = [one for one in left if one.left == 0]
    names = {one.name for one in counted}
    closing = limits.closing(policy.limits, action)
    return counted + [Left(name, "all callers together", 0, 0, None) for name in closing if name not in names]


def _over_limit(nothing_left: list[Left]) -> Decision:
    return Decision(
        Outcome.DENIED,
        tuple(dict.fromkeys(f"limit:{one.name}" for one in nothing_left)),
        " ".join(dict.fromkeys(limits.used_up(one) for one in nothing_left)),
    )


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


def _let_through(policy: Policy, access: Access, letting: Letting, most: int | None) -> Decision:
    what = f"{access.action} on {access.table} by {_named(letting.rules)}"
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
