"""What the pages show, read from the state. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crm_server import __version__
from crm_server.approval import shown
from crm_server.policy import limits
from crm_server.policy.limits import Left
from crm_server.policy.model import Policy, Spent
from crm_server.policy.show import show
from crm_server.state.proposals import WAITING, KeptPlan
from crm_server.web.health import Check, Health
from crm_tools.changes import Change
from crm_tools.choices import choice_label
from crm_tools.errors import ApprovalError
from crm_tools.operations import Action
from crm_tools.shaping import FORMATTED
from crm_tools.tables import Table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_server.app import Application
    from crm_server.state.keys import Keys

PER_PAGE = 50
_MOST_CALLERS = 200
_WITHHELD = "(hidden by the policy)"


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a longer list; ``older`` is where the next one begins, None at the end."""

    items: Sequence[Any]
    older: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of each limit: of all callers together where ``caller`` is None."""

    caller: str | None
    left: tuple[Left, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Events that are looked for: what stands in which column, the id of a record, and when."""

    contains: Mapping[str, str]
    record: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Reading:
    """Reads for the pages. ``checks`` are what it takes to serve, by name.

    Each method raises StateError where the state does not answer.
    """

    def __init__(self, application: Application, checks: Mapping[str, Check]) -> None:
        self._application = application
        self._checks = checks

    def now(self) -> datetime:
        """The present moment."""
        return self._application.crm.now()

    async def waiting(self) -> Sequence[KeptPlan]:
        """The plans that wait, oldest first."""
        return await self._application.crm.state.plans()

    async def plan(self, plan_id: str) -> KeptPlan | None:
        """One plan."""
        try:
            return await self._application.crm.state.plan(plan_id)
        except ApprovalError:
            return None

    async def history(self, skipped: int) -> Listed:
        """Plans that were decided or have expired, newest first."""
        now = self.now()
        plans = await self._application.crm.state.plans(everything=True)
        over = [plan for plan in reversed(plans) if plan.status != WAITING or plan.expires <= now]
        return _listed(over[skipped : skipped + PER_PAGE + 1], lambda _last: skipped + PER_PAGE)

    async def events(self, wanted: Wanted, before: int | None) -> Listed:
        """Events of the audit, newest first."""

        def work(connection: Connection, _keys: Keys) -> list[dict[str, Any]]:
            from crm_server.state import audit

            return audit.recent(
                connection,
                most=PER_PAGE + 1,
                since=wanted.since,
                until=wanted.until,
                contains=wanted.contains,
                record=wanted.record,
                before=before,
            )

        found = await self._application.crm.state.run(work)
        return _listed(found[::-1], lambda last: int(last["number"]))

    async def changes(self, before: int | None) -> Listed:
        """Changes of all callers, newest first, each with its number."""

        def work(connection: Connection, _keys: Keys) -> list[tuple[int, Change]]:
            from crm_server.state import journal

            return journal.recent(connection, most=PER_PAGE + 1, before=before)

        return _listed(await self._application.crm.state.run(work), lambda last: int(last[0]))

    async def change(self, change_id: str) -> Change | None:
        """One change, of whatever caller."""

        def work(connection: Connection, _keys: Keys) -> Change | None:
            from crm_server.state import journal

            return journal.found(connection, None, change_id)

        found: Change | None = await self._application.crm.state.run(work)
        return found

    def columns(self, change: Change) -> list[tuple[str, str, str]]:
        """What a change did to each column: its label, before, after."""
        crm = self._application.crm
        table, hidden = crm.tables.get(change.table), crm.policy.hidden.get(change.table, frozenset())
        return [
            (_label(table, name), _WITHHELD, _WITHHELD)
            if name in hidden
            else (_label(table, name), shown(_held(change.before, name)), shown(_set(change, table, name)))
            for name in _touched(change, table)
        ]

    async def budgets(self) -> list[Budget]:
        """What is left of the limits: for all callers together, and for each who used something."""
        policy, now = self._application.crm.policy, self.now()
        found: list[Budget] = await self._application.crm.state.run(
            lambda connection, _keys: list(_budgets(connection, policy, now))
        )
        return found

    def policy(self) -> str:
        """The policy in force, as text."""
        return show(self._application.crm.policy, self._application.crm.tables)

    async def missing(self) -> Mapping[str, str]:
        """What it takes to serve and is missing, by name."""
        return await Health(self._checks).missing()

    def facts(self) -> list[tuple[str, str]]:
        """What is known of the server."""
        crm = self._application.crm
        return [
            ("Version", __version__),
            ("Environment", crm.environment),
            ("Kind of environment", crm.identities.kind),
            ("Policy", crm.policy.name),
            (
                "Where the state is",
                "in memory, for this process only" if crm.state.in_memory else "in a database",
            ),
        ]

    @property
    def checked(self) -> Sequence[str]:
        """The names of what it takes to serve."""
        return sorted(self._checks)


def _listed(found: Sequence[Any], begins: Any) -> Listed:
    items = found[:PER_PAGE]
    return Listed(items, begins(items[-1]) if len(found) > PER_PAGE else None)


def _touched(change: Change, table: Table | None) -> list[str]:
    """The columns of a change: what was written, or all that a deleted record held."""
    if change.action is not Action.DELETE:
        return list(change.written)
    names = change.before if table is None else table.columns
    return [name for name in names if "@" not in name and change.before.get(name) is not None]


def _label(table: Table | None, name: str) -> str:
    column = None if table is None else table.columns.get(name)
    return name if column is None else column.label


def _held(row: Mapping[str, Any], name: str) -> Any:
    return row.get(name + FORMATTED, row.get(name))


def _set(change: Change, table: Table | None, name: str) -> Any:
    value = change.written.get(name)
    column = None if table is None else table.columns.get(name)
    return value if column is None else choice_label(value, column) or value


def _budgets(connection: Connection, policy: Policy, now: datetime) -> Iterator[Budget]:
    from sqlalchemy import select

    from crm_server.state.schema import USES

    wanted = select(USES.c.caller).distinct().order_by(USES.c.caller).limit(_MOST_CALLERS)
    everyone = _left(connection, policy, "", now)
    yield Budget(None, tuple(one for one in everyone if one.whose != _OWN))
    for caller in connection.execute(wanted).scalars():
        of_caller = _left(connection, policy, caller, now)
        yield Budget(caller, tuple(one for one in of_caller if one.whose == _OWN))


_OWN = "you"
_EACH_KIND = (Action.UPDATE, Action.DELETE, Action.READ)
"""Actions that use all kinds of limits between them."""


def _left(connection: Connection, policy: Policy, caller: str, now: datetime) -> list[Left]:
    from crm_server.state import ledger

    found: dict[tuple[str, str], Left] = {}
    for action in _EACH_KIND:
        spent: Spent = ledger.spent(connection, policy, caller, action, None, now)
        found |= {(one.name, one.whose): one for one in limits.left(policy, action, spent)}
    return list(found.values())
