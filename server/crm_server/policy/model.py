"""The values of a policy: its rules and limits, what they are asked, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from crm_tools.operations import Action

WRITES_WINDOW = timedelta(minutes=1)
DELETES_WINDOW = timedelta(days=1)
MOST_COUNTED = 10_000
"""The largest limit on writes or deletes, so that counting them takes bounded memory."""


class Effect(StrEnum):
    """What a rule does with the accesses it matches. Deny beats confirm, confirm beats allow."""

    ALLOW = "allow"
    DENY = "deny"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``tables`` holds logical names; None means every table."""

    id: str
    effect: Effect
    actions: frozenset[Action]
    tables: frozenset[str] | None

    def matches(self, action: Action, table: str) -> bool:
        """Whether the rule speaks of this action on this table."""
        return action in self.actions and (self.tables is None or table in self.tables)


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds; None means no limit, 0 means none at all.

    ``writes_per_minute`` counts creates, updates and deletes, ``deletes_per_day`` deletes, both in a sliding
    window and both at most :data:`MOST_COUNTED`. ``rows_per_read`` is the most rows that one read returns.
    """

    writes_per_minute: int | None = None
    deletes_per_day: int | None = None
    rows_per_read: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules, limits, and for each table the wire names of the columns that are hidden.

    A policy that was loaded from a file also hides what would disclose a hidden column
    (:mod:`crm_server.policy.disclosure`).
    """

    name: str
    rules: tuple[Rule, ...]
    limits: Limits
    hidden: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    name: str = "local"


@dataclass(frozen=True, slots=True)
class Spent:
    """What was written before, within the windows that the limits count in."""

    writes_last_minute: int = 0
    deletes_last_day: int = 0


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
    read may return; None means no limit.
    """

    outcome: Outcome
    rules: tuple[str, ...]
    reason: str
    max_rows: int | None = None

    @property
    def allowed(self) -> bool:
        """Whether it may be done without asking anyone."""
        return self.outcome is Outcome.ALLOWED
