"""The values of a policy: its rules and limits, what they are asked, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from functools import cached_property
from zoneinfo import ZoneInfo

from crm_server.policy.patterns import is_like
from crm_tools.conditions import Condition, Verdict
from crm_tools.operations import Action

MOST_COUNTED = 1_000_000
"""The largest limit that is counted, so that counting stays fast."""

KINDS_OF_ENVIRONMENT = (
    "production",
    "sandbox",
    "trial",
    "preview",
    "default environment",
    "developer environment",
    "Teams environment",
)


class Effect(StrEnum):
    """What a rule does with the accesses it matches. Deny beats confirm, confirm beats allow."""

    ALLOW = "allow"
    DENY = "deny"
    CONFIRM = "confirm"


class Mask(StrEnum):
    """How a column is shown that may not be seen whole; from what shows most to what shows least."""

    LAST_FOUR = "last four"
    DOMAIN = "domain"
    HASH = "hash"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week. ``days`` count from Monday as 0; one that ends before it starts goes overnight."""

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def holds(self, now: datetime) -> bool:
        """Whether this moment lies in it; the night belongs to the day on which it began."""
        here = now.astimezone(self.zone)
        clock, day = here.time(), here.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= clock < self.end
        if clock >= self.start:
            return day in self.days
        return clock < self.end and (day - 1) % 7 in self.days


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    ``tables`` holds logical names and patterns; None means every table. The rest narrows what the rule
    speaks of, and is empty where it does not: ``columns`` and ``masked`` by table (wire names), ``rows`` and
    ``values`` by table, ``roles`` and ``users`` of the caller, ``when``, and ``environments``. ``withheld``
    are columns that would tell what a masked one holds.
    """

    id: str
    effect: Effect
    actions: frozenset[Action]
    tables: frozenset[str] | None
    columns: Mapping[str, frozenset[str]] | None = None
    masked: Mapping[str, Mapping[str, Mask]] = field(default_factory=dict)
    withheld: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rows: Mapping[str, Condition] = field(default_factory=dict)
    values: Mapping[str, Condition] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    when: Window | None = None
    environments: frozenset[str] = frozenset()

    def matches(self, action: Action, table: str) -> bool:
        """Whether the rule speaks of this action on this table."""
        return action in self.actions and (self.tables is None or is_like(table, self.tables))

    @property
    def unconditional(self) -> bool:
        """Whether it holds for each access to its tables, whoever asks and whatever it touches."""
        return self.columns is None and not (
            self.masked
            or self.rows
            or self.values
            or self.roles
            or self.users
            or self.when
            or self.environments
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds; None means no limit, 0 means none at all.

    Counted in sliding windows and at most :data:`MOST_COUNTED`: ``writes_per_minute`` and ``writes_per_day``
    (whatever changes something), ``deletes_per_day``, ``records_per_day`` (distinct records that are changed)
    and ``rows_per_hour`` (rows that are read). ``rows_per_read`` is the most rows that one read returns,
    ``rows_per_bulk`` the most that one bulk job writes.
    """

    writes_per_minute: int | None = None
    writes_per_day: int | None = None
    deletes_per_day: int | None = None
    records_per_day: int | None = None
    rows_per_hour: int | None = None
    rows_per_read: int | None = None
    rows_per_bulk: int | None = None


@dataclass(frozen=True)
class Policy:
    """Rules, limits, and for each table the wire names of the columns that are hidden.

    A policy that was loaded from a file also hides what would disclose a hidden column
    (:mod:`crm_server.policy.disclosure`).
    """

    name: str
    rules: tuple[Rule, ...]
    limits: Limits
    hidden: Mapping[str, frozenset[str]]
    each_caller: Limits = field(default_factory=Limits)
    """Limits that each caller has alone, beside those of all callers together."""
    audited: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Columns (wire names) by table whose written values are kept in the audit."""
    ask_after_reading: bool = False
    """Whether a write needs a human once the caller has read text that strangers may have written."""
    digest: str = field(default="", compare=False)
    """Stands for the texts that it was read from: servers that have read the same have the same."""

    def rules_for(self, action: Action, table: str) -> tuple[Rule, ...]:
        """The rules that speak of this action on this table."""
        found = self._by_access.get((action, table))
        if found is None:
            found = tuple(rule for rule in self.rules if rule.matches(action, table))
            self._by_access[action, table] = found
        return found

    @cached_property
    def _by_access(self) -> dict[tuple[Action, str], tuple[Rule, ...]]:
        return {}

    @cached_property
    def asks_environment(self) -> bool:
        """Whether a decision depends on the kind of environment."""
        return any(rule.environments for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and in which roles."""

    name: str = "local"
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Used:
    """How much was used within the window of a limit, and when the first of it leaves the window."""

    amount: int = 0
    frees: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used before, by the names of the limits: by all callers, and by the one who asks."""

    everyone: Mapping[str, Used] = field(default_factory=dict)
    caller: Mapping[str, Used] = field(default_factory=dict)


class Outcome(StrEnum):
    """What a decision comes to."""

    ALLOWED = "allowed"
    DENIED = "denied"
    CONFIRM = "needs approval"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of a policy.

    ``rules`` are the ids of what decided: rules, ``hidden:table.column`` or ``limit:name``; empty where no
    rule matched. ``reason`` says it in plain words, for a human or a model. ``max_rows`` is the most rows a
    read may return; None means no limit. ``scope`` is what the rows must satisfy, None for any row, and
    ``masks`` are the columns that are not shown whole.
    """

    outcome: Outcome
    rules: tuple[str, ...]
    reason: str
    max_rows: int | None = None
    scope: Scope | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        """Whether it may be done without asking anyone."""
        return self.outcome is Outcome.ALLOWED


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows that an access is narrowed to: in each group one condition holds, and none of ``never``.

    A group stands for columns that several rules let through, each for rows of its own.
    """

    groups: frozenset[frozenset[Condition]] = frozenset()
    never: frozenset[Condition] = frozenset()

    @property
    def text(self) -> str:
        """The scope as an OData filter."""
        either = sorted(
            " or ".join(f"({text})" for text in sorted(one.text for one in group)) for group in self.groups
        )
        never = sorted(f"({one.negation})" for one in self.never)
        parts = [*(f"({text})" for text in either), *never]
        return " and ".join(parts)

    @property
    def columns(self) -> frozenset[str]:
        """The table's own columns that it depends on (wire names)."""
        conditions = self.never.union(*self.groups)
        return frozenset().union(*(condition.columns for condition in conditions))

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether a row with these values is surely within; a row whose values do not tell is not."""
        return all(any(_is(one, values, Verdict.TRUE) for one in group) for group in self.groups) and all(
            _is(one, values, Verdict.FALSE) for one in self.never
        )


def _is(condition: Condition, values: Mapping[str, object], verdict: Verdict) -> bool:
    return condition.covers(values) and condition.judge(values) is verdict
