"""Budgets: what was used of the limits of a policy, counted for all processes together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, insert, select, update

from crm_server.policy.limits import COUNTED, Counted, Kind
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
    """Count what is about to be done: rows that are read, or a write of a record. Ids of counted rows."""
    kinds = dict.fromkeys(counted.kind for counted in COUNTED if counted.concerns(action))
    rows = [
        {"at": now.timestamp(), "caller": caller, "kind": kind.value, "amount": amount, "record": record}
        for kind in kinds
    ]
    if Kind.ROWS in kinds:
        return (int(connection.execute(_TAKE_ROWS, rows[0]).scalar_one()),)
    connection.execute(_TAKE, rows)
    return ()


def forget(connection: Connection, now: datetime) -> None:
    """Take out what no window reaches any more."""
    connection.execute(delete(USES).where(USES.c.at <= (now - _KEPT).timestamp()))


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
    of_records = counted.kind is Kind.RECORDS
    values = {
        "of_kind": counted.kind.value,
        "since": (now - counted.window).timestamp(),
        "of_caller": caller,
        "of_record": record,
    }
    by_caller = caller is not None
    # A record that counts already costs nothing more.
    if (
        of_records
        and record is not None
        and connection.execute(_known(by_caller), values).first() is not None
    ):
        return Used()
    total, oldest = connection.execute(_total(of_records, counted.by_rows, by_caller), values).one()
    if not total:
        return Used()
    return Used(int(total), datetime.fromtimestamp(oldest, UTC) + counted.window)


# Made once: SQLAlchemy takes longer to build a statement than SQLite to carry it out.
_TAKE = insert(USES)
_TAKE_ROWS = insert(USES).returning(USES.c.id)


@cache
def _total(of_records: bool, by_rows: bool, by_caller: bool) -> Select[int, float]:
    """How much was used, and when the first of it was.

    A record counts once however often it was changed; a job of many rows stands for as many records.
    """
    within = _within(by_caller)
    if of_records:
        most, first = func.max(USES.c.amount).label("amount"), func.min(USES.c.at).label("at")
        records = select(most, first).where(*within).group_by(USES.c.record).subquery()
        return select(func.coalesce(func.sum(records.c.amount), 0), func.min(records.c.at))
    amount: ColumnElement[int] = func.sum(USES.c.amount) if by_rows else func.count()
    return select(func.coalesce(amount, 0), func.min(USES.c.at)).where(*within)


@cache
def _known(by_caller: bool) -> Select[int]:
    return select(USES.c.id).where(*_within(by_caller), USES.c.record == bindparam("of_record")).limit(1)


def _within(by_caller: bool) -> list[ColumnElement[bool]]:
    conditions = [USES.c.kind == bindparam("of_kind"), USES.c.at > bindparam("since")]
    return [*conditions, USES.c.caller == bindparam("of_caller")] if by_caller else conditions
