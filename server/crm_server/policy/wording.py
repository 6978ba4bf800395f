"""What narrows a rule and what a limit counts, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from crm_server.policy.model import Effect, Rule, Scope, Window
from crm_tools.conditions import Condition

LIMITS: Mapping[str, str] = {
    "writes_per_minute": "changes of any kind in any 60 seconds",
    "writes_per_day": "changes of any kind in any 24 hours",
    "deletes_per_day": "deletes in any 24 hours",
    "records_per_day": "different records changed in any 24 hours",
    "rows_per_hour": "rows read in any 60 minutes",
    "rows_per_read": "rows in one answer; who asks for more gets so many",
    "rows_per_bulk": "rows written by one bulk job",
}
"""Each limit with what it counts."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CALLER_FUNCTIONS = {
    "EqualUserId": "@me",
    "EqualUserTeams": "@my_team",
    "EqualBusinessId": "@my_business_unit",
}
_CALLER_FUNCTION = re.compile(r"Microsoft\.Dynamics\.CRM\.(\w+)\(PropertyName='(\w+)'\)")


def narrowing(rule: Rule) -> Iterator[tuple[str, str]]:
    """What the rule is narrowed to: labels and texts."""
    yield from _columns(rule)
    for table, masks in sorted(rule.masked.items()):
        yield f"masks in {table}", _and(f"{column} ({how})" for column, how in sorted(masks.items()))
    for table, condition in sorted(rule.rows.items()):
        yield f"rows of {table}", condition_text(condition)
    for table, condition in sorted(rule.values.items()):
        yield f"values of {table}", condition_text(condition)
    if rule.roles or rule.users:
        yield "callers", " or ".join(_callers(rule))
    if rule.when is not None:
        yield "hours", window_text(rule.when)
    if rule.environments:
        yield "environments", _and(sorted(rule.environments))


def condition_text(condition: Condition) -> str:
    """A condition as an administrator writes it."""
    return _as_written(condition.text)


def scope_text(scope: Scope) -> str:
    """The rows that an access is narrowed to, as an administrator writes conditions."""
    return _as_written(scope.text)


def window_text(window: Window) -> str:
    """A time of the week."""
    days = (
        "every day" if len(window.days) == len(DAYS) else ", ".join(DAYS[day] for day in sorted(window.days))
    )
    overnight = " (overnight)" if window.end < window.start else ""
    return f"{days} from {window.start:%H:%M} to {window.end:%H:%M}{overnight}, {window.zone.key}"


def _columns(rule: Rule) -> Iterator[tuple[str, str]]:
    only = "" if rule.effect is Effect.DENY else "only "
    for table, columns in sorted((rule.columns or {}).items()):
        yield f"columns of {table}", f"{only}{_and(sorted(columns))}" if columns else "none but the masked"


def _callers(rule: Rule) -> Iterator[str]:
    if rule.roles:
        yield f"who has role {_or(sorted(rule.roles))}"
    if rule.users:
        yield f"user {_or(sorted(rule.users))}"


def _as_written(text: str) -> str:
    return _CALLER_FUNCTION.sub(_caller, text)


def _caller(match: re.Match[str]) -> str:
    return f"{match[2]} eq {_CALLER_FUNCTIONS[match[1]]}" if match[1] in _CALLER_FUNCTIONS else match[0]


def _and(texts: Iterable[str]) -> str:
    return ", ".join(texts)


def _or(texts: Iterable[str]) -> str:
    return " or ".join(texts)
