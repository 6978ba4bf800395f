"""Many records out at once: as CSV or JSON lines in a file of the allowed folder; a few in the answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crm_tools.csv_text import write_csv
from crm_tools.handlers import Context, list_query
from crm_tools.operations import Query, Row
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables
from crm_tools.shaping import FORMATTED, record
from crm_tools.tables import CHOICE_TYPES, Column, ColumnType, Table
from crm_tools.wording import columns_named, table_named

Arguments = Mapping[str, Any]
MOST_ROWS, MOST_IN_ANSWER = 50_000, 200
PAGE = 1_000
CSV, JSONL = "csv", "jsonl"
_QUERY = ("where", "filter", "orderby")


async def export_records(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """The records that match: in a file, or in the answer."""
    table = table_named(arguments["table"], tables)
    file = arguments.get("file")
    kind = _kind(file)
    most = min(arguments.get("most", MOST_ROWS), MOST_ROWS if file else MOST_IN_ANSWER)
    query = await _query(arguments, table, tables, port, min(PAGE, most))
    rows, more = await _rows(query, most, port)
    told: dict[str, Any] = {"table": table.name, "rows": len(rows), "more": more}
    if more:
        told["note"] = _narrower(len(rows), file)
    if file is None:
        told["records"] = [_safe(row, query, table, tables) for row in rows]
        return told
    whole = [_whole(row, query, table) for row in rows]
    text = _json_lines(whole) if kind == JSONL else _csv(whole, query, table)
    # Excel takes a file for UTF-8 only with a byte order mark.
    await port.write_file(file, text.encode("utf-8" if kind == JSONL else "utf-8-sig"))
    return {**told, "file": file, "columns": [_short(name, table) for name in query.select]}


def _kind(file: str | None) -> str:
    return JSONL if file is not None and file.lower().endswith(".jsonl") else CSV


def _narrower(shown: int, file: str | None) -> str:
    if file is None:
        return f"Only {shown:,} are in the answer; name a file, or narrow it by where."
    return f"Only {shown:,} are in the file: narrow it by where, and export the rest to another file."


async def _query(arguments: Arguments, table: Table, tables: Tables, port: CrmPort, page: int) -> Query:
    given = {name: arguments[name] for name in _QUERY if name in arguments}
    if names := arguments.get("columns"):
        given["select"] = [table.columns[name].short_name for name in columns_named(names, table)]
    return await list_query({**given, "top": page}, Context(table, tables, port))


async def _rows(query: Query, most: int, port: CrmPort) -> tuple[list[Row], bool]:
    """The first rows, and whether there are more."""
    page = await port.query(query)
    rows = list(page.rows)
    while page.cursor is not None and len(rows) < most:
        await port.tell(len(rows), None, f"{len(rows):,} records read")
        page = await port.next_page(query.table, page.cursor)
        rows += page.rows
    return rows[:most], page.more or len(rows) > most


def _safe(row: Row, query: Query, table: Table, tables: Tables) -> dict[str, Any]:
    """A row as a model may read it, by short name: text of others kept from passing for an instruction."""
    shaped = record(row, table, tables)
    names = {_short(name, table): name for name in query.select}
    return {short: _plain(shaped[short]) for short in names if short in shaped}


def _plain(value: Any) -> Any:
    """A lookup by its name, or by its id where the name may not be read."""
    return value.get("name", value.get("id")) if isinstance(value, Mapping) else value


def _whole(row: Row, query: Query, table: Table) -> dict[str, Any]:
    """A row for a file, by short name: whole texts, labels for choices, names for lookups."""
    return {_short(name, table): _cell(row, table.columns[name]) for name in query.select}


def _cell(row: Row, column: Column) -> Any:
    value = row.get(column.name)
    if column.type in CHOICE_TYPES or column.type in (ColumnType.LOOKUP, ColumnType.MULTI_SELECT):
        return row.get(column.name + FORMATTED) or value
    return value


def _short(name: str, table: Table) -> str:
    return table.columns[name].short_name


def _csv(rows: Sequence[Mapping[str, Any]], query: Query, table: Table) -> str:
    header = [_short(name, table) for name in query.select]
    return "".join(write_csv(header, ([_text(row.get(name)) for name in header] for row in rows)))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    lines = ({name: value for name, value in row.items() if value is not None} for row in rows)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
