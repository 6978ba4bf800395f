"""What a check says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check ended and what it found, in our words.

    ``todo`` is the one thing to do about it. ``lines`` are shown below, ``facts`` are the same for programs.
    None of them ever holds a secret.
    """

    status: Status
    found: str
    todo: str = ""
    lines: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def ok(found: str, *, lines: tuple[str, ...] = (), **facts: Any) -> Outcome:
    """All is well."""
    return Outcome(Status.OK, found, lines=lines, facts=facts)


def warning(found: str, todo: str, *, lines: tuple[str, ...] = (), **facts: Any) -> Outcome:
    """It works, but somebody should look at it."""
    return Outcome(Status.WARNING, found, todo, lines, facts)


def failed(found: str, todo: str, *, lines: tuple[str, ...] = (), **facts: Any) -> Outcome:
    """It does not work."""
    return Outcome(Status.FAILED, found, todo, lines, facts)


def skipped(why: str) -> Outcome:
    """It could not be looked at, or there is nothing to look at."""
    return Outcome(Status.SKIPPED, why)


def advised(message: str) -> Outcome:
    """A failure whose message says at its end what to do, as those of our errors do."""
    found, _, todo = message.partition(". ")
    return failed(f"{found.rstrip('.')}.", todo or "Correct what is named here.")
