"""Budgets: what was used of the limits of a policy, counted for all processes together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from crm_server.policy.limits import COUNTED, Counted, Kind
from sqlalchemy import Connection, delete, func, insert, select, update

from crm_server.policy.model import Limits, Policy, Spent, Used
from crm_server.state.schema import USES
from crm_tools.operations import Action

_KEPT = max(counted.window for counted in COUNTED)


def spent(
    connection: Connection, policy: Policy, caller: str, action: Action, record: str | None, now: datetime
) -> Spent:
    """What is used of each limit that this action uses: by all callers, and by this one."""
    return Spent(
        everyone=_used(connection, policy.limits, None, action, record, now),
        caller=_used(connection, policy.each_caller, caller, action, record, now),
    )


def reserve(
    connection: Connection, caller: str, action: Action, record: str | None, amount: int, now: datetime
) -> tuple[int, ...]:
    """Count what is about to be done: rows that are read, or a write of one record. Ids of what was counted."""
    connection.execute(delete(USES).where(USES.c.at <= (now - _KEPT).timestamp()))
    kinds = dict.fromkeys(counted.kind for counted in COUNTED if counted.concerns(action))
    ids = []
    for kind in kinds:
        row = {"at": now.timestamp(), "caller": caller, "kind": kind.value, "amount": amount, "record": record}
        ids.append(int(connection.execute(insert(USES).values(row)).inserted_primary_key[0]))
    return tuple(ids)


def settle(connection: Connection, ids: tuple[int, ...], amount: int) -> None:
    """Say how much was used in truth of what was reserved."""
    connection.execute(update(USES).where(USES.c.id.in_(ids)).values(amount=amount))


def _used(
    connection: Connection,
    limits: Limits,
    caller: str | None,
    action: Action,
    record: str | None,
    now: datetime,
) -> Mapping[str, Used]:
    return {
        counted.name: _count(connection, counted, caller, record, now)
        for counted in COUNTED
        if counted.concerns(action) and getattr(limits, counted.name) is not None
    }


def _count(
    connection: Connection, counted: Counted, caller: str | None, record: str | None, now: datetime
) -> Used:
    within = [USES.c.kind == counted.kind.value, USES.c.at > (now - counted.window).timestamp()]
    if caller is not None:
        within.append(USES.c.caller == caller)
    if counted.kind is Kind.RECORDS:
        known = select(USES.c.id).where(*within, USES.c.record == record).limit(1)
        if record is not None and connection.execute(known).first() is not None:
            # A record that counts already costs nothing more.
            return Used()
        amount = func.count(func.distinct(USES.c.record))
    else:
        amount = func.coalesce(func.sum(USES.c.amount), 0)
    total, oldest = connection.execute(select(amount, func.min(USES.c.at)).where(*within)).one()
    if not total:
        return Used()
    return Used(int(total), datetime.fromtimestamp(oldest, UTC) + counted.window)
