"""Which rules speak of an access. A rule that cannot be evaluated speaks if it is strict, and not if it lets.

So a caller, an hour, an environment or a value that is not known never opens anything.
"""

from __future__ import annotations

from datetime import datetime

from crm_server.policy.model import Effect, Mask, Policy, Principal, Rule
from crm_tools.conditions import Verdict
from crm_tools.operations import Access


def speaking(
    policy: Policy, access: Access, principal: Principal, now: datetime, environment: str | None
) -> tuple[Rule, ...]:
    """The rules that speak of this access, in the order of the policy."""
    return tuple(
        rule
        for rule in policy.rules_for(access.action, access.table)
        if rule.unconditional or _speaks(rule, access, principal, now, environment)
    )


def _speaks(rule: Rule, access: Access, principal: Principal, now: datetime, environment: str | None) -> bool:
    strict = rule.effect is not Effect.ALLOW
    return (
        _is_about_caller(rule, principal)
        and (rule.when is None or rule.when.holds(now))
        and _is_about_environment(rule, environment, strict)
        and _touches(rule, access)
        and _is_about_values(rule, access, strict)
    )


def _is_about_caller(rule: Rule, principal: Principal) -> bool:
    if not rule.roles and not rule.users:
        return True
    return not rule.roles.isdisjoint(principal.roles) or principal.name in rule.users


def _is_about_environment(rule: Rule, environment: str | None, strict: bool) -> bool:
    if not rule.environments:
        return True
    return strict if environment is None else environment in rule.environments


def _touches(rule: Rule, access: Access) -> bool:
    """Whether the access touches a column of the rule; one that touches none is about the row as such."""
    if rule.columns is None or access.table not in rule.columns:
        # About every column, or a pattern matches a table that was not known: then about all of it too.
        return True
    columns = rule.columns.get(access.table, frozenset()) | rule.masked.get(access.table, {}).keys()
    touched = access.reads | access.writes
    return not touched or not columns.isdisjoint(touched)


def _is_about_values(rule: Rule, access: Access, strict: bool) -> bool:
    condition = rule.values.get(access.table)
    if condition is None:
        return True
    verdict = condition.judge(access.values)
    if strict:
        return verdict in (Verdict.TRUE, Verdict.UNKNOWN)
    # What is not written is not this write's doing.
    return verdict in (Verdict.TRUE, Verdict.SILENT)


def covering(rule: Rule, table: str, column: str) -> Mask | bool:
    """How the rule lets a column through: whole (True), masked, or not at all (False)."""
    masks = rule.masked.get(table)
    if masks is not None and column in masks:
        return masks[column]
    if rule.columns is not None:
        return column in rule.columns.get(table, ())
    return column not in rule.withheld.get(table, ())
