"""Merge: two rows of a table become one.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/merge-entity-using-web-api
"""

from __future__ import annotations

from typing import Any

from crm_sandbox.errors import INVALID_ARGUMENT, ODataError, bad_property
from crm_sandbox.messages import Answer
from crm_sandbox.operations.calls import Call
from crm_sandbox.records.writer import lookup_values
from crm_sandbox.schema.base_columns import STATE, STATUS
from crm_sandbox.schema.model import ManyToOne, Table
from crm_sandbox.session import Privilege
from crm_sandbox.store import quoted

_CLOSED = {"account": (1, 2), "contact": (1, 2), "lead": (2, 7)}
"""State and status of the row that goes."""


def merge(call: Call) -> Answer:
    """Move what refers to one row to another, take over given values, and deactivate the one."""
    call.needs("POST")
    context = call.context
    target, subordinate = call.reference("Target"), call.reference("Subordinate")
    table = target.table
    if table.name not in _CLOSED or subordinate.table is not table:
        raise ODataError(400, INVALID_ARGUMENT, "Merge takes two accounts, two contacts or two leads.")
    kept, gone = target.get(context.store), subordinate.get(context.store)
    if kept[table.key] == gone[table.key]:
        raise ODataError(400, INVALID_ARGUMENT, "A record cannot be merged with itself.")
    if gone[STATE] != 0 or kept[STATE] != 0:
        raise ODataError(400, INVALID_ARGUMENT, "Only active records can be merged.")
    _check_parents(call, table, kept, gone)
    content = call.get("UpdateContent", dict, needed=False) or {}
    context.session.caller.require(Privilege.WRITE, table)
    writer = context.writer
    if any(table.key in name for name in content):
        raise bad_property(f"'UpdateContent' cannot change '{table.key}'")
    writer.update(table, kept, content)
    for lookup in context.store.schema.incoming(table).values():
        _move(call, lookup, gone[table.key], kept[table.key])
    state, status = _CLOSED[table.name]
    changes: dict[str, Any] = {STATE: state, STATUS: status, "merged": 1, "masterid": kept[table.key]}
    writer.change(table, gone, changes)
    return Answer(204)


def _check_parents(call: Call, table: Table, kept: dict[str, Any], gone: dict[str, Any]) -> None:
    if not call.get("PerformParentingChecks", bool, needed=False):
        return
    for name in ("parentaccountid", "parentcustomerid"):
        if name in table.columns and kept[name] != gone[name]:
            raise ODataError(400, INVALID_ARGUMENT, "The records do not have the same parent.")


def _move(call: Call, lookup: ManyToOne, gone: str, kept: str) -> None:
    store = call.context.store
    related = store.schema[lookup.table]
    if related.is_read_only or lookup.column == "masterid":
        return
    sql = f"SELECT * FROM {quoted(related.name)} WHERE {quoted(lookup.column)} = ?"  # noqa: S608 - names of the schema
    for row in store.rows(sql, [gone]):
        # A row that was the child of the one that goes must not become its own parent.
        key = None if related.name == lookup.target and row[related.key] == kept else kept
        call.context.writer.change(related, row, lookup_values(related, lookup, key))
