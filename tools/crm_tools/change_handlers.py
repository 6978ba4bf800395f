"""The tools of the journal: what this server changed, and taking it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_tools.actions import Action
from crm_tools.changes import Change, ChangeState
from crm_tools.errors import InputError
from crm_tools.guids import guid
from crm_tools.operations import Preview
from crm_tools.outside_text import line
from crm_tools.port import CrmPort
from crm_tools.shaping import record
from crm_tools.tables import Table

DEFAULT_CHANGES = 10

_SAID = {
    ChangeState.BEGUN: "begun; not known yet whether it was made",
    ChangeState.DONE: "done",
    ChangeState.REFUSED: "refused; nothing was changed",
    ChangeState.NOT_DONE: "interrupted; nothing was changed",
    ChangeState.UNCLEAR: "unclear; read the record to see whether it was made",
}


async def list_changes(
    arguments: Mapping[str, Any], tables: Mapping[str, Table], port: CrmPort
) -> dict[str, Any]:
    """The last changes of the caller."""
    most = arguments.get("top", DEFAULT_CHANGES)
    key = arguments.get("id")
    changes = await port.changes(most + 1, None if key is None else guid(key, "id"))
    records = [_shaped(change, tables[change.table], tables) for change in changes[:most]]
    return {"records": records, "shown": len(records), "more": len(changes) > most}


async def undo_change(
    arguments: Mapping[str, Any], tables: Mapping[str, Table], port: CrmPort
) -> dict[str, Any]:
    """Takes a change back."""
    undone = await port.undo(arguments["change_id"], dry_run=bool(arguments.get("dry_run")))
    table = tables[undone.change.table]
    answer: dict[str, Any] = {
        "undone": {"change_id": undone.change.id, "table": table.name, table.key: undone.change.record}
    }
    if undone.not_restored:
        answer["not_restored"] = list(undone.not_restored)
    if isinstance(undone.result, Preview):
        del answer["undone"]
        note = " Doing it needs the approval of a human." if undone.result.needs_approval else ""
        answer |= {
            "changes": list(undone.result.changes),
            "sent": False,
            "note": f"Dry run: nothing was sent.{note}",
        }
    elif undone.result is not None:
        answer["record"] = record(undone.result, table, tables)
    return answer


def require_done(change: Change) -> None:
    """Refuse to undo what was not made, or was undone already.

    Raises:
        InputError: It cannot be undone; says why.
    """
    if change.state is not ChangeState.DONE:
        raise InputError(f"Change {change.id} is {_SAID[change.state]}: there is nothing to undo.")
    if change.undone_by is not None:
        raise InputError(f"Change {change.id} was undone by change {change.undone_by}; undo that to redo it.")


def _shaped(change: Change, table: Table, tables: Mapping[str, Table]) -> dict[str, Any]:
    shaped: dict[str, Any] = {
        "change_id": change.id,
        "at": f"{change.at:%Y-%m-%dT%H:%M:%SZ}",
        "action": change.action.value,
        "table": change.table,
        "id": change.record,
        "state": _SAID[change.state],
    }
    if change.action is Action.BULK:
        shaped |= _of_job(change)
    if change.name is not None:
        shaped["name"] = line(change.name)
    for name, values in (("before", change.before), ("after", change.written)):
        if shown := _values(values, table, tables):
            shaped[name] = shown
    if change.undo_of is not None:
        shaped["undo_of"] = change.undo_of
    if change.undone_by is not None:
        shaped["undone_by"] = change.undone_by
    return shaped


def _of_job(change: Change) -> dict[str, Any]:
    """What differs for a job of many rows: it goes by its own id, and can be taken up again."""
    told: dict[str, Any] = {"rows": change.written.get("rows")}
    if change.state in (ChangeState.BEGUN, ChangeState.UNCLEAR):
        told["state"] = "unfinished; import_records with this id as job says how far it is, and goes on"
    return told


def _values(values: Mapping[str, Any], table: Table, tables: Mapping[str, Table]) -> dict[str, Any]:
    shaped = record(values, table, tables)
    cleared = {
        column.short_name: None
        for name, column in table.columns.items()
        if name in values and values[name] is None
    }
    return {name: value for name, value in {**cleared, **shaped}.items() if name not in (table.key, "etag")}
