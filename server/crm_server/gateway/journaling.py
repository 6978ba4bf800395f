"""Each write from before it is sent until its end is known, noted in the journal and the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import anyio

from crm_server.auditing import decided
from crm_server.dataverse import crm_request_id
from crm_server.dataverse.sender import UnclearError
from crm_server.gateway.session import Approval, Session
from crm_server.log import get_logger
from crm_server.policy import limits
from crm_server.policy.judging import Judgement
from crm_server.policy.model import Outcome, Spent
from crm_tools.actions import Action
from crm_tools.acts import Act
from crm_tools.bulk import BulkJob
from crm_tools.changes import Change, ChangeState
from crm_tools.errors import ApprovalError, CrmError, StateError
from crm_tools.operations import Create, Delete, Row, Update, Write
from crm_tools.shaping import ETAG

_log = get_logger("journal")
Noted = Write | Act | BulkJob
"""What the journal keeps: changes of one record, and jobs of many as a whole."""
_STATE_COLUMNS = frozenset({"statecode", "statuscode"})
Send = Callable[[], Awaitable[Row | None]]


async def carried_out(
    session: Session,
    write: Noted,
    before: Row,
    approval: Approval | None,
    send: Send,
    undo_of: str | None,
) -> Row | None:
    """Note the write, send it, and note how it ended.

    Raises:
        PolicyDeniedError: The limits were used up, or the policy changed, since the write was judged.
        ApprovalError: The approval does not hold any more.
        StateError: The write cannot be noted, and so was not sent.
    """
    change = await _begun(session, write, before, approval, undo_of)
    try:
        row = await send()
    except UnclearError as error:
        await _ended(session, change, ChangeState.UNCLEAR, error=error.code)
        raise
    except CrmError as error:
        await _ended(session, change, ChangeState.REFUSED, error=error.code)
        raise
    except BaseException as error:
        # A call that is cancelled may have been sent all the same.
        with anyio.CancelScope(shield=True):
            await _ended(session, change, ChangeState.UNCLEAR, error=type(error).__name__)
        raise
    session.trail.changes.append(change.id)
    with anyio.CancelScope(shield=True):
        await _ended(session, change, ChangeState.DONE, etag_after=(row or {}).get(ETAG))
    return row


async def _begun(
    session: Session, write: Noted, before: Row, approval: Approval | None, undo_of: str | None
) -> Change:
    trail = session.trail
    rows = (write.total or 1) if isinstance(write, BulkJob) else 1
    change = replace(
        _change(write, before),
        caller=session.principal.name,
        tool=trail.tool,
        correlation_id=trail.request_id,
        name=_name(session, write, before),
        plan=None if approval is None else approval.plan_id,
        undo_of=undo_of,
    )

    def judge(spent: Spent) -> Judgement:
        judgement = session.obeyed(session.quietly(write, spent))
        if isinstance(write, BulkJob):
            limits.require_left(session.policy, spent, rows)
        if judgement.decision.outcome is Outcome.CONFIRM and approval is None:
            raise ApprovalError("The policy has changed and now asks for approval. Make the call again.")
        return judgement

    event = {
        "caller": change.caller,
        "tool": change.tool,
        "action": change.action.value,
        "table": change.table,
        "ids": [change.record],
        "columns": sorted(change.written),
        "values": _audited_values(session, change),
        "plan": change.plan,
        "undo_of": undo_of,
        "correlation_id": change.correlation_id,
        **decided(session.quietly(write).parts),
    }
    begun = await session.crm.state.begin_write(
        session.policy, change, "" if approval is None else approval.fingerprint, judge, event, rows=rows
    )
    left = limits.left(session.policy, change.action, begun.spent)
    trail.left = tuple(limits.after(one, rows) for one in left)
    return begun.change


async def _ended(
    session: Session,
    change: Change,
    state: ChangeState,
    *,
    error: str | None = None,
    etag_after: str | None = None,
) -> None:
    try:
        await session.crm.state.end_write(
            change, state, error=error, etag_after=etag_after, crm_request_id=crm_request_id.get()
        )
    except StateError as problem:
        _log.error("end_not_noted_yet", change=change.id, state=state.value, problem=problem.message)
        session.trail.warnings.append(
            f"The server could not note in its journal that change {change.id} is {state.value}; "
            "it will when its state can be written again."
        )


def _change(write: Noted, before: Row) -> Change:
    """The change that a write makes; who makes it comes later."""
    values = written(write)
    kept = _whole(before) if isinstance(write, Delete) else _of_columns(before, kept_columns(values))
    return Change(
        caller="",
        tool="",
        action=_action(write),
        table=write.table,
        record=write.key,
        written=values,
        before=kept,
        etag_before=before.get(ETAG),
    )


def _action(write: Noted) -> Action:
    if isinstance(write, BulkJob):
        return Action.BULK
    return write.accesses()[-1].action if isinstance(write, Create | Update | Delete) else write.action


def _name(session: Session, write: Noted, before: Row) -> str | None:
    name = session.crm.tables[write.table].primary_name
    values = written(write)
    found = before.get(name) or values.get(name)
    return None if found is None else str(found)


def _whole(row: Row) -> dict[str, Any]:
    """A row's own columns with their annotations; not what was expanded."""
    return {name: value for name, value in row.items() if not isinstance(value, list | dict)}


def kept_columns(columns: Iterable[str]) -> frozenset[str]:
    """What is kept of a row before these columns are written: state and status reason change together."""
    columns = frozenset(columns)
    return columns | _STATE_COLUMNS if columns & _STATE_COLUMNS else columns


def _of_columns(row: Row, columns: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name.partition("@")[0] in columns}


def _audited_values(session: Session, change: Change) -> dict[str, Any]:
    """The values that the policy wants in the audit; all others stay out of it."""
    wanted = session.policy.audited.get(change.table, frozenset())
    return {name: value for name, value in change.written.items() if name in wanted}


def written(write: Noted) -> Mapping[str, Any]:
    """What a write sets: columns by wire name, lookups to the key of their row."""
    if isinstance(write, Delete):
        return {}
    if not isinstance(write, Create | Update):
        return write.written
    return {**write.values, **{item.column: item.key for item in write.bindings}}
