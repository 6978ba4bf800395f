"""The audit event of a call: names and ids, never values.

Text that a caller chose freely (unknown tools, wrong arguments) and text of the CRM is no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from crm_server.policy.model import Decision, Principal
from crm_tools.operations import Access

if TYPE_CHECKING:
    from crm_server.gateway.session import Trail

MOST_IDS = 100


def call_event(
    trail: Trail, caller: Principal, environment: str | None, outcome: str, crm_request_id: str | None
) -> dict[str, Any]:
    """What is kept of a call.

    ``ids`` are those of the first hundred records; ``rows`` says how many there were.
    """
    return {
        "kind": "call",
        "caller": caller.name,
        "roles": sorted(caller.roles),
        "environment": environment,
        "tool": trail.tool,
        "action": trail.effect,
        "table": trail.table,
        "ids": trail.ids[:MOST_IDS],
        "rows": trail.rows,
        "changes": trail.changes,
        "outcome": outcome,
        "correlation_id": trail.request_id,
        "crm_request_id": crm_request_id,
        **decided(trail.judged),
    }


def decided(parts: Iterable[tuple[Access, Decision]]) -> dict[str, Any]:
    """The decisions, with the columns that they were about."""
    parts = list(parts)
    return {
        "rules": list(dict.fromkeys(rule for _, decision in parts for rule in decision.rules)),
        "decisions": [_decision(access, decision) for access, decision in parts],
    }


def _decision(access: Access, decision: Decision) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "action": access.action.value,
        "table": access.table,
        "via": access.via,
        "reads": sorted(access.reads),
        "writes": sorted(access.writes),
        "used": sorted(access.used),
        "outcome": decision.outcome.value,
        "rules": list(decision.rules),
    }
    return {name: value for name, value in facts.items() if value}
