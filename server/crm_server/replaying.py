"""Holds yesterday's audit against another policy: what it would have decided otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_server.policy.decide import decide
from crm_server.policy.model import Outcome, Policy, Principal, Spent
from crm_tools.operations import Access, Action


@dataclass(frozen=True, slots=True)
class Changed:
    """A decision that would have been another one."""

    event: Mapping[str, Any]
    access: Access
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class Replay:
    """``decided`` is how many decisions were looked at."""

    decided: int
    changed: tuple[Changed, ...]

    @property
    def text(self) -> str:
        """The report."""
        lines = [
            f"event {change.event['number']}  {change.event['at'][:19]}  {change.event['caller']}  "
            f"{change.event['tool']}: {change.access.action} on {change.access.table} was {change.before}, "
            f"would be {change.after}\n    {change.reason}"
            for change in self.changed
        ]
        kinds = Counter(f"{change.before} -> {change.after}" for change in self.changed)
        summary = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"
        lines.append(f"{self.decided} decisions, {len(self.changed)} would have been different: {summary}.")
        lines.append("Limits and rules on values are left out: the audit does not hold what they depend on.")
        return "\n".join(lines)


def replay(policy: Policy, events: Iterable[Mapping[str, Any]]) -> Replay:
    """What the policy would have decided on each decision of these calls."""
    decisions = list(_decisions(events))
    changed = [found for event, given in decisions if (found := _changed(policy, event, given)) is not None]
    return Replay(len(decisions), tuple(changed))


def _decisions(
    events: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for event in events:
        if event.get("kind") == "call":
            for given in event.get("decisions", ()):
                limited = any(str(rule).startswith("limit:") for rule in given.get("rules", ()))
                if not limited:
                    yield event, given


def _changed(policy: Policy, event: Mapping[str, Any], given: Mapping[str, Any]) -> Changed | None:
    access = Access(
        Action(given["action"]),
        given["table"],
        reads=frozenset(given.get("reads", ())),
        writes=frozenset(given.get("writes", ())),
        used=frozenset(given.get("used", ())),
        via=given.get("via", ""),
    )
    who = Principal(event["caller"], frozenset(event.get("roles", ())))
    now = datetime.fromisoformat(event["at"])
    decision = decide(policy, who, access, now, Spent(), event.get("environment"))
    if decision.outcome is Outcome(given["outcome"]):
        return None
    return Changed(event, access, given["outcome"], decision.outcome.value, decision.reason)
