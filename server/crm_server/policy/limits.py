"""What the limits of a policy count, and what they say once it is known how much was used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from crm_server.policy.model import Limits, Policy, Spent, Used
from crm_tools.errors import PolicyDeniedError
from crm_tools.operations import READING, Action


class Kind(StrEnum):
    """What is counted."""

    WRITES = "writes"
    DELETES = "deletes"
    RECORDS = "records"
    ROWS = "rows"


_DELETING = frozenset({Action.DELETE, Action.MERGE})


@dataclass(frozen=True, slots=True)
class Counted:
    """A limit that counts in a sliding window. ``name`` is its key in a policy.

    A job of many rows is one write of many records: where ``by_rows`` is set each of its rows counts.
    """

    name: str
    kind: Kind
    window: timedelta
    by_rows: bool = True

    def concerns(self, action: Action) -> bool:
        """Whether an action uses something of it: what is no read is a write, and a merge also deletes."""
        match self.kind:
            case Kind.ROWS:
                return action in READING
            case Kind.DELETES:
                return action in _DELETING
        return action not in READING


COUNTED = (
    Counted("writes_per_minute", Kind.WRITES, timedelta(minutes=1), by_rows=False),
    Counted("writes_per_day", Kind.WRITES, timedelta(days=1)),
    Counted("deletes_per_day", Kind.DELETES, timedelta(days=1)),
    Counted("records_per_day", Kind.RECORDS, timedelta(days=1)),
    Counted("rows_per_hour", Kind.ROWS, timedelta(hours=1)),
)


_BY_NAME = {counted.name: counted for counted in COUNTED}


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a limit. ``frees`` is when some of what was used comes back; None if nothing was."""

    name: str
    whose: str
    limit: int
    left: int
    frees: datetime | None

    @property
    def words(self) -> str:
        """Such as ``2 of 10 writes per minute left for you``."""
        what = self.name.replace("_", " ")
        frees = f", more from {said(self.frees)}" if self.frees is not None else ""
        return f"{self.left:,} of {self.limit:,} {what} left for {self.whose}{frees}"


def counts(policy: Policy, action: Action) -> bool:
    """Whether some limit on the action depends on what was used."""
    return any(
        getattr(limits, counted.name) is not None
        for limits in (policy.limits, policy.each_caller)
        for counted in COUNTED
        if counted.concerns(action)
    )


def left(policy: Policy, action: Action, spent: Spent) -> tuple[Left, ...]:
    """What is left of each counted limit that the action uses."""
    return (
        *_left(policy.limits, action, spent.everyone, "all callers together"),
        *_left(policy.each_caller, action, spent.caller, "you"),
    )


def _left(limits: Limits, action: Action, used: Mapping[str, Used], whose: str) -> Iterator[Left]:
    for counted in COUNTED:
        limit = getattr(limits, counted.name)
        if limit is not None and counted.concerns(action):
            one = used.get(counted.name, Used())
            yield Left(counted.name, whose, limit, max(0, limit - one.amount), one.frees)


def require_left(policy: Policy, spent: Spent, rows: int) -> None:
    """Refuse a job of more rows than are left.

    Raises:
        PolicyDeniedError: It has more.
    """
    for one in left(policy, Action.BULK, spent):
        if _BY_NAME[one.name].by_rows and one.left < rows:
            frees = f" More are left from {said(one.frees)}." if one.frees is not None else ""
            raise PolicyDeniedError(
                f"The job would change {rows:,} records, and {one.words.partition(',')[0]}.{frees} Import "
                "fewer rows. Nothing was changed.",
                rules=(f"limit:{one.name}",),
            )


def after(one: Left, rows: int) -> Left:
    """What is left after a write of so many rows."""
    used = rows if _BY_NAME[one.name].by_rows else 1
    return replace(one, left=max(0, one.left - used))


def closing(limits: Limits, action: Action) -> tuple[str, ...]:
    """The names of the limits that are 0 and so close the action for good."""
    names = [counted.name for counted in COUNTED if counted.concerns(action)]
    if action is Action.READ:
        names.append("rows_per_read")
    if action is Action.BULK:
        names.append("rows_per_bulk")
    return tuple(name for name in names if getattr(limits, name) == 0)


def most_rows(policy: Policy, action: Action, left: tuple[Left, ...]) -> int | None:
    """How many rows a read may return: what one read may, and what is left."""
    if action not in READING:
        return None
    bounds = [one.left for one in left]
    if policy.limits.rows_per_read is not None:
        bounds.append(policy.limits.rows_per_read)
    return min(bounds, default=None)


def used_up(one: Left) -> str:
    """Says of a limit of which nothing is left when it frees."""
    what = one.name.replace("_", " ")
    if one.limit == 0:
        return f"The policy sets {what} to 0, so there can be none."
    frees = f"; it frees at {said(one.frees)}" if one.frees is not None else ""
    return f"The limit of {one.limit:,} {what} for {one.whose} is used up{frees}."


def said(moment: datetime) -> str:
    """A moment as people read it, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}".rstrip()
