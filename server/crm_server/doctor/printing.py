"""Outcomes as lines of text for people, or of JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from crm_server.doctor.outcomes import Outcome, Status

_WIDTH = 16


def as_text(name: str, outcome: Outcome) -> str:
    """A line a check; below it what to do, and what is to be seen at a glance."""
    lines = [f"{outcome.status:<8} {name:<{_WIDTH}} {outcome.found}"]
    if outcome.todo:
        lines.append(f"{'':<8} {'':<{_WIDTH}} -> {outcome.todo}")
    lines += [f"{'':<8} {line}" for line in outcome.lines]
    return "\n".join(lines)


def as_json(name: str, outcome: Outcome) -> str:
    """The same as an object."""
    told = {"check": name, "status": outcome.status.value, "found": outcome.found}
    if outcome.todo:
        told["todo"] = outcome.todo
    return json.dumps(
        {**told, **({"facts": dict(outcome.facts)} if outcome.facts else {})}, ensure_ascii=False
    )


def summary(outcomes: Iterable[Outcome]) -> str:
    """How many checks ended how."""
    found = [outcome.status for outcome in outcomes]
    counted = [f"{found.count(status)} {status}" for status in Status if status in found]
    return f"\n{', '.join(counted)}"
