"""One call: who calls, what the policy says, which human is asked, and the client that carries it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from crm_server.approval import Approver, plan_for
from crm_server.gateway.crm import Crm
from crm_server.policy.decide import decide, readable
from crm_server.policy.judging import Judgement, judge
from crm_server.policy.model import Decision, Outcome, Policy, Principal, Spent
from crm_tools.errors import PolicyDeniedError
from crm_tools.operations import Access, Action, Operation, Row

if TYPE_CHECKING:
    from crm_server.dataverse.client import DataverseClient


@dataclass
class Trail:
    """What happened in one call, for its log line: no values, only names."""

    table: str = ""
    effect: str = ""
    decision: Decision | None = None


@dataclass
class Session:
    """One call of one caller. ``asked`` is called when the CRM is asked something."""

    crm: Crm
    principal: Principal
    approver: Approver
    trail: Trail
    asked: Callable[[], None] = lambda: None

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

    def judge(self, operation: Operation) -> Judgement:
        """The policy's judgement of the operation.

        Raises:
            PolicyDeniedError: It is not allowed.
        """
        judgement = self._judged(operation, self.crm.budget.spent(self.crm.now()))
        self.trail.decision = judgement.decision
        if judgement.decision.outcome is Outcome.DENIED:
            raise PolicyDeniedError(judgement.decision.reason, rules=judgement.decision.rules)
        return judgement

    def quietly(self, operation: Operation) -> Judgement:
        """The judgement of a read that nobody asked for; nothing is logged or refused."""
        return self._judged(operation, Spent())

    def _judged(self, operation: Operation, spent: Spent) -> Judgement:
        return judge(self.policy, self.principal, operation, self.crm.now(), spent, self.environment)

    def read_decision(self, table: str, columns: Iterable[str]) -> Decision:
        """What the policy says to reading these columns; nothing is logged or refused."""
        access = Access(Action.READ, table, reads=frozenset(columns))
        return decide(self.policy, self.principal, access, self.crm.now(), Spent(), self.environment)

    def readable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be read, whole or masked; none when the table may not."""
        return readable(self.policy, self.principal, table, columns, self.crm.now(), self.environment)

    def may_name(self, tables: Iterable[str]) -> bool:
        """Whether the primary names of all rows of these tables may be read: lookups show them."""
        return all(self._may_name(table) for table in tables)

    def _may_name(self, table: str) -> bool:
        if table not in self.crm.tables:
            return True
        decision = self.read_decision(table, [self.crm.tables[table].primary_name])
        return decision.allowed and decision.scope is None and not decision.masks

    def client(self) -> DataverseClient:
        """The client, which is about to be used."""
        self.asked()
        return self.crm.client()

    async def ask(self, operation: Operation, decision: Decision, before: Row | None = None) -> None:
        """Ask a human, where the decision says so, and show ``before``, the row as it is.

        Raises:
            ApprovalError: The human did not agree, or could not be asked.
        """
        if decision.outcome is not Outcome.CONFIRM:
            return
        table = self.crm.tables[operation.table]
        where = await self.crm.identities.named()
        plan = plan_for(operation, before, table, self.crm.tables, where)
        await self.approver.approve(plan, decision)
