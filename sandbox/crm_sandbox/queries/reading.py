"""Reads of rows: selected columns, filters, order, pages, expanded rows.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from crm_sandbox.errors import UNKNOWN_NAME, ODataError, unknown_property
from crm_sandbox.queries.filters import compile_filter
from crm_sandbox.queries.options import Expand, Order, Reading
from crm_sandbox.queries.ordering import Sort, make_token, order_by, read_token, sort_columns, sorts_of
from crm_sandbox.queries.sql import Asker, Condition, From
from crm_sandbox.queries.work import bounded
from crm_sandbox.representing import Annotations, Presenter
from crm_sandbox.schema.base_columns import CURRENCY, VERSION
from crm_sandbox.schema.model import OWNERS, Column, ColumnType, ManyToMany, ManyToOne, Table
from crm_sandbox.store import Row, Store, quoted

LARGEST_PAGE = 5_000
COUNT_LIMIT = 5_000


@dataclass(frozen=True, slots=True)
class Found:
    """Rows as they are answered, and what a page says about the rest.

    ``total`` is None unless it was asked for; it stops at 5,000, and ``exceeded`` says that there are more.
    """

    rows: list[dict[str, Any]]
    next_token: str | None
    total: int | None
    exceeded: bool = False


class RowReader:
    """Reads rows for one request. ``root`` is the address of the API, for links."""

    def __init__(self, store: Store, asker: Asker, annotations: Annotations, root: str) -> None:
        self._store = store
        self._schema = store.schema
        self._asker = asker
        self._root = root
        self.presenter = Presenter(store, annotations)
        self._page_of_related: int | None = None

    def page(
        self, table: Table, reading: Reading, page_size: int | None, within: Condition | None = None
    ) -> Found:
        """A page of the rows of a table, or of those ``within`` a condition on ``t``."""
        self._check_expansions(table, reading, 0)
        start = From.of(self._schema, table, self._asker)
        where = [within] if within is not None else []
        if reading.filter is not None:
            where.append(compile_filter(reading.filter, start))
        sorts = sorts_of(reading.orderby, start)
        total = self._total(start, where) if reading.count else None
        number = 1
        if reading.skiptoken is not None:
            behind, number = read_token(reading.skiptoken, sorts)
            where.append(behind)
        # With a page size, $top is ignored: the page says whether there is more.
        limit = min(page_size or reading.top or LARGEST_PAGE, LARGEST_PAGE)
        columns = selected(table, reading.select)
        found = self._select(start, where, sorts, self._needed(table, columns, reading), limit + 1)
        more = len(found) > limit and (page_size is not None or reading.top is None)
        rows = found[:limit]
        token = make_token(rows[-1], sorts, number + 1) if more else None
        # https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/join-tables
        self._page_of_related = page_size if _is_nested(reading) else None
        answered = [self._answer(table, row, columns, reading, 0) for row in rows]
        exceeded = total is not None and total > COUNT_LIMIT
        return Found(answered, token, None if total is None else min(total, COUNT_LIMIT), exceeded)

    def count(self, table: Table, reading: Reading, within: Condition | None = None) -> int:
        """How many rows there are, 5,000 at most."""
        start = From.of(self._schema, table, self._asker)
        where = [within] if within is not None else []
        if reading.filter is not None:
            where.append(compile_filter(reading.filter, start))
        return min(self._total(start, where), COUNT_LIMIT)

    def keys(self, table: Table, reading: Reading, within: Condition | None) -> list[str]:
        """The keys of rows in order, for links."""
        start = From.of(self._schema, table, self._asker)
        where = [within] if within is not None else []
        if reading.filter is not None:
            where.append(compile_filter(reading.filter, start))
        rows = self._select(start, where, sorts_of(reading.orderby, start), [table.key], LARGEST_PAGE)
        return [row[table.key] for row in rows]

    def one(self, table: Table, row: Row, reading: Reading) -> dict[str, Any]:
        """One row as it is answered; ``row`` holds every column."""
        self._check_expansions(table, reading, 0)
        return self._answer(table, row, selected(table, reading.select), reading, 0)

    def _check_expansions(self, table: Table, reading: Reading, depth: int) -> None:
        """Check the expansions of a query and the right to read what they reach, whatever rows there are."""
        for expand in reading.expand:
            lookup = table.lookups.get(expand.name)
            is_reference = expand.reading.select == ("$ref",)
            if is_reference and lookup is None:
                raise _not_in_expand("Expand with $ref is only supported on lookup type navigation property.")
            sorted_or_cut = bool(expand.reading.orderby) or expand.reading.top is not None
            if sorted_or_cut and (lookup or depth or _is_nested(reading)):
                raise _not_in_expand(_ONLY_SELECT_AND_FILTER)
            if lookup and expand.reading.count:
                raise _not_in_expand(_ONLY_SELECT_AND_FILTER)
            if is_reference:
                continue  # it shows no more of the other row than the lookup itself does
            target = self._schema[lookup.target] if lookup else self.collection(table, expand.name, "")[0]
            self._asker.require_read(target)
            self._check_expansions(target, expand.reading, depth + 1)

    def _total(self, start: From, where: list[Condition]) -> int:
        body, values = _body(start, where)
        sql = f"SELECT COUNT(*) AS total FROM (SELECT 1 {body} LIMIT ?)"  # noqa: S608 - names of the schema
        with bounded(self._store.connection):
            counted = self._store.rows(sql, [*values, COUNT_LIMIT + 1])
        return int(counted[0]["total"])

    def _select(
        self, start: From, where: list[Condition], sorts: list[Sort], columns: Iterable[str], limit: int
    ) -> list[Row]:
        names = ", ".join(f"{start.root.alias}.{quoted(name)}" for name in columns)
        keys = sort_columns(sorts)
        body, values = _body(start, where)
        sql = f"SELECT {names}, {keys} {body} {order_by(sorts)} LIMIT ?"
        with bounded(self._store.connection):
            return self._store.rows(sql, [*values, limit])

    def _needed(self, table: Table, columns: Iterable[Column], reading: Reading) -> list[str]:
        """The SQL columns that an answer is made from."""
        names = {table.key, VERSION}
        if CURRENCY in table.columns:
            names.add(CURRENCY)
        lookups = [
            table.columns[table.lookups[expand.name].column]
            for expand in reading.expand
            if expand.name in table.lookups
        ]
        for column in (*columns, *lookups):
            names.add(column.name)
            if column.is_polymorphic:
                names.add(column.type_column)
        return sorted(names)

    def _answer(
        self, table: Table, row: Row, columns: Iterable[Column], reading: Reading, depth: int
    ) -> dict[str, Any]:
        answered = self.presenter.row(table, row, columns)
        if table.name in OWNERS:
            answered["ownerid"] = row[table.key]
        for expand in reading.expand:
            related, token = self._related(table, row, expand, depth)
            lookup = table.lookups.get(expand.name)
            if lookup is not None and expand.reading.select == ("$ref",):
                answered[table.columns[lookup.column].wire] = row[lookup.column]
            answered[expand.name] = related
            if isinstance(related, list):
                address = f"{self._root}{table.entity_set}({row[table.key]})/{expand.name}"
                behind = f"&$skiptoken={quote(token)}" if token is not None else ""
                answered[f"{expand.name}@odata.nextLink"] = f"{address}?{expand.text}{behind}"
        return answered

    def _related(self, table: Table, row: Row, expand: Expand, depth: int) -> tuple[Any, str | None]:
        """The related row or rows, and what leads to more of them."""
        lookup = table.lookups.get(expand.name)
        if lookup is not None:
            return self._single(table, row, lookup, expand, depth), None
        target, within = self.collection(table, expand.name, row[table.key])
        reading = expand.reading
        start = From.of(self._schema, target, self._asker)
        where = [within]
        if reading.filter is not None:
            where.append(compile_filter(reading.filter, start))
        columns = selected(target, reading.select)
        limit = min(self._page_of_related or reading.top or LARGEST_PAGE, LARGEST_PAGE)
        needed = self._needed(target, columns, reading)
        sorts = sorts_of(reading.orderby, start)
        found = self._select(start, where, sorts, needed, limit + 1)
        rows = [self._answer(target, child, columns, reading, depth + 1) for child in found[:limit]]
        cut = len(found) > limit and self._page_of_related is not None
        return rows, make_token(found[limit - 1], sorts, 2) if cut else None

    def _single(self, table: Table, row: Row, lookup: ManyToOne, expand: Expand, depth: int) -> Any:
        reading = expand.reading
        target = self._schema[lookup.target]
        column = table.columns[lookup.column]
        columns = selected(target, reading.select)
        key = row[column.name]
        if key is None or (column.is_polymorphic and row[column.type_column] != target.name):
            return None
        if reading.select == ("$ref",):
            return {"@odata.id": f"{self._root}{target.entity_set}({key})"}
        start = From.of(self._schema, target, self._asker)
        where = [Condition(f"{start.root.key} = ?", (key,))]
        if reading.filter is not None:
            where.append(compile_filter(reading.filter, start))
        found = self._select(start, where, sorts_of((), start), self._needed(target, columns, reading), 1)
        return self._answer(target, found[0], columns, reading, depth + 1) if found else None

    def collection(self, table: Table, name: str, key: str) -> tuple[Table, Condition]:
        """The table of a collection-valued navigation property, and the condition on its rows ``t``.

        Raises:
            ODataError: 400, there is no such property.
        """
        lookup = self._schema.incoming(table).get(name)
        if lookup is not None:
            return self._schema[lookup.table], _refers(lookup, key)
        many = table.many_to_many.get(name)
        if many is None:
            raise unknown_property(name, table.name)
        return self._schema[many.other], _linked(many, self._schema[many.other], key)


def _refers(lookup: ManyToOne, key: str) -> Condition:
    return Condition(f"(t.{quoted(lookup.column)} = ?)", (key,))


def _linked(many: ManyToMany, other: Table, key: str) -> Condition:
    through = (
        f"SELECT {quoted(many.other_column)} FROM {quoted(many.intersect)} WHERE {quoted(many.column)} = ?"  # noqa: S608 - names of the schema
    )
    return Condition(f"(t.{quoted(other.key)} IN ({through}))", (key,))


def selected(table: Table, names: tuple[str, ...]) -> tuple[Column, ...]:
    """The columns that ``$select`` names, with the primary key; every column when it names none.

    Raises:
        ODataError: 400, a name does not exist.
    """
    if not names or names == ("*",):
        return tuple(table.columns.values())
    if names == ("$ref",):
        return (table.columns[table.key],)
    columns = [*_named(table, names), table.columns[table.key]]
    if CURRENCY in table.columns and any(column.type is ColumnType.MONEY for column in columns):
        # An amount comes with its currency.
        columns.append(table.columns[CURRENCY])
    return tuple(dict.fromkeys(columns))


def _named(table: Table, names: Iterable[str]) -> Iterator[Column]:
    for name in names:
        column = table.by_wire.get(name)
        if column is None:
            raise unknown_property(name, table.name)
        yield column


_ONLY_SELECT_AND_FILTER = (
    "Only $select and $filter clause can be provided while doing $expand on many-to-one relationship or "
    "nested one-to-many relationship."
)


def _is_nested(reading: Reading) -> bool:
    """Whether an expansion has an expansion of its own."""
    return any(expand.reading.expand for expand in reading.expand)


def _not_in_expand(message: str) -> ODataError:
    return ODataError(400, UNKNOWN_NAME, message)


def _body(start: From, where: list[Condition]) -> tuple[str, list[Any]]:
    condition = f" WHERE {' AND '.join(part.sql for part in where)}" if where else ""
    return f"FROM {start.sql}{condition}", [value for part in where for value in part.values]


__all__ = ["COUNT_LIMIT", "LARGEST_PAGE", "Found", "Order", "RowReader", "selected"]
