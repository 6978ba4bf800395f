"""Turns rows from the wire into answers: labels beside codes, names beside ids, nothing that is empty.

A record has the row's id under its key column's name, its values by column name, choices as labels, lookups
as ``{"id", "name", "table"}`` under the lookup's own name, and ``etag``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_tools.choices import choice_label
from crm_tools.operations import Expansion, Row
from crm_tools.outside_text import LONGEST_IN_LIST, free_text, line
from crm_tools.tables import CHOICE_TYPES, Column, ColumnType, Table

FORMATTED = "@OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "@Microsoft.Dynamics.CRM.lookuplogicalname"
ETAG = "@odata.etag"

MOST_RELATED = 50
"""Most related rows shown for one expanded relationship."""


def record(
    row: Row,
    table: Table,
    tables: Mapping[str, Table],
    expand: tuple[Expansion, ...] = (),
    longest: int = LONGEST_IN_LIST,
) -> dict[str, Any]:
    """One row as an answer shows it, with at most ``longest`` characters of a free text."""
    shaped: dict[str, Any] = {table.key: row.get(table.key)}
    for name, value in row.items():
        column = table.columns.get(name)
        if column is not None and value is not None:
            shaped[column.short_name] = _value(value, column, row, longest)
    for expansion in expand:
        _add_related(shaped, row.get(expansion.name), expansion, tables)
    if etag := row.get(ETAG):
        shaped["etag"] = etag
    return shaped


def _value(value: Any, column: Column, row: Row, longest: int) -> Any:
    if isinstance(value, str) and column.type is ColumnType.MEMO:
        return free_text(value, longest)
    if isinstance(value, str) and column.type is ColumnType.STRING:
        return line(value)
    if column.type is ColumnType.LOOKUP:
        return _lookup(value, column, row)
    if column.type in CHOICE_TYPES or column.type is ColumnType.MULTI_SELECT:
        return row.get(column.name + FORMATTED) or choice_label(value, column) or value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _lookup(value: Any, column: Column, row: Row) -> dict[str, Any]:
    shaped = {"id": value}
    if name := row.get(column.name + FORMATTED):
        shaped["name"] = line(name)
    if len(column.targets) > 1 and (table := row.get(column.name + LOOKUP_TABLE)):
        shaped["table"] = table
    return shaped


def _add_related(
    shaped: dict[str, Any], related: Any, expansion: Expansion, tables: Mapping[str, Table]
) -> None:
    table = tables[expansion.table]
    if not expansion.many:
        if related is not None:
            # Under the lookup's own name stands the id and name already; the expanded row says more.
            shaped[expansion.name] = record(related, table, tables)
        return
    rows = related or []
    shaped[expansion.name] = [record(row, table, tables) for row in rows[:MOST_RELATED]]
    if len(rows) > MOST_RELATED:
        shaped[f"{expansion.name}_note"] = (
            f"Only {MOST_RELATED} are shown and there are more; list the {table.entity_set} for all of them."
        )
