"""One call: who calls, what the policy says, which human is asked, and the client that carries it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from crm_server.approval import Approver, DeclinedError, InputNeededError, Judged, Plan, plan_for, proposal_of
from crm_server.gateway.crm import Crm
from crm_server.log import get_logger
from crm_server.policy import limits
from crm_server.policy.decide import decide, readable
from crm_server.policy.judging import Judgement, judge
from crm_server.policy.model import Decision, Outcome, Policy, Principal, Spent
from crm_server.state import Reserved
from crm_server.state.proposals import APPROVED, REJECTED, KeptPlan
from crm_tools.errors import ApprovalError, PolicyDeniedError, StateError
from crm_tools.insight_operations import Aggregate, Search
from crm_tools.operations import READING, Access, Action, Fetch, Query, Row
from crm_tools.standard import PEOPLE
from crm_tools.tables import TEXT_TYPES, Table

if TYPE_CHECKING:
    from crm_server.dataverse.client import DataverseClient

_log = get_logger("gateway")
_SETTING = (Action.CREATE, Action.UPDATE)
_CLIENT = "the human at the client"


@dataclass
class Trail:
    """What happened in one call, for its log line and its audit event: no values, only names and ids."""

    table: str = ""
    effect: str = ""
    tool: str = ""
    request_id: str = ""
    decision: Decision | None = None
    is_change: bool = False
    """Whether the decision is one on a change."""
    judged: list[tuple[Access, Decision]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    rows: int = 0
    changes: list[str] = field(default_factory=list)
    left: tuple[limits.Left, ...] = ()
    warnings: list[str] = field(default_factory=list)

    def decided(self, judgement: Judgement) -> None:
        """Note the decision that the call comes down to: that on its change, whatever is read afterwards."""
        reading = all(access.action in READING for access, _ in judgement.parts)
        if reading and self.is_change and judgement.decision.outcome is not Outcome.DENIED:
            return
        self.decision, self.is_change = judgement.decision, not reading

    def touched(self, record: str) -> None:
        """Note the id of a record, once."""
        if record not in self.ids:
            self.ids.append(record)


@dataclass(frozen=True, slots=True)
class Approval:
    """A human's approval of exactly one change, good for once."""

    plan_id: str
    fingerprint: str


Tell = Callable[[float, float | None, str], Awaitable[None]]
"""Tells the client how far a call is: how much is done, of how much (None if nobody knows), in words."""


async def untold(_done: float, _total: float | None, _words: str) -> None:
    """Nobody wants to know how far a call is."""


@dataclass
class Session:
    """One call of one caller. ``asked`` is called when the CRM is asked something.

    ``of_all`` lets it take back what others have changed.
    """

    crm: Crm
    principal: Principal
    approver: Approver
    trail: Trail
    asked: Callable[[], None] = lambda: None
    tell: Tell = untold
    of_all: bool = False
    _reserved: list[Reserved] = field(default_factory=list)
    _named: dict[str, bool] = field(default_factory=dict)
    _shows_text: bool = False
    """Whether its answer brings text that strangers may have written."""

    @cached_property
    def policy(self) -> Policy:
        """The policy in force when the call began."""
        return self.crm.policy

    @property
    def environment(self) -> str | None:
        """The kind of environment, where the policy depends on it and it is known."""
        if not self.policy.asks_environment:
            return None
        kind = str(self.crm.identities.facts()["kind"])
        return None if kind == "unknown" else kind

    async def judge(self, operation: Judged) -> Judgement:
        """The policy's judgement of the operation. The rows of a read are counted from now on.

        Raises:
            PolicyDeniedError: It is not allowed.
            StateError: What was used of the limits on a write cannot be told.
        """
        action = operation.accesses()[0].action
        if not isinstance(operation, Query | Aggregate | Search):
            self.trail.touched(operation.key)
        if not limits.counts(self.policy, action):
            judgement = self._judged(operation, Spent())
        elif isinstance(operation, Query | Fetch | Aggregate | Search):
            judgement = await self._judged_read(operation, action)
        else:
            spent = await self.crm.state.spent(self.policy, self.principal.name, action, operation.key)
            judgement = self._judged(operation, spent)
        return self.accepted(judgement)

    async def _judged_read(self, operation: Query | Fetch | Aggregate | Search, action: Action) -> Judgement:
        rows = operation.accesses()[0].rows
        try:
            judgement, reserved = await self.crm.state.begin_read(
                self.policy,
                self.principal.name,
                action,
                rows,
                lambda spent: self._judged(operation, spent),
            )
        except StateError as error:
            # Reading goes on, and is counted afterwards: it changes nothing in the CRM.
            _log.error("rows_not_counted_yet", problem=error.message)
            self._reserved.append(Reserved(uncounted=(self.principal.name, action)))
            return self._judged(operation, Spent())
        self._reserved.append(reserved)
        return judgement

    def accepted(self, judgement: Judgement) -> Judgement:
        """The judgement, if it does not deny; noted in the trail in any case.

        Raises:
            PolicyDeniedError: It denies.
        """
        self.trail.judged.extend(judgement.parts)
        return self.obeyed(judgement)

    def obeyed(self, judgement: Judgement) -> Judgement:
        """The judgement, if it does not deny.

        Raises:
            PolicyDeniedError: It denies.
        """
        self.trail.decided(judgement)
        if judgement.decision.outcome is Outcome.DENIED:
            raise PolicyDeniedError(judgement.decision.reason, rules=judgement.decision.rules)
        return judgement

    async def settle(self) -> None:
        """Put right how many rows this call read in truth, and note what its caller is about to be shown."""
        if self._shows_text:
            asked_for = self.policy.ask_after_reading
            await self.crm.readers.note(self.principal.name, is_asked_for=asked_for)
        rows = self.trail.rows
        for reserved in self._reserved:
            try:
                await self.crm.state.end_read(reserved, rows)
            except StateError as error:
                _log.error("rows_not_counted", problem=error.message)
            rows = 0

    def quietly(self, operation: Judged, spent: Spent | None = None) -> Judgement:
        """The judgement of something that nobody asked for, or not now; nothing is noted or refused."""
        return self._judged(operation, spent or Spent())

    def _judged(self, operation: Judged, spent: Spent) -> Judgement:
        return judge(self.policy, self.principal, operation, self.crm.now(), spent, self.environment)

    def read_decision(self, table: str, columns: Iterable[str]) -> Decision:
        """What the policy says to reading these columns; nothing is logged or refused."""
        access = Access(Action.READ, table, reads=frozenset(columns))
        return decide(self.policy, self.principal, access, self.crm.now(), Spent(), self.environment)

    def usable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be read whole, and so filtered and sorted by."""
        found = self.readable(table, columns)
        masks = self.read_decision(table, found).masks
        return tuple(column for column in found if column not in masks)

    def settable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be set when a row is made or changed."""
        return tuple(name for name in columns if any(self._may_set(table, name, one) for one in _SETTING))

    def _may_set(self, table: str, column: str, action: Action) -> bool:
        access = Access(action, table, writes=frozenset({column}))
        decision = decide(self.policy, self.principal, access, self.crm.now(), Spent(), self.environment)
        return decision.outcome is not Outcome.DENIED

    def readable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be read, whole or masked; none when the table may not."""
        return readable(self.policy, self.principal, table, columns, self.crm.now(), self.environment)

    def may_name(self, tables: Iterable[str]) -> bool:
        """Whether the primary names of all rows of these tables may be read: lookups show them."""
        return all(self._names_of(table) for table in tables)

    def _names_of(self, table: str) -> bool:
        # Asked for each lookup of each row, and the same throughout a call.
        if table not in self._named:
            self._named[table] = self._may_name(table)
        return self._named[table]

    def _may_name(self, table: str) -> bool:
        if table not in self.crm.tables:
            return True
        decision = self.read_decision(table, [self.crm.tables[table].primary_name])
        if table in PEOPLE and decision.outcome is Outcome.DENIED and not decision.rules:
            # Nothing in the policy speaks of them: who owns a row is told with the row.
            return True
        return decision.allowed and decision.scope is None and not decision.masks

    def note_shown(self, row: Row, table: Table) -> None:
        """Note a row that is shown: which one, and whether it brings text that strangers may have written."""
        self.trail.rows += 1
        self.trail.touched(str(row.get(table.key)))
        if any(
            row.get(name) and table.columns[name].type in TEXT_TYPES for name in row if name in table.columns
        ):
            self._shows_text = True

    def client(self) -> DataverseClient:
        """The client, which is about to be used."""
        self.asked()
        return self.crm.client()

    async def ask(
        self,
        operation: Judged,
        decision: Decision,
        before: Row | None = None,
        *,
        because: tuple[str, ...] = (),
    ) -> Approval | None:
        """Ask a human, where the decision says so, and show ``before``, the row as it is.

        ``because`` are reasons to ask whatever the decision says; they are shown too.

        Raises:
            ApprovalError: The human did not agree, or could not be asked; then the change waits.
        """
        because = await self._why_ask(operation, because)
        if decision.outcome is not Outcome.CONFIRM and not because:
            return None
        table = self.crm.tables[operation.table]
        where = await self.crm.identities.named()
        plan = plan_for(operation, before, table, self.crm.tables, where, because)
        return await self._approved(plan, operation, decision)

    async def _approved(self, plan: Plan, operation: Judged, decision: Decision) -> Approval:
        state = self.crm.state
        kept = await state.propose(
            proposal_of(plan, operation, decision, self.principal.name, self.trail.tool)
        )
        approval = Approval(kept.id, plan.fingerprint)
        if kept.status == APPROVED:
            return approval
        try:
            await self.approver.approve(self._shown(plan, kept), decision)
        except DeclinedError:
            await state.decide(kept.id, REJECTED, _CLIENT, final=False)
            raise
        except InputNeededError:
            if not self.trail.changes:
                raise
            # With the answer the client would make the whole call again, and so what it has changed already.
            raise ApprovalError(
                f"The first part of this call is made, and a human cannot be asked in the middle of it. "
                f"{self._otherwise(kept)}"
            ) from None
        try:
            await state.decide(kept.id, APPROVED, _CLIENT)
        except ApprovalError:
            # Somebody decided at a terminal while the client's human was asked.
            if (await state.plan(kept.id)).status != APPROVED:
                raise
        return approval

    def _shown(self, plan: Plan, kept: KeptPlan) -> Plan:
        """The plan as somebody is asked about it."""
        page = self._page_of(kept) if self.crm.approve_on_page else None
        return replace(plan, id=kept.id, otherwise=self._otherwise(kept), page=page)

    def _page_of(self, kept: KeptPlan) -> str:
        return f"{self.crm.page}/plans/{kept.id}"

    def _otherwise(self, kept: KeptPlan) -> str:
        if self.crm.page is not None:
            return (
                f"It waits as plan {kept.id} until {limits.said(kept.expires)}. Ask the user to have an "
                f"approver decide about it at {self._page_of(kept)} - and then make the same call again."
            )
        if self.crm.state.in_memory:
            return (
                "Use a client that supports elicitation, or ask an administrator to set "
                "DYNAMICS_STATE, so that changes can wait for approval at a terminal."
            )
        return (
            f"It waits as plan {kept.id} until {limits.said(kept.expires)}. Ask the user to have a human "
            f"approve it where the server runs: dynamics-crm-mcp approvals approve {kept.id} - and then make "
            "the same call again."
        )

    async def _why_ask(self, operation: Judged, because: tuple[str, ...]) -> tuple[str, ...]:
        """Reasons to ask a human that are not the decision's."""
        if operation.accesses()[0].action in READING or not self.policy.ask_after_reading:
            return because
        if not self._shows_text and not await self.crm.readers.include(self.principal.name):
            return because
        return (*because, "Text that strangers may have written was read before this change")

    async def ask_to_read(self, operation: Judged, decision: Decision) -> None:
        """Ask a human before something is read, where the decision says so.

        Raises:
            ApprovalError: The human did not agree, or could not be asked.
        """
        approval = await self.ask(operation, decision)
        if approval is not None:
            await self.crm.state.use_plan(approval.plan_id, self.principal.name, approval.fingerprint)
