"""Plans: changes that wait for a human. An approval is good for one caller, one change, once, in time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from crm_server.state.audit import moment
from crm_server.state.proposals import APPROVED, LASTS, REJECTED, USED, WAITING, KeptPlan, Proposal
from crm_server.state.schema import PLANS
from crm_server.state.store import is_sayable, sayable_id
from crm_tools.errors import ApprovalError


def propose(connection: Connection, proposal: Proposal, now: datetime) -> KeptPlan:
    """The plan of a change: one that waits, was approved or rejected already, or else a new one.

    Raises:
        ApprovalError: A human has rejected it.
    """
    of_this = (PLANS.c.caller == proposal.caller, PLANS.c.fingerprint == proposal.fingerprint)
    rows = connection.execute(
        select(PLANS)
        .where(*of_this, PLANS.c.status != USED, PLANS.c.expires > now.timestamp())
        .order_by(PLANS.c.created.desc())
    ).all()
    if rows:
        plan = _plan(rows[0])
        if plan.status == REJECTED:
            why = f" Reason: {plan.reason}." if plan.reason else ""
            raise ApprovalError(
                f"A human rejected this change.{why} Nothing was changed. Do not try it again."
            )
        return plan
    plan = KeptPlan(sayable_id(), proposal, now, now + LASTS, WAITING)
    connection.execute(insert(PLANS).values(_row(plan)))
    return plan


def listed(connection: Connection, now: datetime, *, everything: bool = False) -> Sequence[KeptPlan]:
    """The plans that wait, oldest first; or all that are kept."""
    wanted = select(PLANS).order_by(PLANS.c.created)
    if not everything:
        wanted = wanted.where(PLANS.c.status == WAITING, PLANS.c.expires > now.timestamp())
    return [_plan(row) for row in connection.execute(wanted)]


def found(connection: Connection, plan_id: str) -> KeptPlan:
    """The plan of this id.

    Raises:
        ApprovalError: There is none.
    """
    wanted = select(PLANS).where(PLANS.c.id == plan_id)
    row = connection.execute(wanted).first() if is_sayable(plan_id) else None
    if row is None:
        raise ApprovalError(f"There is no plan {plan_id[:40]!r}. See: dynamics-crm-mcp approvals list")
    return _plan(row)


def decide(
    connection: Connection,
    plan_id: str,
    status: str,
    by: str,
    now: datetime,
    reason: str | None = None,
    *,
    final: bool = True,
) -> KeptPlan:
    """Approve or reject a plan that waits. Not ``final``: the same change may be proposed again at once.

    Raises:
        ApprovalError: It does not wait (any more), or has expired.
    """
    plan = found(connection, plan_id)
    if plan.status != WAITING:
        raise ApprovalError(f"Plan {plan.id} was {plan.said(now)} already; it cannot be {status} again.")
    if plan.expires <= now:
        raise ApprovalError(
            f"Plan {plan.id} expired at {plan.expires:%Y-%m-%d %H:%M UTC}; make the call again."
        )
    connection.execute(
        update(PLANS)
        .where(PLANS.c.id == plan_id)
        .values(
            status=status,
            decided_by=by[:200],
            decided=now.timestamp(),
            reason=reason,
            expires=plan.expires.timestamp() if final else now.timestamp(),
        )
    )
    return found(connection, plan_id)


def use(connection: Connection, plan_id: str, caller: str, fingerprint: str, now: datetime) -> None:
    """Use an approval up, as part of the transaction that begins the change.

    Raises:
        ApprovalError: It is none of this caller for this change, was used or has expired.
    """
    usable = (
        PLANS.c.id == plan_id,
        PLANS.c.caller == caller,
        PLANS.c.fingerprint == fingerprint,
        PLANS.c.status == APPROVED,
        PLANS.c.expires > now.timestamp(),
    )
    changed = connection.execute(update(PLANS).where(*usable).values(status=USED, used=now.timestamp()))
    if changed.rowcount != 1:
        raise ApprovalError(
            "The approval does not hold for this change: it was used, has expired, or is one of something "
            "else. Nothing was changed."
        )


def prune(connection: Connection, until: datetime) -> int:
    """Forget plans that ended before a moment."""
    return connection.execute(delete(PLANS).where(PLANS.c.expires < until.timestamp())).rowcount


def _row(plan: KeptPlan) -> dict[str, Any]:
    proposal = plan.proposal
    return {
        "id": plan.id,
        "fingerprint": proposal.fingerprint,
        "caller": proposal.caller,
        "tool": proposal.tool,
        "table_name": proposal.table,
        "record": proposal.record,
        "question": proposal.question,
        "facts": json.dumps(proposal.facts, ensure_ascii=False),
        "rules": json.dumps(proposal.rules),
        "etag": proposal.etag,
        "created": plan.created.timestamp(),
        "expires": plan.expires.timestamp(),
        "status": plan.status,
    }


def _plan(row: Any) -> KeptPlan:
    proposal = Proposal(
        row.fingerprint,
        row.caller,
        row.tool,
        row.table_name,
        row.question,
        tuple(json.loads(row.facts)),
        tuple(json.loads(row.rules)),
        row.record,
        row.etag,
    )
    return KeptPlan(
        row.id,
        proposal,
        moment(row.created),
        moment(row.expires),
        row.status,
        row.decided_by,
        None if row.decided is None else moment(row.decided),
        row.reason,
    )
