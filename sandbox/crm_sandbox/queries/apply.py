"""``$apply``: rows grouped and aggregated.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/aggregate-data
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crm_sandbox.errors import UNKNOWN_NAME, ODataError
from crm_sandbox.queries.aggregates import (
    MOST_ROWS,
    Aggregate,
    aggregate_sql,
    check_joins,
    too_many_rows,
)
from crm_sandbox.queries.filters import compile_filter
from crm_sandbox.queries.lexing import malformed, tokens
from crm_sandbox.queries.options import Order
from crm_sandbox.queries.ordering import sort_key
from crm_sandbox.queries.parsing import FilterParser, Reader
from crm_sandbox.queries.sql import Asker, Condition, From, all_of
from crm_sandbox.queries.syntax import Node, Path
from crm_sandbox.queries.work import bounded
from crm_sandbox.schema.model import TEXT_TYPES, TIME_TYPES, Column, Schema, Table
from crm_sandbox.store import Store, quoted

_OPTION = "$apply"
_MOST_PROPERTIES = 100
_LONGEST_ALIAS = 128


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the answer: the value at ``position`` of a result row, under ``name``.

    ``column`` is what the value is formatted as, None where it is a plain number such as a count;
    ``table`` is the table of the column. ``type_position`` is where the table of a polymorphic lookup's
    row is found. A property whose value is null is left out of the answer.
    """

    name: str
    column: Column | None
    table: Table
    position: int
    type_position: int | None = None


@dataclass(frozen=True, slots=True)
class Aggregation:
    """A compiled ``$apply``. ``count_sql`` counts its input rows, but not much further than the limit."""

    sql: str
    values: tuple[Any, ...]
    count_sql: str
    count_values: tuple[Any, ...]
    properties: tuple[Property, ...]

    def rows(self, store: Store) -> list[tuple[Any, ...]]:
        """The result rows; :attr:`properties` say what stands where.

        Raises:
            ODataError: 400 0x8004e023, there are more than 50,000 rows to aggregate; 400, it takes too long.
        """
        with bounded(store.connection):
            ((count,),) = store.connection.execute(self.count_sql, self.count_values).fetchall()
            if count > MOST_ROWS:
                raise too_many_rows()
            return store.connection.execute(self.sql, self.values).fetchall()


def compile_apply(
    text: str,
    table: Table,
    schema: Schema,
    asker: Asker,
    *,
    orderby: Iterable[Order] = (),
    aliases: Mapping[str, str] | None = None,
) -> Aggregation:
    """The SQL of an ``$apply`` on the rows of a table; ``aliases`` are the values of parameter aliases.

    Raises:
        ODataError: 400, it is malformed, names what does not exist, or is not in the subset that is
            documented: ``filter`` transformations and then one ``groupby`` or ``aggregate``; 403, who asks
            may not read a table that it reaches.
    """
    reader = Reader(tokens(text, aliases or {}, _OPTION), _OPTION)
    parsed = _Parser(reader).transformations()
    start = From.of(schema, table, asker)
    where = all_of(compile_filter(node, start) for node in parsed.filters)
    compiled = _Compiler(start)
    for path in parsed.groups:
        compiled.group(path)
    for item in parsed.aggregates:
        compiled.aggregate(item)
    order = [compiled.order(item, parsed) for item in orderby]
    check_joins(start.sql, where.sql)
    return compiled.statement(where, order)


@dataclass(frozen=True, slots=True)
class _AggregateItem:
    """``path with function as alias``; no path counts rows."""

    path: Path | None
    function: Aggregate
    alias: str


@dataclass(slots=True)
class _Transformations:
    """What the sequence of transformations says."""

    filters: list[Node] = field(default_factory=list)
    groups: list[Path] = field(default_factory=list)
    aggregates: list[_AggregateItem] = field(default_factory=list)


class _Parser:
    """Reads transformations joined by slashes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._found = _Transformations()

    def transformations(self) -> _Transformations:
        if self._reader.at_end:
            raise malformed("it is empty", _OPTION)
        while not self._transformation():
            if not self._reader.takes("/"):
                raise malformed("a groupby or aggregate is expected after filter", _OPTION)
        self._reader.expect_end()
        return self._found

    def _transformation(self) -> bool:
        """Read one; says whether nothing may follow it."""
        name = self._reader.name()
        self._reader.expect("(")
        match name:
            case "filter":
                self._found.filters.append(FilterParser(self._reader).condition())
            case "groupby":
                self._groupby()
            case "aggregate":
                self._aggregates()
            case _:
                raise malformed(f"the transformation '{name}' is not supported", _OPTION)
        self._reader.expect(")")
        return name != "filter"

    def _groupby(self) -> None:
        self._reader.expect("(")
        self._found.groups.append(self._reader.path())
        while self._reader.takes(","):
            self._found.groups.append(self._reader.path())
        self._reader.expect(")")
        if self._reader.takes(","):
            self._reader.expect("aggregate")
            self._reader.expect("(")
            self._aggregates()
            self._reader.expect(")")

    def _aggregates(self) -> None:
        self._found.aggregates.append(self._aggregate())
        while self._reader.takes(","):
            self._found.aggregates.append(self._aggregate())

    def _aggregate(self) -> _AggregateItem:
        if self._reader.takes("$"):
            self._reader.expect("count")
            return _AggregateItem(None, Aggregate.COUNT, self._alias())
        path = self._reader.path()
        self._reader.expect("with")
        name = self._reader.name()
        if name == Aggregate.COUNT or name not in set(Aggregate):
            raise malformed(f"the aggregate '{name}' is not supported", _OPTION)
        return _AggregateItem(path, Aggregate(name), self._alias())

    def _alias(self) -> str:
        self._reader.expect("as")
        alias = self._reader.name()
        if not re.fullmatch(rf"\w{{1,{_LONGEST_ALIAS}}}", alias, re.ASCII):
            raise malformed(f"'{alias[:_LONGEST_ALIAS]}' is no alias", _OPTION)
        return alias


class _Compiler:
    """Collects result columns, what they are grouped by, and the properties that they become."""

    def __init__(self, start: From) -> None:
        self._start = start
        self._selected: list[str] = []
        self._groups: list[str] = []
        self._properties: list[Property] = []

    def group(self, path: Path) -> None:
        """Group by a column. A column of another table is answered as ``contact_fullname``."""
        operand = self._start.operand(path)
        column = operand.column
        if column.type in TIME_TYPES:
            raise ODataError(
                400, UNKNOWN_NAME, f"groupby with datetime values is not supported: '{column.name}'."
            )
        name = column.wire if len(path) == 1 else f"{operand.table.name}_{column.name}"
        # Texts that differ in case only are one group, which shows one of them.
        text = column.type in TEXT_TYPES
        position = self._add(f"min({operand.sql})" if text else operand.sql)
        self._groups.append(operand.compared)
        type_position = None
        if column.is_polymorphic:
            alias = operand.sql.partition(".")[0]
            type_position = self._add(f"min({alias}.{quoted(column.type_column)})")
        self._name(Property(name, column, operand.table, position, type_position))

    def aggregate(self, item: _AggregateItem) -> None:
        """Add an aggregate."""
        table = self._start.root.table
        if item.path is None:
            self._name(Property(item.alias, None, table, self._add("count(*)")))
            return
        operand = self._start.operand(item.path)
        position = self._add(aggregate_sql(item.function, operand))
        counted = item.function is Aggregate.COUNT_DISTINCT
        self._name(Property(item.alias, None if counted else operand.column, operand.table, position))

    def order(self, order: Order, parsed: _Transformations) -> str:
        """A sort key: only what is grouped by can be one."""
        if order.path not in parsed.groups:
            # The documented answer to an aggregate in $orderby.
            raise ODataError(
                400, UNKNOWN_NAME, "The query node SingleValueOpenPropertyAccess is not supported."
            )
        key = sort_key(self._start.operand(order.path), self._start.schema)
        return f"{key} {'DESC' if order.descending else 'ASC'}"

    def statement(self, where: Condition, order: list[str]) -> Aggregation:
        """The statement of all that was added."""
        body = f"FROM {self._start.sql} WHERE {where.sql}"
        groups = f" GROUP BY {', '.join(self._groups)}" if self._groups else ""
        # Groups come in the order of their values, so that the same request has the same answer.
        sorts = [*order, *self._groups]
        ordered = f" ORDER BY {', '.join(sorts)}" if self._groups else ""
        return Aggregation(
            sql=f"SELECT {', '.join(self._selected)} {body}{groups}{ordered}",
            values=where.values,
            count_sql=f"SELECT count(*) FROM (SELECT 1 {body} LIMIT {MOST_ROWS + 1})",  # noqa: S608 - names of the schema
            count_values=where.values,
            properties=tuple(self._properties),
        )

    def _add(self, sql: str) -> int:
        self._selected.append(sql)
        return len(self._selected) - 1

    def _name(self, added: Property) -> None:
        if any(known.name == added.name for known in self._properties):
            raise malformed(f"the name '{added.name}' is used twice", _OPTION)
        if len(self._properties) >= _MOST_PROPERTIES:
            raise malformed("it has too many parts", _OPTION)
        self._properties.append(added)
