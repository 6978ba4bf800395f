"""Who the caller is, in which environment, and what the policy leaves them to do."""

from __future__ import annotations

from crm_server.gateway.session import Session
from crm_server.policy import limits
from crm_server.policy.decide import decide
from crm_server.policy.model import Outcome, Spent
from crm_tools.operations import Access, Action
from crm_tools.port import Standing


async def standing_of(session: Session) -> Standing:
    """The caller's standing. Nothing of the CRM's rows is read for it, but who is signed in.

    Raises:
        UpstreamError: The CRM does not answer who is signed in.
        StateError: What was used of the limits cannot be told.
    """
    crm = session.crm
    environment = await session.client().identify()
    return Standing(
        user=environment.user,
        caller=session.principal.name,
        roles=tuple(sorted(session.principal.roles)),
        organization=environment.organization,
        kind=environment.kind,
        address=crm.address,
        policy=session.policy.name,
        allowed={
            name: _of_table(session, name) for name, table in crm.tables.items() if not table.is_internal
        },
        limits=await _left(session),
        time_zone=crm.zone.key,
    )


async def _left(session: Session) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for action in (Action.UPDATE, Action.DELETE):
        spent = await session.crm.state.spent(session.policy, session.principal.name, action, "")
        found |= dict.fromkeys(one.words for one in limits.left(session.policy, action, spent))
    return tuple(found)


def _of_table(session: Session, table: str) -> dict[str, tuple[str, ...]]:
    """The actions on a table that are allowed, and those that need a human; what is denied is left out."""
    found: dict[str, list[str]] = {"allowed": [], "ask": []}
    for action in Action:
        access = Access(action, table)
        now = session.crm.now()
        decision = decide(session.policy, session.principal, access, now, Spent(), session.environment)
        if decision.outcome is not Outcome.DENIED:
            found["allowed" if decision.outcome is Outcome.ALLOWED else "ask"].append(action.value)
    return {name: tuple(actions) for name, actions in found.items() if actions}
