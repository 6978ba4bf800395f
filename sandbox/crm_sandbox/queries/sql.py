"""The SQL that queries are compiled to: where rows come from, what a condition is, who asks.

A statement is built from names of the schema and marks for values; no text of a request becomes SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_sandbox.errors import unknown_property
from crm_sandbox.schema.model import Column, ManyToOne, Schema, Table
from crm_sandbox.store import folded, quoted


def _may_read_all(_table: Table) -> None:
    """Refuses no table."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks and when: what functions such as EqualUserId, Today and EqualBusinessId depend on.

    ``require_read`` raises 403 for a table that they may not read; it is asked of each joined table.
    """

    now: datetime
    user_id: str
    business_unit_id: str
    team_ids: tuple[str, ...] = ()
    require_read: Callable[[Table], None] = _may_read_all


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL that is true, false or null for a row, with a mark for each value."""

    sql: str
    values: tuple[Any, ...] = ()

    def negated(self) -> Condition:
        """The opposite; null stays null, as in SQL Server."""
        return Condition(f"(NOT {self.sql})", self.values)


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Conditions joined by AND; none is true."""
    return _joined(list(conditions), " AND ", "1")


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Conditions joined by OR; none is false."""
    return _joined(list(conditions), " OR ", "0")


def _joined(conditions: list[Condition], word: str, empty: str) -> Condition:
    if not conditions:
        return Condition(empty)
    values = tuple(value for condition in conditions for value in condition.values)
    return Condition(f"({word.join(condition.sql for condition in conditions)})", values)


@dataclass(frozen=True, slots=True)
class Operand:
    """A column of a source, as SQL."""

    sql: str
    column: Column
    table: Table

    @property
    def compared(self) -> str:
        """The expression by which its values are compared; see :func:`crm_sandbox.store.folded`."""
        return folded(self.sql, self.column)


@dataclass(frozen=True, slots=True)
class Source:
    """A table in a FROM clause, under an alias."""

    alias: str
    table: Table

    def operand(self, name: str) -> Operand:
        """The column of a logical name.

        Raises:
            ODataError: 400, there is no such column.
        """
        column = self.table.columns.get(name)
        if column is None:
            raise unknown_property(name, self.table.name)
        return Operand(f"{self.alias}.{quoted(name)}", column, self.table)

    def wire_operand(self, name: str) -> Operand:
        """The column that a property of the wire shows: ``_primarycontactid_value`` for a lookup.

        Raises:
            ODataError: 400, there is no such property.
        """
        column = self.table.by_wire.get(name)
        if column is None:
            raise unknown_property(name, self.table.name)
        return Operand(f"{self.alias}.{quoted(column.name)}", column, self.table)

    @property
    def key(self) -> str:
        """The SQL of the primary key."""
        return f"{self.alias}.{quoted(self.table.key)}"


@dataclass
class Aliases:
    """Fresh aliases for one statement."""

    _count: int = 0

    def fresh(self) -> str:
        """An alias that no other table of the statement has."""
        self._count += 1
        return f"j{self._count}"


@dataclass
class From:
    """A FROM clause: one table, and those that lookup paths lead to, each joined once.

    ``asker`` must be allowed to read what is joined; the first table is checked by who answers the request.
    """

    schema: Schema
    root: Source
    asker: Asker
    aliases: Aliases = field(default_factory=Aliases)
    _joins: list[str] = field(default_factory=list)
    _known: dict[tuple[str, str], Source] = field(default_factory=dict)

    @classmethod
    def of(cls, schema: Schema, table: Table, asker: Asker) -> From:
        """The clause of a query on a table, known as ``t``."""
        return cls(schema, Source("t", table), asker)

    @property
    def sql(self) -> str:
        """The clause without the word FROM."""
        return " ".join([f"{quoted(self.root.table.name)} {self.root.alias}", *self._joins])

    def follow(self, source: Source, lookup: ManyToOne) -> Source:
        """The source of the rows that a lookup leads to.

        Raises:
            ODataError: 403, the asker may not read them.
        """
        known = self._known.get((source.alias, lookup.navigation))
        if known is None:
            target = self.schema[lookup.target]
            self.asker.require_read(target)
            known = self._known[source.alias, lookup.navigation] = Source(self.aliases.fresh(), target)
            self._joins.append(
                f"LEFT JOIN {quoted(target.name)} {known.alias} "
                f"ON {known.key} = {source.alias}.{quoted(lookup.column)}"
            )
        return known

    def operand(self, path: tuple[str, ...], source: Source | None = None) -> Operand:
        """The column at a path of the wire such as ``primarycontactid/fullname``.

        Raises:
            ODataError: 400, a name of the path does not exist; 403, the asker may not read a table of it.
        """
        source = source or self.root
        *navigations, name = path
        for navigation in navigations:
            lookup = source.table.lookups.get(navigation)
            if lookup is None:
                raise unknown_property(navigation, source.table.name)
            source = self.follow(source, lookup)
        return source.wire_operand(name)
