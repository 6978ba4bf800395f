"""The only way to the CRM: asks the policy about every operation, obeys, and only then calls the client.

No other module holds a Dataverse client, so a policy cannot be walked around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from crm_server.approval import Approver, plan_for
from crm_server.cursors import Continuation, Cursors, continuation
from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.requests import build
from crm_server.dataverse.responses import ResultPage
from crm_server.identity import Identities
from crm_server.policy.budget import Budget
from crm_server.policy.decide import combine, decide, readable
from crm_server.policy.model import Decision, Outcome, Policy, Principal, Spent
from crm_tools.errors import InputError, PolicyDeniedError
from crm_tools.operations import (
    Access,
    Action,
    Create,
    Delete,
    Expansion,
    Fetch,
    Operation,
    Page,
    Preview,
    Query,
    Row,
    Update,
    Write,
)
from crm_tools.shaping import ETAG, FORMATTED
from crm_tools.tables import ColumnType, Relationship, Table


@dataclass(frozen=True)
class Crm:
    """What all calls share: the client, the policy and what has been spent of its budgets.

    ``address`` is the root of links to records, ``environment`` what people call the environment.
    """

    address: str
    environment: str
    tables: Mapping[str, Table]
    policy: Policy
    client: Callable[[], DataverseClient]
    now: Callable[[], datetime]
    budget: Budget = field(default_factory=Budget)
    cursors: Cursors = field(default_factory=Cursors)

    @cached_property
    def identities(self) -> Identities:
        """What is known of the environment."""
        return Identities(self.address, self.environment, self.client, self.now)

    def judge(self, operation: Operation, principal: Principal) -> list[tuple[Access, Decision]]:
        """The policy's decision on each part of an operation, as it stands now."""
        now = self.now()
        spent = self.budget.spent(now)
        return [
            (access, decide(self.policy, principal, access, now, spent)) for access in operation.accesses()
        ]

    def may_read_name(self, table: str, principal: Principal) -> bool:
        """Whether the primary name of a table's rows may be read: it stands beside every lookup to it."""
        if table not in self.tables:
            return True
        access = Access(Action.READ, table, reads=frozenset({self.tables[table].primary_name}))
        return decide(self.policy, principal, access, self.now(), Spent()).outcome is Outcome.ALLOWED


@dataclass
class Trail:
    """What happened in one call, for its log line: no values, only names."""

    table: str = ""
    effect: str = ""
    decision: Decision | None = None


class Gateway:
    """The port of one call: one caller, one approver. ``asked`` is called when the CRM is asked something."""

    def __init__(
        self,
        crm: Crm,
        principal: Principal,
        approver: Approver,
        trail: Trail,
        asked: Callable[[], None] = lambda: None,
    ) -> None:
        self._crm = crm
        self._principal = principal
        self._approver = approver
        self._trail = trail
        self._asked = asked

    def readable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be read; none when the table may not."""
        return readable(self._crm.policy, self._principal, table, columns, self._crm.now())

    async def query(self, query: Query) -> Page:
        """Rows that match, at most as many as the policy lets one read return."""
        decision = self._judge(query)
        if decision.max_rows is not None:
            query = replace(query, top=min(query.top, decision.max_rows))
        await self._ask(query, decision)
        return self._page(query, await self._client().query(query))

    async def next_page(self, table: str, cursor: str) -> Page:
        """The page a cursor leads to; the policy is asked anew."""
        before = self._crm.cursors.open(cursor, table, self._principal.name, self._crm.now())
        query = before.query
        decision = self._judge(query)
        if decision.max_rows is not None and decision.max_rows < query.top:
            raise InputError("The policy now allows fewer rows for one read. Run the list again.")
        await self._ask(query, decision)
        result = await self._client().next_page(before.link, query.top)
        return self._page(query, result, before)

    async def fetch(self, fetch: Fetch) -> Row:
        """One row."""
        await self._ask(fetch, self._judge(fetch))
        row = await self._client().fetch(fetch)
        return self._masked(row, fetch.table, fetch.select, fetch.expand)

    async def create(self, create: Create) -> Row:
        """The created row."""
        await self._ask(create, self._judge(create))
        self._spend(create)
        create = replace(create, returning=self._shown_unasked(create))
        return self._masked(await self._client().create(create), create.table, create.returning)

    async def update(self, update: Update) -> Row:
        """The changed row."""
        decision = self._judge(update)
        if decision.outcome is Outcome.CONFIRM:
            update = replace(update, etag=await self._ask_about_row(update, decision))
        self._spend(update)
        update = replace(update, returning=self._shown_unasked(update))
        return self._masked(await self._client().update(update), update.table, update.returning)

    async def delete(self, delete: Delete) -> None:
        """Deletes the row, in the version that a human saw when one was asked."""
        decision = self._judge(delete)
        if decision.outcome is Outcome.CONFIRM:
            delete = replace(delete, etag=await self._ask_about_row(delete, decision))
        self._spend(delete)
        await self._client().delete(delete)

    def preview(self, write: Write) -> Preview:
        """The request that the write would send. Nothing is sent and no budget is spent."""
        decision = self._judge(write)
        request = build(write, self._crm.tables)
        return Preview(
            method=request.method,
            path=request.path,
            headers=request.headers,
            body=request.body,
            needs_approval=decision.outcome is Outcome.CONFIRM,
        )

    def record_url(self, table: str, key: str) -> str:
        """Address of the row's form in the model-driven app.

        https://learn.microsoft.com/power-apps/developer/model-driven-apps/open-forms-views-dialogs-reports-url
        """
        return f"{self._crm.address}/main.aspx?pagetype=entityrecord&etn={table}&id={key}"

    def _shown_unasked(self, write: Create | Update) -> tuple[str, ...]:
        """What a write may show of the row: nothing where reading needs a human, who was not asked that."""
        access = Access(Action.READ, write.table, reads=frozenset(write.returning))
        decision = decide(self._crm.policy, self._principal, access, self._crm.now(), Spent())
        return write.returning if decision.allowed else ()

    def _judge(self, operation: Operation) -> Decision:
        decision = combine([decision for _, decision in self._crm.judge(operation, self._principal)])
        self._trail.decision = decision
        if decision.outcome is Outcome.DENIED:
            raise PolicyDeniedError(decision.reason, rules=decision.rules)
        return decision

    def _spend(self, write: Write) -> None:
        """Take the write from the budgets, unless they ran out while a human was asked."""
        self._judge(write)
        self._crm.budget.reserve(write.accesses()[0].action, self._crm.now())

    def _client(self) -> DataverseClient:
        self._asked()
        return self._crm.client()

    async def _ask(self, operation: Operation, decision: Decision) -> None:
        if decision.outcome is Outcome.CONFIRM:
            table = self._crm.tables[operation.table]
            where = await self._crm.identities.named()
            plan = plan_for(operation, None, table, self._crm.tables, where)
            await self._approver.approve(plan, decision)

    async def _ask_about_row(self, write: Update | Delete, decision: Decision) -> str | None:
        """Show the row as it is, ask, and return the version that was shown."""
        table = self._crm.tables[write.table]
        fetch = self._before(write, table)
        row = await self._client().fetch(fetch)
        before = self._masked(row, write.table, fetch.select, fetch.expand)
        where = await self._crm.identities.named()
        plan = plan_for(write, before, table, self._crm.tables, where)
        await self._approver.approve(plan, decision)
        return write.etag or before.get(ETAG)

    def _before(self, write: Update | Delete, table: Table) -> Fetch:
        """What is read to show a human what a change does: only what the caller may read."""
        if isinstance(write, Update):
            changed = {*write.values, *(item.column for item in write.bindings)}
            columns = self.readable(table.name, (table.primary_name, *changed))
            return Fetch(table.name, write.key, (table.key, *columns))
        columns = self.readable(table.name, table.columns)
        cascading = tuple(
            self._counted(item)
            for item in table.relationships.values()
            if item.cascades and self._may_count(item)
        )
        return Fetch(table.name, write.key, columns or (table.key,), cascading)

    def _counted(self, relationship: Relationship) -> Expansion:
        related = self._crm.tables[relationship.table]
        lookup = related.navigations[relationship.lookup].column
        return Expansion(relationship.name, related.name, (related.key,), lookup, many=True)

    def _may_count(self, relationship: Relationship) -> bool:
        expansion = self._counted(relationship)
        return (
            len(self.readable(expansion.table, (*expansion.select, expansion.lookup)))
            == len(expansion.select) + 1
        )

    def _page(self, query: Query, result: ResultPage, before: Continuation | None = None) -> Page:
        cursor = None
        if (link := result.next_link) is not None:
            following = continuation(query, link) if before is None else before.on(link)
            cursor = self._crm.cursors.seal(following, self._principal.name, self._crm.now())
        rows = tuple(self._masked(row, query.table, query.select, query.expand) for row in result.rows)
        return Page(query, rows, cursor, result.total, result.total_is_floor)

    def _masked(
        self, row: Row, table: str, selected: tuple[str, ...], expand: tuple[Expansion, ...] = ()
    ) -> Row:
        """What was asked for, and so judged, of a row, without the names of rows the caller may not read.

        Dataverse sends more than it is asked for: with an amount of money also its currency.
        """
        facts = self._crm.tables[table]
        withheld = {
            column.name + FORMATTED
            for column in facts.columns.values()
            if column.type is ColumnType.LOOKUP and not self._may_name(column.targets)
        }
        # The part before "@" is a column's name, or nothing where an annotation is the row's own.
        asked = {"", facts.key, *selected}
        masked: dict[str, Any] = {
            name: value
            for name, value in row.items()
            if name.partition("@")[0] in asked and name not in withheld
        }
        for item in expand:
            related = row.get(item.name)
            if item.many and related:
                masked[item.name] = [self._masked(child, item.table, item.select) for child in related]
            elif related:
                masked[item.name] = self._masked(related, item.table, item.select)
        return masked

    def _may_name(self, targets: tuple[str, ...]) -> bool:
        return all(self._crm.may_read_name(target, self._principal) for target in targets)
