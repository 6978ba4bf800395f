"""Keeping order: duplicates found and merged, records connected."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from crm_tools.acts import Link, Merge
from crm_tools.errors import InputError, PolicyDeniedError
from crm_tools.naming import quoted
from crm_tools.operations import Action, Binding, Fetch, Page, Query, Row, Update
from crm_tools.outside_text import line
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, one_record, rows_of
from crm_tools.selling import previewed, written
from crm_tools.shaping import ETAG, record
from crm_tools.tables import ColumnType, Table
from crm_tools.wording import columns_named, table_named

Arguments = Mapping[str, Any]
MERGEABLE = ("account", "contact", "lead")
_COMPARED: Mapping[str, tuple[str, ...]] = {
    "account": ("name", "accountnumber", "emailaddress1", "telephone1", "websiteurl"),
    "contact": ("fullname", "emailaddress1", "telephone1", "mobilephone"),
    "lead": ("fullname", "emailaddress1", "telephone1", "companyname"),
}
_MOST = 20
_ALIKE = 0.85


async def find_duplicates(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """Active records that share a name, number or address with one, or are named like it."""
    table = _mergeable(arguments["table"], tables)
    compared = port.usable(table.name, _COMPARED[table.name])
    key, values = await _values(arguments, table, compared, tables, port)
    if not values:
        raise InputError(f"There is nothing to compare by. Give record, or one of {', '.join(compared)}.")
    pages = await port.together([_named(text, table, tables, port) for text in _likenesses(values, table)])
    rows: dict[str, Row] = {}
    for page in pages:
        if not isinstance(page, Page):
            raise page
        rows |= {str(row[table.key]): row for row in page.rows}
    alike = [
        (reasons, row)
        for row in rows.values()
        if row[table.key] != key and (reasons := _reasons(row, values, table))
    ]
    alike.sort(key=lambda item: -len(item[0]))
    found = [_told(row, reasons, table, tables) for reasons, row in alike[:_MOST]]
    more = len(alike) > _MOST or any(isinstance(page, Page) and page.more for page in pages)
    return {"table": table.name, "duplicates": found, "shown": len(found), "more": more}


_SHORTEST_NAME = 3


def _likenesses(values: Mapping[str, Any], table: Table) -> list[str]:
    """The filters that find what is the same, and apart from it what begins with the same word.

    So many may begin alike that what is the same would not be among those that are looked at.
    """
    same = [f"{name} eq {quoted(str(value))}" for name, value in values.items()]
    texts = [f"({' or '.join(same)}) and statecode eq 0"]
    name = str(values.get(table.primary_name) or "")
    if name.split() and len(name) >= _SHORTEST_NAME:
        alike = f"startswith({table.primary_name},{quoted(name.split()[0])})"
        texts.append(f"{alike} and statecode eq 0")
    return texts


def _named(text: str, table: Table, tables: Tables, port: CrmPort) -> Query:
    return rows_of(table, text, (*_COMPARED[table.name], "address1_city"), tables, port, top=100)


def _mergeable(name: str, tables: Tables) -> Table:
    table = table_named(name, tables)
    if table.name not in MERGEABLE:
        raise InputError(f"Dataverse merges {', '.join(MERGEABLE)} only, so duplicates are looked for there.")
    return table


async def _values(
    arguments: Arguments, table: Table, compared: tuple[str, ...], tables: Tables, port: CrmPort
) -> tuple[str | None, dict[str, Any]]:
    """What is compared: of the record that is given, or the values themselves."""
    if arguments.get("record"):
        found = await one_record(arguments["record"], (table.name,), "record", tables, port)
        row = await port.fetch(Fetch(table.name, found.key, tuple(dict.fromkeys((table.key, *compared)))))
        return found.key, {name: row[name] for name in compared if row.get(name)}
    given = {name: arguments[name] for name in ("name", "email", "phone") if arguments.get(name)}
    wire = {"name": table.primary_name, "email": "emailaddress1", "phone": "telephone1"}
    return None, {wire[name]: value for name, value in given.items() if wire[name] in compared}


def _reasons(row: Row, values: Mapping[str, Any], table: Table) -> list[str]:
    """The columns in which a row is the same, or has nearly the same name."""
    same = [
        name for name, value in values.items() if str(row.get(name) or "").casefold() == str(value).casefold()
    ]
    name = table.primary_name
    if name in values and name not in same:
        ratio = SequenceMatcher(
            None, str(row.get(name) or "").casefold(), str(values[name]).casefold()
        ).ratio()
        if ratio >= _ALIKE:
            same.append(f"{name} nearly")
    return same


def _told(row: Row, reasons: list[str], table: Table, tables: Tables) -> dict[str, Any]:
    shaped = record(row, table, tables)
    rest = {name: value for name, value in shaped.items() if name not in (table.key, "etag")}
    return {"id": shaped[table.key], "same": ", ".join(reasons), **rest}


async def merge_records(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """One record of two: what belongs to the other moves to the one that is kept."""
    table = _mergeable(arguments["table"], tables)
    kept = await one_record(arguments["keep"], (table.name,), "keep", tables, port)
    gone = await one_record(arguments["merge"], (table.name,), "merge", tables, port)
    if kept.key == gone.key:
        raise InputError("keep and merge are the same record. Nothing was changed.")
    values = await _taken_over(arguments.get("take") or (), gone.key, table, port)
    act = Merge(table.name, gone.key, kept.key, kept.name or kept.key, values)
    if arguments.get("dry_run"):
        return await previewed(act, port)
    await port.act(act)
    columns = port.readable(table.name, dict.fromkeys((table.key, table.primary_name, *values)))
    row = await port.fetch(Fetch(table.name, kept.key, columns))
    return {
        "record": {**record(row, table, tables), "url": port.record_url(table.name, kept.key)},
        "merged": {"id": gone.key, "name": gone.name, "state": "deactivated"},
    }


async def _taken_over(names: Any, key: str, table: Table, port: CrmPort) -> dict[str, Any]:
    """Values of the record that goes which the one that is kept takes."""
    columns = columns_named(names, table)
    facts = [table.columns[name] for name in columns]
    wrong = [item.short_name for item in facts if item.type is ColumnType.LOOKUP or not item.on_update]
    if wrong:
        raise InputError(f"take names columns that can be set and are no lookups, not {', '.join(wrong)}.")
    if not columns:
        return {}
    if port.usable(table.name, columns) != columns:
        # What a mask leaves of a value would be written over the other record's.
        raise PolicyDeniedError(
            "The policy does not let the columns of take be read whole. Nothing was changed."
        )
    row = await port.fetch(Fetch(table.name, key, (table.key, *columns)))
    return {name: row[name] for name in columns if row.get(name) is not None}


async def link_records(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """Two records are connected: by a lookup of the one, or by a many-to-many relationship."""
    table, other = table_named(arguments["table"], tables), table_named(arguments["to_table"], tables)
    found = await one_record(arguments["record"], (table.name,), "record", tables, port)
    target = await one_record(arguments["to"], (other.name,), "to", tables, port)
    unlink = bool(arguments.get("unlink"))
    name = arguments.get("relationship")
    if name is not None and table.many_to_many.get(name) == other.name:
        act = Link(table.name, found.key, name, other.name, target.key, target.name or target.key, unlink)
        if arguments.get("dry_run"):
            return await previewed(act, port)
        await port.act(act)
        verb = "unlinked" if unlink else "linked"
        return {verb: [_end(table, found.key, found.name), _end(other, target.key, target.name)]}
    way = _way(name, table, other)
    column = way.column
    etag = await _linked(table, found.key, column, target.key, port) if unlink else None
    update = Update(
        table.name,
        found.key,
        {},
        (Binding(way.name, column, other.name, None if unlink else target.key),),
        etag=etag,
        acts_as=Action.LINK,
        returning=port.readable(table.name, (table.key, table.primary_name, column)),
    )
    return await written(update, bool(arguments.get("dry_run")), table, tables, port)


async def _linked(table: Table, key: str, column: str, target: str, port: CrmPort) -> str | None:
    """The version of a row whose lookup leads to the target, so that no other link is taken apart.

    Raises:
        InputError: It leads elsewhere.
        PolicyDeniedError: Where it leads may not be seen.
    """
    if not port.usable(table.name, (column,)):
        raise PolicyDeniedError(
            f"The policy does not let {table.columns[column].short_name} be read, so nobody can tell whether "
            "the records are connected. Nothing was changed."
        )
    row = await port.fetch(Fetch(table.name, key, (table.key, column)))
    if str(row.get(column) or "").lower() != target.lower():
        raise InputError("These records are not connected by this lookup. Nothing was changed.")
    etag: str | None = row.get(ETAG)
    return etag


def _end(table: Table, key: str, name: str) -> dict[str, Any]:
    return {"table": table.name, "id": key, "name": line(name)}


def _way(name: str | None, table: Table, other: Table) -> Any:
    """The lookup of the table that leads to the other one.

    Raises:
        InputError: There is none, or several and none was named.
    """
    lookups = [item for item in table.navigations.values() if item.table == other.name and item.writable]
    ways = {item.name: item for item in lookups}
    many = [known for known, target in table.many_to_many.items() if target == other.name]
    if name is not None and name in ways:
        return ways[name]
    if name is None and len(ways) == 1:
        return next(iter(ways.values()))
    known = [*ways, *many]
    if not known:
        raise InputError(
            f"Nothing leads from {table.name} to {other.name}. Try it with record and to the other way round."
        )
    raise InputError(f"Give relationship, one of {', '.join(known)}.")
