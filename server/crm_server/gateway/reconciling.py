"""Finds out how writes ended whose process ended before it knew, by looking at the records.

Evidence that a write was made counts at once. That it was not made counts only after a while: a request that
was sent may still be carried out.
"""

from __future__ import annotations

from datetime import timedelta

from crm_server.gateway.session import Session
from crm_server.log import get_logger
from crm_tools.changes import Change, ChangeState
from crm_tools.errors import CrmError, NotFoundError
from crm_tools.operations import Action, Fetch, Row
from crm_tools.shaping import ETAG

_log = get_logger("journal")
LOOKED_AGAIN = timedelta(minutes=1)
STILL_POSSIBLE = timedelta(minutes=3)
"""Dataverse ends a request after two minutes.

https://learn.microsoft.com/power-apps/developer/data-platform/analyze-performance
"""


async def reconcile(session: Session) -> None:
    """Settle the interrupted changes of the caller, looking for some once a minute: a replica may have ended.

    Raises:
        StateError: The journal cannot be read.
    """
    caller = session.principal.name
    now = session.crm.now()
    looked = session.crm.reconciled.get(caller)
    if looked is not None and now - looked < LOOKED_AGAIN:
        return
    left_open = await session.crm.state.left_open(caller)
    settled = [await _settled(session, change) for change in left_open]
    if all(settled):
        session.crm.reconciled[caller] = now


async def _settled(session: Session, change: Change) -> bool:
    """Whether it is known now how the change ended."""
    try:
        row = await _row(session, change)
    except CrmError as error:
        _log.warning("not_reconciled", change=change.id, problem=error.code)
        return False
    state = _ending(change, row)
    if state is None:
        young = change.at is None or session.crm.state.now() - change.at < STILL_POSSIBLE
        if young:
            return False
        state = ChangeState.NOT_DONE
    await session.crm.state.settle_write(change, state, None if row is None else row.get(ETAG))
    _log.info("reconciled", change=change.id, state=state.value)
    return True


async def _row(session: Session, change: Change) -> Row | None:
    table = session.crm.tables[change.table]
    columns = tuple(name for name in change.written if name in table.columns)
    try:
        return await session.client().fetch(Fetch(change.table, change.record, (table.key, *columns)))
    except NotFoundError:
        return None


def _ending(change: Change, row: Row | None) -> ChangeState | None:
    """What the record tells: None where it is as if the change had not been made (yet)."""
    match change.action:
        case Action.CREATE:
            return None if row is None else ChangeState.DONE
        case Action.DELETE:
            return ChangeState.DONE if row is None else None
    if row is None:
        return ChangeState.UNCLEAR
    if row.get(ETAG) == change.etag_before:
        return None
    holds = all(row.get(name) == value for name, value in change.written.items())
    # Somebody else may have changed it before or since.
    return ChangeState.DONE if holds else ChangeState.UNCLEAR
