"""The journal: each write, with what it changed, from before it is sent until its end is known."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Update, bindparam, delete, insert, or_, select, update

from crm_server.state.audit import moment
from crm_server.state.schema import CHANGES
from crm_server.state.store import is_sayable, sayable_id, this_process
from crm_tools.changes import Change, ChangeState
from crm_tools.operations import Action

# Made once: SQLAlchemy takes longer to build a statement than SQLite to carry it out.
_ADD = insert(CHANGES)
_ENDING = (
    update(CHANGES)
    .where(CHANGES.c.id == bindparam("the_id"))
    .values({name: bindparam(name) for name in ("state", "error", "etag_after", "crm_request_id", "ended")})
)
_OPEN = CHANGES.c.state == ChangeState.BEGUN.value
INTERRUPTED = "interrupted"
"""The error of a change whose end its process did not note."""
_END = _ENDING.where(or_(_OPEN, CHANGES.c.error == INTERRUPTED))
_SETTLE = _ENDING.where(_OPEN)
_UNDONE = update(CHANGES).where(CHANGES.c.id == bindparam("the_id")).values(undone_by=bindparam("by"))


LONGEST_WRITE = timedelta(minutes=15)
"""Nothing of this server waits longer for an answer to a write."""


def begin(connection: Connection, change: Change, now: datetime) -> str:
    """Note a change before it is sent; its id."""
    change_id = sayable_id()
    host, process = this_process()
    row = {
        "id": change_id,
        "at": now.timestamp(),
        "caller": change.caller,
        "tool": change.tool,
        "action": change.action.value,
        "table_name": change.table,
        "record": change.record,
        "name": change.name,
        "before": _json(change.before),
        "written": _json(change.written),
        "etag_before": change.etag_before,
        "state": ChangeState.BEGUN.value,
        "plan": change.plan,
        "undo_of": change.undo_of,
        "correlation_id": change.correlation_id,
        "host": host,
        "process": process,
    }
    connection.execute(_ADD, row)
    return change_id


def end(
    connection: Connection,
    change: Change,
    state: ChangeState,
    now: datetime,
    *,
    error: str | None = None,
    etag_after: str | None = None,
    crm_request_id: str | None = None,
) -> bool:
    """Note how a change ended, as the process knows that made it. One that undid another marks that one.

    Whoever took it for interrupted meanwhile, as when the process was stopped for long, is put right.

    Returns:
        Whether that is anything new.
    """
    return _noted(connection, _END, change, state, now, error, etag_after, crm_request_id)


def settle(
    connection: Connection, change: Change, state: ChangeState, now: datetime, etag_after: str | None
) -> bool:
    """Note how a change ended whose process did not say so.

    Returns:
        Whether that is anything new: somebody else may have been first.
    """
    return _noted(connection, _SETTLE, change, state, now, INTERRUPTED, etag_after, None)


def _noted(
    connection: Connection,
    statement: Update,
    change: Change,
    state: ChangeState,
    now: datetime,
    error: str | None,
    etag_after: str | None,
    crm_request_id: str | None,
) -> bool:
    ending = {
        "the_id": change.id,
        "state": state.value,
        "error": error,
        "etag_after": etag_after,
        "crm_request_id": crm_request_id,
        "ended": now.timestamp(),
    }
    if not connection.execute(statement, ending).rowcount:
        return False
    if change.undo_of is not None and state is ChangeState.DONE:
        connection.execute(_UNDONE, {"the_id": change.undo_of, "by": change.id})
    return True


def listed(
    connection: Connection, caller: str, *, most: int, table: str | None = None, record: str | None = None
) -> Sequence[Change]:
    """The last changes of a caller, newest first."""
    wanted = select(CHANGES).where(CHANGES.c.caller == caller).order_by(CHANGES.c.number.desc()).limit(most)
    if table is not None:
        wanted = wanted.where(CHANGES.c.table_name == table)
    if record is not None:
        wanted = wanted.where(CHANGES.c.record == record)
    return [_change(row) for row in connection.execute(wanted)]


def recent(connection: Connection, *, most: int, before: int | None = None) -> list[tuple[int, Change]]:
    """The last changes of all callers, newest first, each with its number; those before one of them."""
    wanted = select(CHANGES).order_by(CHANGES.c.number.desc()).limit(most)
    if before is not None:
        wanted = wanted.where(CHANGES.c.number < before)
    return [(row.number, _change(row)) for row in connection.execute(wanted)]


def found(connection: Connection, caller: str | None, change_id: str) -> Change | None:
    """The change of this id, if it is one of this caller; whoever made it, for None."""
    if not is_sayable(change_id):
        return None
    wanted = select(CHANGES).where(CHANGES.c.id == change_id)
    if caller is not None:
        wanted = wanted.where(CHANGES.c.caller == caller)
    row = connection.execute(wanted).first()
    return None if row is None else _change(row)


def left_open(connection: Connection, caller: str, now: datetime) -> Sequence[Change]:
    """Changes of a caller that began and whose process ended before it knew more."""
    rows = connection.execute(select(CHANGES).where(_OPEN, CHANGES.c.caller == caller))
    return [_change(row) for row in rows if _is_abandoned(row, now)]


def _is_abandoned(row: Any, now: datetime) -> bool:
    if moment(row.at) + LONGEST_WRITE <= now:
        return True
    host, process = this_process()
    return row.host == host and row.process != process and not _lives(row.process)


def _lives(process: int) -> bool:
    if sys.platform == "win32":
        # There the signal 0 is Ctrl-C.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # It exists and belongs to another user, or this system does not tell.
        return True
    return True


def prune(connection: Connection, until: datetime) -> int:
    """Forget changes that ended before a moment; they can then not be undone."""
    ended = (CHANGES.c.at < until.timestamp(), CHANGES.c.state != ChangeState.BEGUN.value)
    return connection.execute(delete(CHANGES).where(*ended)).rowcount


def _json(values: Any) -> str:
    return json.dumps(dict(values), ensure_ascii=False, default=str)


def _change(row: Any) -> Change:
    return Change(
        caller=row.caller,
        tool=row.tool,
        action=Action(row.action),
        table=row.table_name,
        record=row.record,
        written=json.loads(row.written),
        before=json.loads(row.before),
        name=row.name,
        etag_before=row.etag_before,
        etag_after=row.etag_after,
        state=ChangeState(row.state),
        error=row.error,
        id=row.id,
        at=moment(row.at),
        plan=row.plan,
        undo_of=row.undo_of,
        undone_by=row.undone_by,
        correlation_id=row.correlation_id or "",
    )
