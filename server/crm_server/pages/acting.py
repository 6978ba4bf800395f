"""What is done on the page: a plan is decided, a change is taken back, the audit is verified."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_server.approval import Plan
from crm_server.authorization.claims import TokenRefusedError
from crm_server.authorization.tokens import NotReadyError
from crm_server.call import UNDO, UnknownToolError
from crm_server.log import get_logger
from crm_server.pages.answering import RefusalError
from crm_server.pages.sealing import Session
from crm_server.pages.visitors import Visitor
from crm_server.pages.visits import Visits
from crm_server.policy.model import Decision, Principal
from crm_server.sign_in.callers import Caller, called_by
from crm_server.state.proposals import APPROVED, REJECTED, KeptPlan
from crm_tools.changes import Change, ChangeState
from crm_tools.errors import ApprovalError
from crm_tools.outside_text import line

if TYPE_CHECKING:
    from crm_server.app import Application
    from crm_server.state.chain import Verified

CallerOf = Callable[[str], Awaitable[Caller]]
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

    ``on_behalf`` says that the server acts in the CRM under each caller's own sign-in. Then ``visits`` has
    the access tokens of visitors, and ``caller_of`` tells whose one is; None where nobody is asked for one.
    """

    def __init__(
        self,
        application: Application,
        visits: Visits,
        caller_of: CallerOf | None,
        *,
        own: bool,
        on_behalf: bool,
    ) -> None:
        self._application = application
        self._visits = visits
        self._caller_of = caller_of
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
        if self._on_behalf and self._caller_of is None:
            return (
                "The server acts in the CRM under each caller's own sign-in, and this page asks nobody for "
                f"theirs (DYNAMICS_PAGE_UNDO=true). {self._instead(change)}"
            )
        if not (visitor.approves and visitor.writes):
            return (
                "Your sign-in to this page does not say that you may change the CRM. It takes an approver "
                f"and the scope crm.write (DYNAMICS_PAGE_UNDO=true asks for it). {self._instead(change)}"
            )
        return None

    def _instead(self, change: Change) -> str:
        return f"Or have the assistant of {line(change.caller)} call {UNDO} with change_id {change.id}."

    async def undo(self, session: Session, change: Change) -> Undone:
        """Take a change back, as a call of its own of this visitor: judged, counted and noted like others.

        Raises:
            RefusalError: This visitor cannot.
        """
        visitor = session.visitor
        if (why := self.cannot_undo(visitor, change)) is not None:
            raise RefusalError(403, "You cannot take this back here", why)
        caller = await self._acting_for(session)
        try:
            with called_by(caller):
                answer = await self._application.caller.undo(
                    change.id, Principal(caller.name, caller.roles), _Nobody()
                )
        except UnknownToolError:
            raise RefusalError(
                403, "You cannot take this back here", f"The policy offers no {UNDO}."
            ) from None
        if answer.is_error:
            return Undone(False, str(answer.content["error"]["message"]))
        return Undone(True, "The change was taken back.")

    async def _acting_for(self, session: Session) -> Caller:
        """The visitor as a caller; with their access token, where the CRM is asked under their own sign-in.

        Raises:
            RefusalError: There is none that counts (any more).
        """
        visitor = session.visitor
        if not self._on_behalf or self._caller_of is None:
            return Caller(visitor.name, client="page", roles=visitor.roles)
        token = await self._visits.token(session)
        try:
            caller = None if token is None else await self._caller_of(token)
        except TokenRefusedError:
            caller = None
        except NotReadyError:
            raise RefusalError(
                503, "It was not taken back", "The sign-in service does not answer. Try again in a minute."
            ) from None
        if caller is None:
            raise RefusalError(
                403,
                "It was not taken back",
                "Your sign-in is too old to act in the CRM on your behalf: it does that for about an hour. "
                "Sign out and in again, and take the change back then. Nothing was changed.",
            )
        return caller

    async def verify(self) -> Verified:
        """Go through the whole audit.

        Raises:
            StateError: The state does not answer.
        """
        from crm_server.state import chain

        return await chain.verify(self._application.crm.state.run)


class _Nobody:
    """Who takes a change back on the page is not asked in the middle of it: what needs a human waits."""

    async def approve(self, plan: Plan, decision: Decision) -> None:
        raise ApprovalError(
            f"This needs the approval of a human (rule {', '.join(decision.rules)}). Nothing was changed. It "
            f"waits as plan {plan.id}; once it is approved, take the change back again."
        )
