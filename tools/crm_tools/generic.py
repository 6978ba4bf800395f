"""Five tools for every table: query, get, create, update and delete, by names and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_tools.errors import InputError
from crm_tools.handlers import Context, create_row, delete_row, get_row, list_rows, update_row
from crm_tools.naming import Wanted, find_records
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, one_record
from crm_tools.rendering import fitted, tokens_about
from crm_tools.tables import Column, ColumnType, Navigation, Table
from crm_tools.views import with_view
from crm_tools.wording import column_named, columns_named, table_named

Arguments = Mapping[str, Any]
_QUERY = ("where", "filter", "orderby", "top", "count", "format", "expand", "cursor")


async def query_records(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """Rows of any table that match, or that a saved view shows."""
    context = _context(arguments, tables, port)
    table = context.table
    given = {name: arguments[name] for name in _QUERY if name in arguments}
    if names := arguments.get("columns"):
        given["select"] = [table.columns[name].short_name for name in columns_named(names, table)]
    told: dict[str, Any] = {}
    if view := arguments.get("view"):
        given, told = await with_view(given, view, table, tables, port)
    answer = {**told, **await list_rows(given, context)}
    most = arguments.get("max_tokens")
    if most is None or tokens_about(answer) <= most:
        return answer
    # Its cursor would go on after the records that were left out.
    answer.pop("cursor", None)
    cut = fitted(answer, ["records"], most)
    cut["cut"] += f" To page through all, ask with top {max(1, cut['shown'])} or for fewer columns."
    return cut


async def get_record(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """One row of any table, by name or id."""
    context = _context(arguments, tables, port)
    given: dict[str, Any] = {context.table.key: await _key(arguments, context)}
    if names := arguments.get("columns"):
        columns = columns_named(names, context.table)
        given["select"] = [context.table.columns[name].short_name for name in columns]
    given |= {name: arguments[name] for name in ("expand", "format") if name in arguments}
    return await get_row(given, context)


async def create_record(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """A new row of any table."""
    context = _context(arguments, tables, port)
    given = await settings(arguments["values"], context.table, tables, port, on_create=True)
    if missing := [name for name in context.table.create_needs if given.get(name) in (None, "")]:
        raise InputError(f"A record of {context.table.name} is not created without {', '.join(missing)}.")
    return await create_row({**given, **_control(arguments)}, context)


async def update_record(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """Changes to a row of any table."""
    context = _context(arguments, tables, port)
    given = await settings(arguments["values"], context.table, tables, port, on_create=False)
    key = {context.table.key: await _key(arguments, context)}
    return await update_row({**given, **key, **_control(arguments)}, context)


async def delete_record(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """A row of any table to delete."""
    context = _context(arguments, tables, port)
    return await delete_row(
        {context.table.key: await _key(arguments, context), **_control(arguments)}, context
    )


def _context(arguments: Arguments, tables: Tables, port: CrmPort) -> Context:
    return Context(table_named(arguments["table"], tables), tables, port, brief=True)


def _control(arguments: Arguments) -> dict[str, Any]:
    return {name: arguments[name] for name in ("etag", "dry_run") if name in arguments}


async def _key(arguments: Arguments, context: Context) -> str:
    name = context.table.name
    return (await one_record(arguments["record"], (name,), "record", context.tables, context.port)).key


async def settings(
    values: Mapping[str, Any], table: Table, tables: Tables, port: CrmPort, *, on_create: bool
) -> dict[str, Any]:
    """Columns and lookups to set, by the names that handlers know; lookups are found by name on one trip.

    Raises:
        UnknownNameError: No such column.
        InputError: A column cannot be set.
        RecordChoiceError: A name leads to no one record.
    """
    given: dict[str, Any] = {}
    lookups: dict[str, tuple[list[Navigation], Any]] = {}
    named: dict[str, str] = {}
    for name, value in values.items():
        way = table.navigations.get(name)
        column = column_named(name, table) if way is None else table.columns[way.column]
        if other := named.get(column.name):
            raise InputError(f"{other} and {name} are the same column. Give it once.")
        named[column.name] = name
        if column.type is ColumnType.LOOKUP:
            lookups[name] = (_ways(column, table) if way is None else [way], value)
            continue
        if on_create and column.name == table.key:
            raise InputError(f"{column.name} is made with the record; leave it out.")
        if not (column.on_create if on_create else column.on_update):
            when = "set when a record is created" if on_create else "changed"
            raise InputError(f"{column.label} ({column.name}) cannot be {when}.")
        given[column.name] = value
    return {**given, **await _bound(lookups, tables, port)}


async def _bound(
    lookups: Mapping[str, tuple[list[Navigation], Any]], tables: Tables, port: CrmPort
) -> dict[str, Any]:
    """Lookups by the navigation that leads to the kind of record that was named."""
    cleared = {ways[0].name: None for ways, value in lookups.values() if value is None}
    named = {name: (ways, value) for name, (ways, value) in lookups.items() if value is not None}
    for name, (ways, value) in named.items():
        if not isinstance(value, str):
            raise InputError(f"{ways[0].label} ({name}) is set to a record's name or id.")
    wanted = [Wanted(value, tuple(way.table for way in ways), name) for name, (ways, value) in named.items()]
    found = await find_records(wanted, tables, port) if wanted else []
    bound = {
        next(way.name for way in ways if way.table == one.table): one.key
        for (ways, _), one in zip(named.values(), found, strict=True)
    }
    return {**cleared, **bound}


def _ways(column: Column, table: Table) -> list[Navigation]:
    ways = [item for item in table.navigations.values() if item.column == column.name and item.writable]
    if not ways:
        hint = " Use assign_record to change the owner." if column.short_name == "ownerid" else ""
        raise InputError(f"{column.label} ({column.short_name}) cannot be set here.{hint}")
    return ways
