"""What a handler can ask of the CRM, as values; :mod:`crm_tools.port` is what it asks.

An operation says what is wanted, never how: no HTTP, no policy. ``accesses()`` breaks it into the parts
that a policy judges one by one: the table itself, each expanded table, each related column that a filter
or a sort order names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crm_tools.actions import READING, STATE_ACTIONS, Action
from crm_tools.changes import Change

__all__ = ["READING", "STATE_ACTIONS", "Action"]

Row = Mapping[str, Any]
"""A row as the Web API sends it: columns, annotations (``name@OData...``) and ``@odata.etag``."""


THROUGH_FILTER = "filter"


@dataclass(frozen=True, slots=True)
class Access:
    """One thing a policy decides on: an action on one table, with the columns it touches.

    ``reads`` are columns that are returned, filtered or sorted by; ``used`` are those of them that decide
    which rows come and in which order, so that a masked value would show all the same. ``writes`` are columns
    that are set, and ``values`` what they are set to (a lookup to the key of its row). All use wire names
    (``_parentaccountid_value`` for lookups). ``rows`` is the most rows it returns. ``via`` is the expansion
    that reads the table, or :data:`THROUGH_FILTER` where a filter or an order reaches it.
    """

    action: Action
    table: str
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    rows: int = 0
    used: frozenset[str] = frozenset()
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)
    via: str = ""


@dataclass(frozen=True, slots=True)
class OrderBy:
    """One sort key: a column, or a path through lookups such as ``primarycontactid/fullname``."""

    path: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Expansion:
    """Related rows to bring along: ``many`` for a one-to-many relationship.

    ``lookup`` is the column that makes the relation: of the row itself, or of the related rows when ``many``.
    """

    name: str
    table: str
    select: tuple[str, ...]
    lookup: str
    many: bool
    filter: str | None = None
    """What the related rows are narrowed to, as :attr:`Query.filter`."""


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of a table.

    ``filter`` is an OData expression that has been parsed and written anew; ``named`` holds, for each table,
    the columns that the filter and the order name (the table itself and those reached by lookup paths).
    ``select`` holds wire names. ``top`` is the page size. A query made from ``cursor`` alone takes all else
    from it.
    """

    table: str
    select: tuple[str, ...] = ()
    filter: str | None = None
    orderby: tuple[OrderBy, ...] = ()
    expand: tuple[Expansion, ...] = ()
    named: Mapping[str, frozenset[str]] = field(default_factory=dict)
    top: int = 20
    count: bool = False

    def accesses(self) -> tuple[Access, ...]:
        """The reads a policy has to allow."""
        own = frozenset(self.select) | self.named.get(self.table, frozenset()) | _followed(self.expand)
        used = self.named.get(self.table, frozenset())
        related = [
            Access(Action.READ, table, reads=columns, used=columns, via=THROUGH_FILTER)
            for table, columns in self.named.items()
            if table != self.table
        ]
        first = Access(Action.READ, self.table, reads=own, rows=self.top, used=used)
        return (first, *related, *_expanded(self.expand))


@dataclass(frozen=True, slots=True)
class Fetch:
    """One row by its key."""

    table: str
    key: str
    select: tuple[str, ...] = ()
    expand: tuple[Expansion, ...] = ()

    def accesses(self) -> tuple[Access, ...]:
        """The reads a policy has to allow."""
        own = frozenset(self.select) | _followed(self.expand)
        return (Access(Action.READ, self.table, reads=own, rows=1), *_expanded(self.expand))


@dataclass(frozen=True, slots=True)
class Binding:
    """A lookup to set: row ``key`` of ``table`` through navigation property ``navigation``."""

    navigation: str
    column: str
    table: str
    key: str | None
    """None clears the lookup."""


@dataclass(frozen=True, slots=True)
class Create:
    """A new row. ``key`` is a GUID made here, so that a create whose answer was lost is recognised."""

    table: str
    key: str
    values: Mapping[str, Any]
    bindings: tuple[Binding, ...] = ()
    returning: tuple[str, ...] = ()

    def accesses(self) -> tuple[Access, ...]:
        """The write a policy has to allow. What is returned is narrowed, not decided."""
        return (_write(Action.CREATE, self.table, self.values, self.bindings),)


@dataclass(frozen=True, slots=True)
class Update:
    """Changes to a row that exists. ``etag`` refuses to overwrite someone else's change.

    ``state`` is the state that they take the row to, when they do. ``acts_as`` is what the change is to a
    policy where it is more than an update: an assignment, a link, or an opportunity that is opened again.
    """

    table: str
    key: str
    values: Mapping[str, Any]
    bindings: tuple[Binding, ...] = ()
    etag: str | None = None
    returning: tuple[str, ...] = ()
    state: int | None = None
    acts_as: Action | None = None

    def accesses(self) -> tuple[Access, ...]:
        """The writes a policy has to allow. What is returned is narrowed, not decided."""
        if self.acts_as is not None:
            return (_write(self.acts_as, self.table, self.values, self.bindings),)
        change = _write(Action.UPDATE, self.table, self.values, self.bindings)
        action = STATE_ACTIONS.get((self.table, self.state))
        return (change,) if action is None else (change, replace(change, action=action))


@dataclass(frozen=True, slots=True)
class Delete:
    """A row to delete."""

    table: str
    key: str
    etag: str | None = None

    def accesses(self) -> tuple[Access, ...]:
        """The delete a policy has to allow."""
        return (Access(Action.DELETE, self.table),)


Operation = Query | Fetch | Create | Update | Delete
Write = Create | Update | Delete


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a query. ``more`` is true only if there is more; ``cursor`` then leads to it.

    ``total`` is the number of matching rows when it was asked for; ``total_is_floor`` says that counting
    stopped at the service's limit of 5,000.
    """

    query: Query
    rows: tuple[Row, ...]
    cursor: str | None = None
    total: int | None = None
    total_is_floor: bool = False

    @property
    def more(self) -> bool:
        """Whether more rows match than have been returned."""
        return self.cursor is not None


@dataclass(frozen=True, slots=True)
class Preview:
    """The request that a write would send, shown instead of being sent.

    ``changes`` says what would change, a line each, with the values before and after.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None
    changes: tuple[str, ...]
    needs_approval: bool


@dataclass(frozen=True, slots=True)
class Undone:
    """A change that was taken back.

    ``result`` is the record as it is now (None where it is gone), or a preview. ``not_restored`` says in
    sentences what could not be brought back.
    """

    change: Change
    result: Row | Preview | None
    not_restored: tuple[str, ...] = ()


def _followed(expansions: tuple[Expansion, ...]) -> frozenset[str]:
    return frozenset(item.lookup for item in expansions if not item.many)


def _expanded(expansions: tuple[Expansion, ...]) -> tuple[Access, ...]:
    return tuple(
        Access(
            Action.READ,
            item.table,
            reads=frozenset(item.select) | ({item.lookup} if item.many else set()),
            via=item.name,
        )
        for item in expansions
    )


def _write(action: Action, table: str, values: Mapping[str, Any], bindings: tuple[Binding, ...]) -> Access:
    written = {**values, **{binding.column: binding.key for binding in bindings}}
    return Access(action, table, writes=frozenset(written), values=written)
