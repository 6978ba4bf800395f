"""The audit's events of what happens in the state itself: names and ids, never values."""

from __future__ import annotations

from typing import Any

from crm_server.state.proposals import KeptPlan
from crm_tools.changes import Change, ChangeState


def plan_event(what: str, plan: KeptPlan) -> dict[str, Any]:
    """A plan was proposed, or decided about."""
    proposal = plan.proposal
    return {
        "kind": f"plan {what}",
        "plan": plan.id,
        "caller": proposal.caller,
        "tool": proposal.tool,
        "table": proposal.table,
        "ids": [proposal.record] if proposal.record else [],
        "rules": list(proposal.rules),
        "outcome": what,
    }


def end_event(
    change: Change, state: ChangeState, error: str | None, crm_request_id: str | None = None
) -> dict[str, Any]:
    """A write ended, or was settled."""
    return {
        "kind": "write ended",
        "change": change.id,
        "caller": change.caller,
        "tool": change.tool,
        "action": change.action.value,
        "table": change.table,
        "ids": [change.record],
        "outcome": state.value,
        "error": error,
        "crm_request_id": crm_request_id,
    }
