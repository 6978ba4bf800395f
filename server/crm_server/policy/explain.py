"""Decisions as text for a terminal: at most 100 characters wide, without colour codes."""

from __future__ import annotations

from collections.abc import Sequence

from crm_server.policy.decide import combine
from crm_server.policy.layout import field
from crm_server.policy.model import Decision, Policy
from crm_server.policy.wording import scope_text
from crm_tools.operations import Access


def explain(policy: Policy, tool: str, access_decisions: Sequence[tuple[Access, Decision]]) -> str:
    """What the policy decided about one call of a tool, access by access."""
    overall = combine(decision for _, decision in access_decisions)
    lines = [f"Tool {tool} under policy {policy.name}: {overall.outcome}"]
    for access, decision in access_decisions:
        lines += ["", f"{access.action} {access.table}: {decision.outcome}", *_details(access, decision)]
    if not access_decisions:
        lines += ["", *field("reason", overall.reason)]
    return "\n".join(lines)


def _details(access: Access, decision: Decision) -> list[str]:
    lines = []
    for label, columns in (("reads", access.reads), ("sets", access.writes)):
        if columns:
            lines += field(label, ", ".join(sorted(columns)))
    if access.rows:
        most = "" if decision.max_rows is None else f", at most {decision.max_rows:,} are given"
        lines += field("rows", f"{access.rows:,} asked for{most}")
    if decision.scope is not None:
        lines += field("only", scope_text(decision.scope))
    if decision.masks:
        lines += field(
            "masked", ", ".join(f"{column} ({how})" for column, how in sorted(decision.masks.items()))
        )
    lines += field("rules", ", ".join(decision.rules) or "none matched")
    return lines + field("reason", decision.reason)
