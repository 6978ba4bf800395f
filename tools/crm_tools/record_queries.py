"""Questions that several tools ask: the usual columns of rows, rows by key, one record by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crm_tools.filters import parse_filter
from crm_tools.naming import Found, Wanted, find_records
from crm_tools.operations import OrderBy, Page, Query
from crm_tools.outside_text import LONGEST_IN_LIST
from crm_tools.port import CrmPort
from crm_tools.shaping import record
from crm_tools.tables import Table

Tables = Mapping[str, Table]


async def one_record(
    text: str, names: Iterable[str], argument: str, tables: Tables, port: CrmPort, *, closed: bool = False
) -> Found:
    """The record of these tables that is meant.

    Raises:
        RecordChoiceError: None is, or several are.
    """
    (found,) = await find_records([Wanted(text, tuple(names), argument, closed)], tables, port)
    return found


def rows_of(
    table: Table,
    text: str | None,
    columns: Iterable[str],
    tables: Tables,
    port: CrmPort,
    *,
    top: int,
    orderby: tuple[OrderBy, ...] = (),
) -> Query:
    """Rows that match an OData filter, with those of the columns that may be read.

    Raises:
        InputError: The filter cannot be read.
    """
    known = [name for name in columns if name in table.columns]
    select = tuple(dict.fromkeys((table.key, *port.readable(table.name, known))))
    written: str | None = None
    named: dict[str, frozenset[str]] = {}
    if text is not None:
        parsed = parse_filter(text, table, tables)
        written, named = parsed.text, dict(parsed.named)
    sorted_by = frozenset(item.path for item in orderby)
    named[table.name] = named.get(table.name, frozenset()) | sorted_by
    return Query(table.name, select, written, orderby=orderby, named=named, top=top)


def shaped(page: Page, tables: Tables, longest: int = LONGEST_IN_LIST) -> list[dict[str, Any]]:
    """The rows of a page as answers show them, each with its id first and without etag."""
    table = tables[page.query.table]
    return [as_item(record(row, table, tables, page.query.expand, longest), table) for row in page.rows]


def as_item(shaped_record: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """A record among others: its id goes by ``id``, whatever its table calls it."""
    rest = {name: value for name, value in shaped_record.items() if name not in (table.key, "etag")}
    return {"id": shaped_record[table.key], **rest}
