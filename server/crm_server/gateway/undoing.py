"""Takes changes back: each as a write of its own, under the policy and in the journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from crm_server.gateway.acts import Acts
from crm_server.gateway.journaling import kept_columns
from crm_server.gateway.masking import shown, without_names
from crm_server.gateway.narrowing import rows_within
from crm_server.gateway.reads import Reads
from crm_server.gateway.reconciling import reconcile
from crm_server.gateway.session import Session
from crm_server.gateway.writes import Undo, Writes
from crm_server.policy.model import Outcome
from crm_tools.acts import LINKED, LOST, WON, Act, Close, Link, Merge, Qualify
from crm_tools.change_handlers import require_done
from crm_tools.changes import Change
from crm_tools.errors import InputError, NotFoundError
from crm_tools.operations import Action, Binding, Create, Delete, Fetch, Row, Undone, Update, Write
from crm_tools.shaping import ETAG, LOOKUP_TABLE
from crm_tools.tables import Column, ColumnType, Table

_OWNER = "_ownerid_value"
_IRREVERSIBLE = {
    Action.MERGE: "A merge cannot be undone: Dataverse moved what belonged to the one record to the other. "
    "The merged record is deactivated and not deleted; its columns can be read there.",
    Action.BULK: "A job of many rows is not undone; what it created or changed is set right one by one.",
}


_STAYS = "What was created from the lead stays; delete it if it is not wanted."
_Plan = tuple[Write | Act, tuple[str, ...], tuple[str, ...]]
"""What undoes a change, reasons why a human has to be asked, and what is not brought back."""


class Undoing:
    """The journal of one call's caller."""

    def __init__(self, session: Session, reads: Reads, writes: Writes, acts: Acts) -> None:
        self._session = session
        self._crm = session.crm
        self._reads = reads
        self._writes = writes
        self._acts = acts

    async def changes(self, most: int, record: str | None) -> tuple[Change, ...]:
        """The caller's last changes, newest first, with the values that may be read."""
        await reconcile(self._session)
        found = await self._crm.state.changes(self._session.principal.name, most=most, record=record)
        known = [change for change in found if change.table in self._crm.tables]
        visible = await self._visible(known)
        return tuple(self._readable(change, change.id in visible) for change in known)

    async def undo(self, change_id: str, *, dry_run: bool) -> Undone:
        """Take a change back, or say what that would change.

        Raises:
            InputError: There is no such change of the caller, or it cannot be undone.
        """
        await reconcile(self._session)
        caller = None if self._session.of_all else self._session.principal.name
        change = await self._crm.state.change(caller, change_id)
        if change is None or change.table not in self._crm.tables:
            raise InputError("There is no change of yours with this change_id. See list_changes.")
        require_done(change)
        self._session.trail.table = change.table
        self._session.trail.touched(change.record)
        if change.action in _IRREVERSIBLE:
            raise InputError(_IRREVERSIBLE[change.action])
        match change.action:
            case Action.CREATE:
                write, because, lost = await self._of_create(change)
            case Action.DELETE:
                write, because, lost = self._of_delete(change)
            case Action.REOPEN if change.before.get("statecode") in (WON, LOST):
                write, because, lost = await self._of_reopen(change)
            case Action.LINK if LINKED in change.written:
                write, because, lost = _of_link(change), (), ()
            case _:
                write, because, lost = await self._of_update(change)
        undo = Undo(change.id, because)
        if dry_run:
            preview = await self._writes.preview(write)
            asks = preview.needs_approval or bool(because)
            preview = replace(preview, changes=(*because, *preview.changes), needs_approval=asks)
            return Undone(change, preview, lost)
        return Undone(change, await self._written(write, undo), lost)

    async def _written(self, write: Write | Act, undo: Undo) -> Row | None:
        match write:
            case Qualify() | Close() | Merge() | Link():
                await self._acts.carry_out(write, undo)
                return None
            case Create():
                return await self._writes.create(write, undo)
            case Update():
                return await self._writes.update(write, undo)
            case Delete():
                await self._writes.delete(write, undo)
                return None

    async def _of_update(self, change: Change) -> _Plan:
        table = self._crm.tables[change.table]
        kept = sorted(kept_columns(change.written) & table.columns.keys() & change.before.keys())
        columns = tuple(name for name in kept if _can_be_set(table.columns[name]))
        row = await self._present(change, columns)
        values, bindings, lost = self._settings(change.before, columns, table, row)
        write = Update(
            change.table,
            change.record,
            values,
            bindings,
            etag=row.get(ETAG),
            returning=self._returning(table, columns),
            state=values.get("statecode"),
            acts_as=Action.ASSIGN if change.action is Action.ASSIGN else None,
        )
        stays = (_STAYS,) if change.action is Action.QUALIFY else ()
        return write, self._changed_since(change, row, table), (*_not_set(lost, table), *stays)

    async def _of_reopen(self, change: Change) -> _Plan:
        """Closing it once more: an update does not win or lose a deal."""
        row = await self._present(change, ("statecode", "statuscode"))
        close = Close(
            change.record,
            won=change.before["statecode"] == WON,
            status=int(change.before["statuscode"]),
            subject="Closed again: opening it was taken back",
        )
        because = self._changed_since(change, row, self._crm.tables[change.table])
        return close, because, ("Not brought back: the value and the date that it had been closed with.",)

    async def _of_create(self, change: Change) -> _Plan:
        table = self._crm.tables[change.table]
        columns = tuple(name for name in change.written if name in table.columns)
        row = await self._present(change, columns)
        because = list(self._changed_since(change, row, table))
        if not because and change.etag_after is not None and row.get(ETAG) != change.etag_after:
            because.append("The record was changed since it was created")
        since = dict.fromkeys(
            f"It has {self._crm.tables[item.table].entity_set} by now"
            for item in table.relationships.values()
            if row.get(item.name)
        )
        return Delete(change.table, change.record, row.get(ETAG)), (*because, *since), ()

    def _of_delete(self, change: Change) -> _Plan:
        table = self._crm.tables[change.table]
        kept = [name for name in table.columns if change.before.get(name) is not None and name != table.key]
        created = [name for name in kept if _is_set_on_create(table, name)]
        allowed = [name for name in created if self._may_create(table, name, change.before[name])]
        values, bindings, lost = self._settings(change.before, allowed, table, {})
        sentences = [*_not_set([*lost, *(name for name in kept if name not in allowed)], table)]
        if change.before.get("statecode") not in (None, 0):
            sentences.append("The record is open or active again, which it was not.")
        sentences.append(
            "What was deleted with it (activities, notes and dependent records) does not come back, "
            "nor do links from records that lost theirs."
        )
        returning = self._returning(table, table.concise)
        return Create(change.table, change.record, values, bindings, returning), (), tuple(sentences)

    def _may_create(self, table: Table, column: str, value: Any) -> bool:
        create = Create(table.name, "", {column: value})
        return self._session.quietly(create).decision.outcome is not Outcome.DENIED

    async def _present(self, change: Change, columns: tuple[str, ...]) -> Row:
        """The record as it is now, with what leads to a record that was created; not for showing."""
        table = self._crm.tables[change.table]
        expand = self._writes.related(table, cascading=False) if change.action is Action.CREATE else ()
        fetch = Fetch(change.table, change.record, (table.key, *columns), expand)
        try:
            return await self._reads.row(fetch, None)
        except NotFoundError:
            raise InputError(
                "The record of this change does not exist any more, so there is nothing to undo."
            ) from None

    def _changed_since(self, change: Change, row: Row, table: Table) -> tuple[str, ...]:
        """A reason to ask a human: columns of the change that hold something else by now."""
        if change.etag_after is not None and row.get(ETAG) == change.etag_after:
            return ()
        names = [
            table.columns[name].label
            for name, value in change.written.items()
            if name in table.columns and row.get(name) != value
        ]
        return (f"Changed since by somebody else: {', '.join(sorted(names))}",) if names else ()

    def _settings(
        self, before: Row, columns: Iterable[str], table: Table, row: Row
    ) -> tuple[dict[str, Any], tuple[Binding, ...], list[str]]:
        """What sets the columns to what they held: values, lookups, and columns that nothing can set."""
        values: dict[str, Any] = {}
        bindings: list[Binding] = []
        lost: list[str] = []
        for name in columns:
            if table.columns[name].type is not ColumnType.LOOKUP:
                values[name] = before[name]
            elif (binding := _binding(name, before, table, row)) is not None:
                bindings.append(binding)
            else:
                lost.append(name)
        return values, tuple(bindings), lost

    def _returning(self, table: Table, columns: Iterable[str]) -> tuple[str, ...]:
        return self._session.readable(table.name, dict.fromkeys((table.key, *table.concise, *columns)))

    async def _visible(self, changes: list[Change]) -> set[str]:
        """Ids of the changes to records that may be seen; only rules on rows have to be looked up."""
        visible: set[str] = set()
        for name in {change.table for change in changes}:
            table = self._crm.tables[name]
            of_table = [change for change in changes if change.table == name]
            reading = self._session.read_decision(name, (table.key,))
            if reading.scope is None:
                visible |= {change.id for change in of_table}
                continue
            keys = sorted({change.record for change in of_table})
            page = await self._session.client().query(rows_within(table, keys, reading.scope))
            found = {row[table.key] for row in page.rows}
            visible |= {change.id for change in of_table if change.record in found}
        return visible

    def _readable(self, change: Change, visible: bool) -> Change:
        """The change with only what may be read of it. Of a job no values are noted."""
        if change.action is Action.BULK:
            return change
        table = self._crm.tables[change.table]
        columns = self._session.readable(table.name, table.columns) if visible else ()
        reading = self._session.read_decision(table.name, (table.key, *columns))
        if reading.outcome is Outcome.DENIED or (reading.scope is not None and not visible):
            columns = ()
        before = shown(change.before, table, columns, reading.masks)
        without_names(before, table, self._session.may_name)
        written = shown(change.written, table, columns, reading.masks)
        named = table.primary_name in columns and table.primary_name not in reading.masks
        return replace(change, before=before, written=written, name=change.name if named else None)


def _of_link(change: Change) -> Link:
    navigation, other_table, other_key, unlink = change.written[LINKED]
    return Link(change.table, change.record, navigation, other_table, other_key, other_key, unlink=not unlink)


def _can_be_set(column: Column) -> bool:
    """What Dataverse computes, such as the actual value of a deal that is won, follows by itself."""
    return column.type is ColumnType.LOOKUP or column.on_update


def _binding(name: str, before: Row, table: Table, row: Row) -> Binding | None:
    """What sets a lookup to the row that it led to before."""
    target = before.get(name + LOOKUP_TABLE) or row.get(name + LOOKUP_TABLE)
    if name == _OWNER and target is not None:
        # A body binds a user or a team through the one property.
        return Binding("ownerid", name, target, before[name])
    ways = [item for item in table.navigations.values() if item.column == name and item.writable]
    way = next((item for item in ways if item.table == target), ways[0] if ways else None)
    return None if way is None else Binding(way.name, name, way.table, before[name])


def _is_set_on_create(table: Table, name: str) -> bool:
    column = table.columns[name]
    return column.type is ColumnType.LOOKUP or (
        column.on_create and column.type not in (ColumnType.STATE, ColumnType.STATUS)
    )


def _not_set(names: Iterable[str], table: Table) -> tuple[str, ...]:
    labels = sorted(table.columns[name].label for name in names)
    return (f"Not brought back: {', '.join(labels)}.",) if labels else ()
