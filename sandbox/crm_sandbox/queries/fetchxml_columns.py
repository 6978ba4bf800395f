"""What a fetch answers: columns, aggregates, groups.

https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/select-columns
https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/aggregate-data
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from xml.etree.ElementTree import Element

from crm_sandbox.queries.fetchxml_reading import (
    INVALID_AGGREGATE,
    INVALID_ALIAS,
    NO_ALIAS,
    NOT_AGGREGATED,
    alias_of,
    flag,
    refused,
    required,
)
from crm_sandbox.queries.fetchxml_sources import Shown, operand_of
from crm_sandbox.queries.operators_people import hierarchy_of
from crm_sandbox.queries.sql import Operand, Source
from crm_sandbox.schema.base_columns import CURRENCY, VERSION
from crm_sandbox.schema.model import NUMBER_TYPES, TIME_TYPES, WHOLE_NUMBER_TYPES, Column, ColumnType, Table
from crm_sandbox.store import quoted


class DateGrouping(StrEnum):
    """The part of a date by which rows are grouped."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    FISCAL_PERIOD = "fiscal-period"
    FISCAL_YEAR = "fiscal-year"


@dataclass(frozen=True, slots=True)
class FetchColumn:
    """One property of the answer.

    Attributes:
        name: The property's name.
        column: The column that the value is one of; None for a number that no column has, such as a count.
        table: The table of that column.
        place: Where the value stands in a row of the result.
        type_place: Where the table stands that a polymorphic lookup's value is a row of.
        currency_place: Where the key of the currency stands in which an amount is.
        is_aliased: Whether the name is not the column's own, so that annotations say which column it is.
        is_aggregate: Whether the value is computed from several rows.
        grouping: The part of a date that the value is.
    """

    name: str
    column: Column | None
    table: Table | None
    place: int
    type_place: int | None = None
    currency_place: int | None = None
    is_aliased: bool = False
    is_aggregate: bool = False
    grouping: DateGrouping | None = None


def formatted_group(grouping: DateGrouping, value: int) -> str:
    """A part of a date as a person reads it: ``Quarter 1 FY2023``.

    https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/aggregate-data#grouping-by-parts-of-a-date
    """
    if grouping is DateGrouping.FISCAL_PERIOD:
        year, period = divmod(value, 100)
        return f"Quarter {period} FY{year}"
    if grouping is DateGrouping.FISCAL_YEAR:
        return f"FY{value}"
    return f"{value:,}"


@dataclass(frozen=True, slots=True)
class Result:
    """One expression of the SELECT clause. ``compared`` is how its values are told apart."""

    sql: str
    compared: str


class Selection:
    """The SELECT clause under construction, with the properties that are made from it."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.columns: list[FetchColumn] = []
        self.groups: list[str] = []
        self.aliases: dict[str, tuple[FetchColumn, str]] = {}
        self.version_place: int | None = None
        self._places: dict[str, int] = {}

    @property
    def sql(self) -> str:
        """The expressions, without the word SELECT."""
        return ", ".join(result.sql for result in self.results)

    def put(self, sql: str, compared: str | None = None) -> int:
        """Have an expression in the result, once, and say where it stands."""
        if sql not in self._places:
            self._places[sql] = len(self.results)
            self.results.append(Result(sql, compared or sql))
        return self._places[sql]

    def add(self, column: FetchColumn) -> None:
        """Answer a property.

        Raises:
            ODataError: 400, another property has its name.
        """
        if column in self.columns:
            return
        if any(column.name == other.name for other in self.columns):
            raise refused(f"The alias '{column.name}' is used more than once.", INVALID_ALIAS)
        self.columns.append(column)


def select_columns(tables: Iterable[Shown], *, distinct: bool) -> Selection:
    """The columns that the elements name, with the primary key and what the answer's annotations need.

    Raises:
        ODataError: 400, an attribute does not exist, or two properties have one name.
    """
    selection = Selection()
    for shown in tables:
        is_root = shown.prefix is None
        for element in shown.element.findall("attribute"):
            _add_attribute(selection, shown, element)
        for column in _of_all(shown):
            _add_column(selection, shown, column.name, None)
        if is_root and not distinct:
            _add_key(selection, shown)
    return selection


def _of_all(shown: Shown) -> Iterable[Column]:
    """Every column, where the element asks for all; a link without attributes answers none."""
    element = shown.element
    unasked = shown.prefix is None and element.find("attribute") is None and element.find("no-attrs") is None
    if element.find("all-attributes") is not None or unasked:
        return shown.source.table.columns.values()
    return ()


def _add_key(selection: Selection, root: Shown) -> None:
    _add_column(selection, root, root.source.table.key, None)
    if VERSION in root.source.table.columns:
        selection.version_place = selection.put(root.source.operand(VERSION).sql)
    if any(
        column.currency_place is not None and column.table == root.source.table
        for column in selection.columns
    ):
        # An amount brings its currency: /fetchxml/page-results shows _transactioncurrencyid_value unasked.
        _add_column(selection, root, CURRENCY, None)


def _add_attribute(selection: Selection, shown: Shown, element: Element) -> None:
    if element.get("aggregate") is not None or flag(element, "groupby"):
        raise refused(
            "An attribute with aggregate or groupby needs a fetch with aggregate='true'.", INVALID_AGGREGATE
        )
    name, alias = required(element, "name"), alias_of(element)
    if element.get("rowaggregate") is not None:
        _add_children(selection, shown, element)
    else:
        _add_column(selection, shown, name, alias)


def _add_column(selection: Selection, shown: Shown, name: str, alias: str | None) -> None:
    operand = operand_of(shown.source, name)
    column = operand.column
    selection.add(
        FetchColumn(
            name=alias or shown.name_of(column),
            column=column,
            table=operand.table,
            place=selection.put(operand.sql, operand.compared),
            type_place=_type_place(selection, shown.source, column),
            currency_place=_currency_place(selection, shown.source, column),
            is_aliased=alias is not None or shown.prefix is not None,
        )
    )


def _type_place(selection: Selection, source: Source, column: Column) -> int | None:
    if not column.is_polymorphic:
        return None
    return selection.put(f"{source.alias}.{quoted(column.type_column)}")


def _currency_place(selection: Selection, source: Source, column: Column) -> int | None:
    if column.type is not ColumnType.MONEY or CURRENCY not in source.table.columns:
        return None
    return selection.put(source.operand(CURRENCY).sql)


def _add_children(selection: Selection, shown: Shown, element: Element) -> None:
    """How many rows have the row as their parent.

    https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/aggregate-data#row-aggregate
    """
    table, name, alias = shown.source.table, required(element, "name"), alias_of(element)
    parent = hierarchy_of(table)
    if str(element.get("rowaggregate")).lower() != "countchildren" or parent is None or name != table.key:
        raise refused("rowaggregate takes CountChildren, on the primary key of a table with a hierarchy.")
    if alias is None:
        raise refused("Alias is required for an attribute with rowaggregate.", NO_ALIAS)
    sql = (
        f"(SELECT COUNT(*) FROM {quoted(table.name)} child "  # noqa: S608 - names of the schema
        f"WHERE child.{quoted(parent.name)} = {shown.source.key})"
    )
    selection.add(FetchColumn(alias, None, None, selection.put(sql), is_aggregate=True))


def select_aggregates(tables: Iterable[Shown]) -> Selection:
    """The aggregates and groups that the elements name.

    Raises:
        ODataError: 400, an attribute does not exist, has no alias, is neither aggregated nor grouped by, or
            is of a type that the aggregate does not take.
    """
    selection = Selection()
    for shown in tables:
        if shown.element.find("all-attributes") is not None:
            raise _neither()
        for element in shown.element.findall("attribute"):
            _add_aggregate(selection, shown, element)
    if not selection.columns:
        raise _neither()
    return selection


def _neither() -> Exception:
    return refused("Attribute can not be specified if an aggregate operation is requested.", NOT_AGGREGATED)


def _add_aggregate(selection: Selection, shown: Shown, element: Element) -> None:
    operand = operand_of(shown.source, required(element, "name"))
    alias = alias_of(element)
    if alias is None:
        raise refused(f"Alias is required for the attribute '{operand.column.name}'.", NO_ALIAS)
    if element.get("aggregate") is not None:
        sql, column = _aggregate(operand, element)
        table = None if column is None else operand.table
        # Two aliases may stand for one expression.
        result = FetchColumn(alias, column, table, selection.put(sql), is_aliased=True, is_aggregate=True)
    elif flag(element, "groupby"):
        result, sql = _group(selection, shown, operand, alias, element.get("dategrouping"))
    else:
        raise _neither()
    selection.add(result)
    selection.aliases[alias] = result, sql


def _aggregate(operand: Operand, element: Element) -> tuple[str, Column | None]:
    """The SQL of an aggregate, and the column that its value is one of.

    Null does not count, except in "count", the number of rows. The average of whole numbers is one.
    """
    function, column, distinct = str(element.get("aggregate")), operand.column, flag(element, "distinct")
    if function == "count":
        return "COUNT(*)", None
    if function == "countcolumn":
        return f"COUNT({'DISTINCT ' if distinct else ''}{operand.compared})", None
    accepted = {"sum": NUMBER_TYPES, "avg": NUMBER_TYPES, "min": _ORDERED, "max": _ORDERED}.get(function)
    if accepted is None:
        raise refused(f"Invalid aggregate specified: '{function[:80]}'.", INVALID_AGGREGATE)
    if column.type not in accepted:
        raise refused(
            f"The aggregate '{function}' does not take '{column.name}', which is of type {column.type}."
        )
    if function == "sum":
        return f"COALESCE(SUM({operand.sql}), 0)", column
    if function == "avg" and column.type in WHOLE_NUMBER_TYPES:
        return f"CAST(AVG({operand.sql}) AS INTEGER)", column
    return f"{function.upper()}({operand.sql})", column


_ORDERED = NUMBER_TYPES | TIME_TYPES


def _group(
    selection: Selection, shown: Shown, operand: Operand, alias: str, dategrouping: str | None
) -> tuple[FetchColumn, str]:
    if dategrouping is not None:
        sql, grouping = _part_of_date(operand, dategrouping)
        selection.groups.append(sql)
        return FetchColumn(alias, None, None, selection.put(sql), is_aliased=True, grouping=grouping), sql
    selection.groups.append(operand.compared)
    # Rows of a group may write a text in different cases: one of them stands for all.
    sql = operand.sql if operand.compared == operand.sql else f"MIN({operand.sql})"
    type_place = None
    if operand.column.is_polymorphic:
        type_place = selection.put(f"MIN({shown.source.alias}.{quoted(operand.column.type_column)})")
    place = selection.put(sql)
    return FetchColumn(alias, operand.column, operand.table, place, type_place, is_aliased=True), sql


def _part_of_date(operand: Operand, name: str) -> tuple[str, DateGrouping]:
    """A part of a date as a whole number, in UTC; weeks begin on Sunday and the first has New Year's Day."""
    if operand.column.type not in TIME_TYPES:
        raise refused(
            f"dategrouping does not take '{operand.column.name}', which is of type {operand.column.type}."
        )
    try:
        grouping = DateGrouping(name)
    except ValueError:
        raise refused(f"Invalid dategrouping specified: '{name[:80]}'.") from None
    date = operand.sql
    year, month, day = (f"CAST(substr({date}, {start}, {length}) AS INTEGER)" for start, length in _PARTS)
    quarter = f"(({month} + 2) / 3)"
    first_weekday = f"CAST(strftime('%w', {date}, 'start of year') AS INTEGER)"
    week = f"((CAST(strftime('%j', {date}) AS INTEGER) - 1 + {first_weekday}) / 7 + 1)"
    return {
        DateGrouping.DAY: day,
        DateGrouping.WEEK: week,
        DateGrouping.MONTH: month,
        DateGrouping.QUARTER: quarter,
        DateGrouping.YEAR: year,
        DateGrouping.FISCAL_PERIOD: f"({year} * 100 + {quarter})",
        DateGrouping.FISCAL_YEAR: year,
    }[grouping], grouping


_PARTS = ((1, 4), (6, 2), (9, 2))
