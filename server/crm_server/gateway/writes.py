"""Writes: each is looked at as the row stands, judged, shown to a human where one is asked, and then sent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crm_server.approval import plan_for
from crm_server.dataverse.act_requests import act_request
from crm_server.dataverse.requests import build
from crm_server.gateway.journaling import carried_out, kept_columns, written
from crm_server.gateway.masking import shown, without_names
from crm_server.gateway.reads import Reads
from crm_server.gateway.session import Approval, Session
from crm_server.policy.judging import Judgement
from crm_server.policy.model import Outcome
from crm_tools.acts import Act
from crm_tools.errors import ConflictError, CrmError, NotFoundError, PolicyDeniedError
from crm_tools.operations import Create, Delete, Expansion, Fetch, Preview, Row, Update, Write
from crm_tools.shaping import ETAG
from crm_tools.tables import Relationship, Table

_PRECONDITION_FAILED = 412
_MOST_ATTEMPTS = 3
"""How often a change is planned anew when the row changes between the look at it and the write."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What a write undoes: the id of a change. ``because`` are reasons why a human has to be asked."""

    of: str | None = None
    because: tuple[str, ...] = ()


NO_UNDO = Undo()
Existing = Update | Delete | Act
"""What is done to a record that exists."""


class Writes:
    """The writes of one call."""

    def __init__(self, session: Session, reads: Reads) -> None:
        self._session = session
        self._crm = session.crm
        self._reads = reads

    async def create(self, create: Create, undo: Undo = NO_UNDO) -> Row:
        """The created row: what may be shown of it."""
        judgement = await self._session.judge(create)
        self._require_within(judgement, create, {})
        approval = await self._session.ask(create, judgement.decision, because=undo.because)
        returning = self._returning(create)
        sent = replace(create, returning=returning or ())

        async def send() -> Row:
            return await self._session.client().create(sent)

        row = await carried_out(self._session, create, {}, approval, send, undo.of)
        return await self._answer(create, row or {}, returning)

    async def update(self, update: Update, undo: Undo = NO_UNDO) -> Row:
        """The changed row: what may be shown of it."""
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            judgement, before = await self.look(update)
            presentable = await self.presentable(update, before)
            approval = await self._session.ask(update, judgement.decision, presentable, because=undo.because)
            returning = self._returning(update)
            sent = replace(update, etag=update.etag or before.get(ETAG), returning=returning or ())
            try:
                row = await self._sent(update, sent, before, approval, undo)
            except ConflictError as error:
                if not _may_plan_anew(update, approval, error, attempt):
                    raise
            else:
                return await self._answer(update, row or {}, returning)
        raise AssertionError("the last attempt returns or raises")

    async def delete(self, delete: Delete, undo: Undo = NO_UNDO) -> None:
        """Deletes the row in the version that was looked at."""
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            judgement, before = await self.look(delete)
            presentable = await self.presentable(delete, before)
            approval = await self._session.ask(delete, judgement.decision, presentable, because=undo.because)
            sent = replace(delete, etag=delete.etag or before.get(ETAG))
            try:
                await self._sent(delete, sent, before, approval, undo)
            except ConflictError as error:
                if not _may_plan_anew(delete, approval, error, attempt):
                    raise
            else:
                return

    async def _sent(
        self,
        write: Update | Delete,
        sent: Update | Delete,
        before: Row,
        approval: Approval | None,
        undo: Undo,
    ) -> Row | None:
        client = self._session.client()

        async def send() -> Row | None:
            if isinstance(sent, Update):
                return await client.update(sent)
            await client.delete(sent)
            return None

        return await carried_out(self._session, write, before, approval, send, undo.of)

    async def preview(self, write: Write | Act) -> Preview:
        """What the write would change and send. Nothing is changed, nobody asked and no budget spent."""
        before: Row | None = None
        if isinstance(write, Create):
            judgement = await self._session.judge(write)
            self._require_within(judgement, write, {})
        else:
            judgement, row = await self.look(write)
            before = await self.presentable(write, row)
            if isinstance(write, Update | Delete):
                write = replace(write, etag=write.etag or row.get(ETAG))
        table = self._crm.tables[write.table]
        plan = plan_for(write, before, table, self._crm.tables, self._crm.environment)
        if isinstance(write, Create | Update | Delete):
            request = build(write, self._crm.tables)
        else:
            request = act_request(write, self._crm.tables)
        return Preview(
            method=request.method,
            path=request.path,
            headers=request.headers,
            body=request.body,
            changes=plan.facts,
            needs_approval=judgement.decision.outcome is Outcome.CONFIRM,
        )

    async def look(self, write: Existing) -> tuple[Judgement, Row]:
        """The judgement, and the row as it is before the write; it is not for showing."""
        judgement = await self._session.judge(write)
        table = self._crm.tables[write.table]
        scope = judgement.written
        needed = (*self._columns(write, table), *(sorted(scope.columns) if scope else ()))
        fetch = Fetch(write.table, write.key, tuple(dict.fromkeys((table.key, *needed))))
        if isinstance(write, Delete):
            fetch = replace(fetch, expand=self.related(table, cascading=True))
        try:
            row = await self._reads.row(fetch, scope)
        except NotFoundError:
            if scope is None:
                raise
            raise PolicyDeniedError(
                f"{judgement.decision.reason} No such record is among them. Nothing was changed.",
                rules=judgement.decision.rules,
            ) from None
        self._require_within(judgement, write, row)
        return judgement, row

    def _require_within(self, judgement: Judgement, write: Write | Act, before: Row) -> None:
        """Refuse what would make or leave a row outside of what the policy lets be written."""
        scope = judgement.written
        if scope is None or isinstance(write, Delete):
            return
        values = written(write)
        if not isinstance(write, Create) and scope.columns.isdisjoint(values):
            return
        if not scope.holds({**before, **values}):
            raise PolicyDeniedError(
                f"{judgement.decision.reason} With these values the record would not surely be one of them: "
                f"{scope.text}. Nothing was changed.",
                rules=judgement.decision.rules,
            )

    def _columns(self, write: Existing, table: Table) -> tuple[str, ...]:
        """What is kept of the row as it was: what is changed, or of a row that goes everything."""
        if isinstance(write, Delete):
            return tuple(table.columns)
        return (table.primary_name, *sorted(kept_columns(written(write)) & table.columns.keys()))

    async def presentable(self, write: Existing, row: Row) -> Row:
        """What a human, or the assistant, may be shown of the row as it was."""
        table = self._crm.tables[write.table]
        columns = self._session.readable(table.name, self._columns(write, table))
        reading = self._session.read_decision(table.name, (table.key, *columns))
        if reading.scope is not None:
            seen = Fetch(write.table, write.key, (table.key,))
            try:
                await self._reads.row(seen, reading.scope)
            except NotFoundError:
                columns = ()
        answer = shown(row, table, columns, reading.masks)
        without_names(answer, table, self._session.may_name)
        related = {item.name: row.get(item.name) for item in table.relationships.values()}
        return {**answer, **{name: rows for name, rows in related.items() if rows is not None}}

    def related(self, table: Table, *, cascading: bool) -> tuple[Expansion, ...]:
        """The rows that lead to a row, as far as they may be counted, or only those deleted with it."""
        expansions = [
            self._counted(item) for item in table.relationships.values() if item.cascades or not cascading
        ]
        return tuple(item for item in expansions if self._may_count(item))

    def _counted(self, relationship: Relationship) -> Expansion:
        related = self._crm.tables[relationship.table]
        lookup = related.navigations[relationship.lookup].column
        return Expansion(relationship.name, related.name, (related.key,), lookup, many=True)

    def _may_count(self, expansion: Expansion) -> bool:
        reading = self._session.read_decision(expansion.table, (*expansion.select, expansion.lookup))
        return reading.outcome is not Outcome.DENIED and reading.scope is None and not reading.masks

    def _returning(self, write: Create | Update) -> tuple[str, ...] | None:
        """The columns to ask back; None where the row has to be looked at to know whether it may be shown."""
        reading = self._session.read_decision(write.table, write.returning)
        if not reading.allowed:
            # Reading needs a human, who was not asked that.
            return ()
        if reading.scope is not None:
            return None
        return tuple(column for column in write.returning if column not in reading.masks)

    async def _answer(self, write: Create | Update, row: Row, returning: tuple[str, ...] | None) -> Row:
        table = self._crm.tables[write.table]
        if returning is None:
            return await self._read_back(write) or {table.key: write.key}
        answer = shown(row, table, returning, {})
        without_names(answer, table, self._session.may_name)
        return answer

    async def _read_back(self, write: Create | Update) -> Row | None:
        """The written row as a read would show it; that it cannot be read does not undo the write."""
        masks = self._session.read_decision(write.table, write.returning).masks
        columns = tuple(column for column in write.returning if column not in masks)
        try:
            return await self._reads.seen(Fetch(write.table, write.key, columns))
        except CrmError:
            return None


def _may_plan_anew(
    write: Update | Delete, approval: Approval | None, error: ConflictError, attempt: int
) -> bool:
    """Whether the row changed under a write that names no version and that no human was asked about."""
    return (
        write.etag is None
        and approval is None
        and error.status == _PRECONDITION_FAILED
        and attempt < _MOST_ATTEMPTS
    )
