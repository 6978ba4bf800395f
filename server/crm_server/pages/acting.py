"""What is done on the page: a plan is decided, a change is taken back, the audit is verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_server.approval import Plan
from crm_server.call import UnknownToolError
from crm_server.log import get_logger
from crm_server.pages.answering import RefusalError
from crm_server.pages.visitors import Visitor
from crm_server.policy.model import Decision, Principal
from crm_server.sign_in.callers import Caller, called_by
from crm_server.state.audit import Verified
from crm_server.state.proposals import APPROVED, REJECTED, KeptPlan
from crm_tools.changes import Change, ChangeState
from crm_tools.errors import ApprovalError
from crm_tools.outside_text import line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_server.app import Application
    from crm_server.state.keys import Keys

UNDO = "undo_change"
DECISIONS = (APPROVED, REJECTED)
_LONGEST_REASON = 500
_log = get_logger("pages")


@dataclass(frozen=True, slots=True)
class Undone:
    """How it went to take a change back, in words."""

    done: bool
    message: str


class Acting:
    """Acts for visitors. ``own`` lets approvers decide what they asked for themselves.

    ``on_behalf`` says that the server acts in the CRM under each caller's own sign-in, which the page has
    not got.
    """

    def __init__(self, application: Application, *, own: bool, on_behalf: bool) -> None:
        self._application = application
        self._own = own
        self._on_behalf = on_behalf

    def cannot_decide(self, visitor: Visitor, plan: KeptPlan) -> str | None:
        """Why this visitor cannot decide about a plan; None where they can."""
        if not visitor.approves:
            return "You may see this page, and another role is needed to approve or reject."
        if not self._own and visitor.name.casefold() == plan.proposal.caller.casefold():
            return "You asked for this change yourself. Somebody else has to decide about it."
        return None

    async def decide(self, visitor: Visitor, plan: KeptPlan, decision: str, reason: str) -> None:
        """Approve or reject a plan.

        Raises:
            RefusalError: This visitor cannot, or it was decided already.
            StateError: The state does not take it.
        """
        if (why := self.cannot_decide(visitor, plan)) is not None:
            _log.warning("decision_refused", plan=plan.id, by=visitor.name)
            raise RefusalError(403, "You cannot decide about this", why)
        if decision not in DECISIONS:
            raise RefusalError(400, "Nothing was decided", "Choose approve or reject.")
        said = line(reason)[:_LONGEST_REASON].strip() or None
        try:
            await self._application.crm.state.decide(plan.id, decision, visitor.said, said)
        except ApprovalError as error:
            raise RefusalError(409, "It was decided already, or is too old", error.message) from None
        _log.info("plan_decided", plan=plan.id, decision=decision, by=visitor.name)

    def cannot_undo(self, visitor: Visitor, change: Change) -> str | None:
        """Why this visitor cannot take a change back here; None where they can."""
        if change.undone_by is not None:
            return f"It was taken back by change {change.undone_by}."
        if change.state is not ChangeState.DONE:
            return f"It is {change.state.value}: there is nothing that is known to be there to take back."
        if self._on_behalf:
            return (
                "The server acts in the CRM under each caller's own sign-in, and this page has none for the "
                f"CRM. {self._instead(change)}"
            )
        if visitor.name != change.caller:
            return (
                "A change is taken back under the rights of the one who made it, and that is somebody else. "
                f"{self._instead(change)}"
            )
        if not (visitor.approves and visitor.writes):
            return (
                "Your sign-in to this page does not say that you may change the CRM (scopes crm.approve and "
                f"crm.write). {self._instead(change)}"
            )
        return None

    def _instead(self, change: Change) -> str:
        return f"Have the assistant of {line(change.caller)} call {UNDO} with change_id {change.id}."

    async def undo(self, visitor: Visitor, change: Change) -> Undone:
        """Take a change back, as a call of its own of this visitor: judged, counted and noted like others.

        Raises:
            RefusalError: This visitor cannot.
        """
        if (why := self.cannot_undo(visitor, change)) is not None:
            raise RefusalError(403, "You cannot take this back here", why)
        principal = Principal(visitor.name, visitor.roles)
        try:
            with called_by(Caller(visitor.name, client="page", roles=visitor.roles)):
                answer = await self._application.caller.call(
                    UNDO, {"change_id": change.id}, principal, _Nobody()
                )
        except UnknownToolError:
            raise RefusalError(
                403, "You cannot take this back here", f"The policy offers no {UNDO}."
            ) from None
        if answer.is_error:
            return Undone(False, str(answer.content["error"]["message"]))
        return Undone(True, "The change was taken back.")

    async def verify(self) -> Verified:
        """Go through the whole audit.

        Raises:
            StateError: The state does not answer.
        """

        def work(connection: Connection, keys: Keys) -> Any:
            from crm_server.state import audit

            return audit.verify(connection, keys)

        found: Verified = await self._application.crm.state.run(work)
        return found


class _Nobody:
    """Who takes a change back on the page is not asked in the middle of it: what needs a human waits."""

    async def approve(self, plan: Plan, decision: Decision) -> None:
        raise ApprovalError(
            f"This needs the approval of a human (rule {', '.join(decision.rules)}). Nothing was changed. It "
            f"waits as plan {plan.id}; once it is approved, take the change back again."
        )
