"""Saved views: which a table has, and what one of them asks for, as a query of ours.

A view is read and never run by its id. Run by its id it would be Dataverse that reads, sorts and filters by
columns of which no policy has heard; as a query of ours it is judged, narrowed, masked and counted as any is.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/retrieve-and-execute-predefined-queries
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any

from crm_tools.errors import AmbiguousNameError, InputError, UnknownRecordError, closest
from crm_tools.filters import parse_filter
from crm_tools.guids import is_guid
from crm_tools.naming import quoted
from crm_tools.operations import OrderBy, Page, Row
from crm_tools.outside_text import line
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, rows_of
from crm_tools.standard import VIEWS
from crm_tools.tables import Table
from crm_tools.wording import table_named

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_VIEWS = 100
_PUBLIC = 0
"""The query type of views that people choose; others stand behind search fields and lookups.

https://learn.microsoft.com/power-apps/developer/data-platform/customize-entity-views#types-of-views
"""
_CANDIDATES = 5
_CONCISE = ("name", "description", "isdefault")


@dataclass(frozen=True, slots=True)
class ViewQuery:
    """What a view asks for: columns by their short names, OData text, sort keys as ``orderby`` has them.

    ``left_out`` says in words what of it is not shown.
    """

    columns: tuple[str, ...]
    filter: str | None
    orderby: str | None
    left_out: tuple[str, ...] = ()


def view_query(xml: str, table: Table, zone: tzinfo = UTC) -> ViewQuery:
    """What the FetchXML of a view on ``table`` asks for. Columns that are not known here are left out.

    Raises:
        InputError: It cannot be asked here as it is meant; says why.
    """
    # Most servers never show a view, so the first one pays for the parser.
    from crm_tools.fetchxml import read_entity, shown

    entity = read_entity(xml, table.name)
    named = [shown(item.get("name")) for item in entity.iterfind("attribute")]
    unknown = [name for name in named if name not in table.by_short_name]
    linked = [shown(item.get("name")) for item in entity.iterfind("link-entity")]
    filters = [text for item in entity.iterfind("filter") if (text := _filter(item, table, zone))]
    return ViewQuery(
        tuple(dict.fromkeys(name for name in named if name in table.by_short_name)),
        " and ".join(f"({text})" for text in filters) or None,
        ",".join(_sort_key(item, table) for item in entity.iterfind("order")) or None,
        (*unknown, *(f"columns of {name}" for name in linked)),
    )


def _filter(element: Element, table: Table, zone: tzinfo) -> str | None:
    from crm_tools.fetch_conditions import condition_text
    from crm_tools.fetchxml import unusable

    word = element.get("type", "and")
    if word not in ("and", "or"):
        raise unusable("it has a filter that is neither of type and nor of type or")
    parts = [
        condition_text(item, table, zone) if item.tag == "condition" else _filter(item, table, zone)
        for item in element
    ]
    return f" {word} ".join(f"({part})" for part in parts if part) or None


def _sort_key(element: Element, table: Table) -> str:
    from crm_tools.fetchxml import is_on, shown, unusable

    name = shown(element.get("attribute"))
    if name not in table.by_short_name:
        raise unusable(f"it is sorted by {name}, which is no known column of {table.name}")
    return f"{name} desc" if is_on(element, "descending") else name


async def list_views(arguments: Mapping[str, Any], tables: Tables, port: CrmPort) -> dict[str, Any]:
    """The views of a table: id, name, what it shows, and whether it is the usual one."""
    table = table_named(arguments["table"], tables)
    page = await _views(table, None, tables, port, MOST_VIEWS)
    shown = [
        {
            "id": row[tables[VIEWS].key],
            "name": _name(row),
            **({"shows": line(str(row["description"]))} if row.get("description") else {}),
            **({"default": True} if row.get("isdefault") is True else {}),
        }
        for row in page.rows
    ]
    return {"table": table.name, "views": shown, "more": page.more}


async def view_names(table: Table, text: str, tables: Tables, port: CrmPort, most: int) -> Page:
    """The views whose names begin with a text."""
    begun = f"startswith(name,{quoted(text)})" if text else None
    return await _views(table, begun, tables, port, most)


async def with_view(
    arguments: Mapping[str, Any], name: str, table: Table, tables: Tables, port: CrmPort
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a list of rows with those of a view, and what an answer says of the view.

    Its filter holds besides any other; ``select`` and ``orderby`` that are given take the place of its own.

    Raises:
        UnknownRecordError: No view of the table has this name; offers the closest.
        AmbiguousNameError: Several have it.
        InputError: The view cannot be asked here as it is meant.
    """
    if "cursor" in arguments:
        raise InputError("Argument cursor continues the query it came from; leave out view.")
    row = await _view(name, table, tables, port)
    view = view_query(str(row.get("fetchxml") or ""), table, port.now().tzinfo or UTC)
    given = dict(arguments)
    texts = [view.filter, _own_filter(arguments, table, tables)]
    if filters := [f"({text})" for text in texts if text]:
        given["filter"] = " and ".join(filters)
    wire = [table.by_short_name[column].name for column in view.columns]
    readable = frozenset(port.readable(table.name, wire))
    columns = [table.columns[column].short_name for column in wire if column in readable]
    if columns:
        given.setdefault("select", columns)
    if view.orderby:
        given.setdefault("orderby", view.orderby)
    told: dict[str, Any] = {"view": _name(row)}
    if view.left_out and "select" not in arguments:
        told["left_out"] = list(view.left_out)
    return given, told


def _own_filter(arguments: Mapping[str, Any], table: Table, tables: Tables) -> str | None:
    """The filter given beside the view, written anew: so it stays one part of the whole."""
    text = arguments.get("filter")
    return parse_filter(text, table, tables).text if text else None


async def _view(text: str, table: Table, tables: Tables, port: CrmPort) -> Row:
    """The row of the one view that is meant, by name or id."""
    meant = text.strip()
    by_id = is_guid(meant)
    key = tables[VIEWS].key
    which = f"{key} eq {meant}" if by_id else f"name eq {quoted(meant)}"
    page = await _views(table, which, tables, port, _CANDIDATES, ("fetchxml",))
    found = [row for row in page.rows if by_id or _name(row).casefold() == meant.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise AmbiguousNameError(
            f"Several views of {table.name} have this name. Choose one and give its id.",
            [_candidate(row, key) for row in found],
        )
    raise await _unknown(meant, table, tables, port)


async def _unknown(text: str, table: Table, tables: Tables, port: CrmPort) -> UnknownRecordError:
    page = await _views(table, None, tables, port, MOST_VIEWS)
    if not page.rows:
        return UnknownRecordError(f"{table.name} has no saved views. Ask with where instead.", ())
    by_name = {_name(row): row for row in page.rows}
    near = closest(text, by_name, _CANDIDATES)
    ending = "Did you mean one of these?" if near else "There are these."
    return UnknownRecordError(
        f"No saved view of {table.name} has this name. {ending}",
        [_candidate(by_name[name], tables[VIEWS].key) for name in near or list(by_name)[: 2 * _CANDIDATES]],
    )


async def _views(
    table: Table, which: str | None, tables: Tables, port: CrmPort, top: int, besides: tuple[str, ...] = ()
) -> Page:
    """The views of a table that people can choose, by name."""
    # The names of tables have letters, digits and _ alone.
    parts = [f"returnedtypecode eq '{table.name}'", f"querytype eq {_PUBLIC}", "statecode eq 0"]
    text = " and ".join([*parts, *filter(None, [which])])
    columns = (*_CONCISE, *besides)
    query = rows_of(tables[VIEWS], text, columns, tables, port, top=top, orderby=(OrderBy("name"),))
    return await port.query(query)


def _name(row: Row) -> str:
    return line(str(row.get("name") or ""))


def _candidate(row: Row, key: str) -> dict[str, Any]:
    told = {"id": row[key], "name": _name(row)}
    return {**told, "shows": line(str(row["description"]))} if row.get("description") else told
