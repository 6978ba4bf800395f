"""Completions while somebody types: tables, columns, labels, and names of live records and views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crm_tools.errors import InputError
from crm_tools.naming import quoted
from crm_tools.operations import OrderBy, Page
from crm_tools.outside_text import line
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, rows_of
from crm_tools.tables import Table
from crm_tools.views import view_names
from crm_tools.wording import column_named, table_named

MOST_VALUES = 20
_LONGEST = 300
_STATES = "statecode"
TABLE, COLUMN, LABEL, RECORD, VIEW = "table", "column", "label", "record", "view"


async def complete(arguments: Mapping[str, Any], tables: Tables, port: CrmPort) -> dict[str, Any]:
    """The values that begin with what was typed: of ``kind`` table, column, label, record or view."""
    text = str(arguments["text"]).strip()
    kind = arguments["kind"]
    if kind == TABLE:
        readable = [
            name
            for name, table in tables.items()
            if not table.is_internal and port.readable(name, (table.key,))
        ]
        return _values(readable, text)
    table = table_named(arguments["table"], tables)
    if kind == COLUMN:
        columns = [table.columns[name] for name in port.readable(table.name, table.columns)]
        return _values([name for column in columns for name in (column.short_name, column.label)], text)
    if kind == LABEL:
        column = column_named(arguments["column"], table)
        shown = port.readable(table.name, (column.name,))
        return _values([choice.label for choice in column.choices] if shown else [], text)
    if kind == RECORD:
        return await _names(table, text, tables, port)
    if kind == VIEW:
        page = await view_names(table, text, tables, port, MOST_VALUES)
        return _live(page, "name")
    raise InputError("Completions are of kind table, column, label, record or view.")


def _values(known: Iterable[str], text: str) -> dict[str, Any]:
    """Those that begin with the text first, then those that have it inside."""
    folded = text.casefold()
    unique = list(dict.fromkeys(known))
    first = [value for value in unique if value.casefold().startswith(folded)]
    inside = [value for value in unique if folded in value.casefold() and value not in first]
    found = [*first, *inside]
    return {"values": found[:MOST_VALUES], "more": len(found) > MOST_VALUES}


async def _names(table: Table, text: str, tables: Tables, port: CrmPort) -> dict[str, Any]:
    name = table.primary_name
    if len(text) > _LONGEST or not table.has_names or not port.usable(table.name, (name,)):
        return {"values": [], "more": False}
    parts = [f"startswith({name},{quoted(text)})"] if text else []
    if _STATES in table.columns and port.usable(table.name, (_STATES,)):
        parts.append(f"{_STATES} eq 0")
    query = rows_of(
        table, " and ".join(parts) or None, (name,), tables, port, top=MOST_VALUES, orderby=(OrderBy(name),)
    )
    (page,) = await port.together([query])
    if not isinstance(page, Page):
        raise page
    return _live(page, name)


def _live(page: Page, column: str) -> dict[str, Any]:
    names = dict.fromkeys(line(str(row[column])) for row in page.rows if row.get(column))
    return {"values": list(names), "more": page.more}
