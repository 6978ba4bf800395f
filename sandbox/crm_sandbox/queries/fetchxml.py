"""FetchXML as SQL.

https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/overview
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from crm_sandbox.errors import TOO_MANY_TO_AGGREGATE, ODataError
from crm_sandbox.queries.fetchxml_columns import (
    DateGrouping,
    FetchColumn,
    Selection,
    formatted_group,
    select_aggregates,
    select_columns,
)
from crm_sandbox.queries.fetchxml_ordering import (
    CookieKey,
    FetchSort,
    make_cookie,
    read_cookie,
    sorts_of,
    sorts_of_aggregate,
)
from crm_sandbox.queries.fetchxml_reading import TOP_NOT_POSITIVE, flag, positive, read_fetch, refused
from crm_sandbox.queries.fetchxml_sources import Sources
from crm_sandbox.queries.ordering import Sort, order_by
from crm_sandbox.queries.sql import Asker, Condition
from crm_sandbox.queries.work import bounded
from crm_sandbox.schema.model import Schema, Table
from crm_sandbox.store import Store

LARGEST_PAGE = 5_000
COUNT_LIMIT = 5_000
MOST_BY_NUMBER = 50_000
"""How many rows can be reached by page numbers alone."""
MOST_AGGREGATED = 50_000


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with the values of its marks."""

    sql: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """A compiled fetch.

    Attributes:
        table: The table that it is about.
        tables: Every table that it reads, those of links and filters included; intersect tables are left out.
        statement: Selects one row more than the page holds, unless ``top`` bounds it.
        columns: The properties of the answer.
        version_place: Where the version number of the row stands, for its ETag; None for rows that are
            aggregated or distinct.
        is_aggregate: Whether the rows are aggregates.
        page: The number of the page, from 1.
        page_size: How many rows a page holds.
        is_paged: Whether more rows may follow; not with ``top``.
        wants_total: Whether the number of all rows was asked for.
        counting: Counts all rows, to 5,001.
        limiting: Counts the rows to aggregate, to one more than ``aggregate_limit``; None otherwise.
        cookie: What a paging cookie is made from; empty where the rows have none.
    """

    table: Table
    tables: tuple[Table, ...]
    statement: Statement
    columns: tuple[FetchColumn, ...]
    version_place: int | None
    is_aggregate: bool
    page: int
    page_size: int
    is_paged: bool
    wants_total: bool
    counting: Statement
    limiting: Statement | None
    aggregate_limit: int
    cookie: tuple[CookieKey, ...]


@dataclass(frozen=True, slots=True)
class FetchPage:
    """A page of rows, whose values stand where the columns of the fetch say.

    ``cookie`` is None where nothing follows or rows have none. ``total`` stops at 5,000, and ``exceeded``
    says that there are more; it is None unless it was asked for.
    """

    rows: list[tuple[Any, ...]]
    more: bool
    cookie: str | None
    total: int | None
    exceeded: bool


@dataclass(frozen=True, slots=True)
class _Paging:
    """The attributes of ``fetch`` that bound its rows."""

    top: int | None
    page: int
    size: int
    cookie: str | None


def compile_fetch(xml: str, schema: Schema, asker: Asker) -> Fetch:
    """The statement of a FetchXML text.

    Raises:
        ODataError: 400, the text is no FetchXML, names what does not exist, or asks for what is refused.
    """
    fetch = read_fetch(xml)
    if fetch.get("datasource") == "retained":
        raise refused("Long term retention is not enabled: there are no retained rows.")
    sources = Sources(fetch, schema, asker)
    paging = _paging(fetch)
    if flag(fetch, "aggregate"):
        return _aggregated(fetch, sources, schema, paging)
    return _plain(fetch, sources, schema, paging)


def next_cookie(fetch: Fetch, rows: Sequence[Sequence[Any]]) -> str | None:
    """The annotation that leads from these rows of a page to the next; None where rows have no cookie."""
    return make_cookie(fetch.cookie, rows, fetch.page) if fetch.cookie and rows else None


def run(fetch: Fetch, store: Store, *, count: bool = False) -> FetchPage:
    """The page that a fetch asks for; ``count`` is the query option ``$count=true``.

    Raises:
        ODataError: 400, there are more rows than can be aggregated, or it takes too long.
    """
    with bounded(store.connection):
        return _page(fetch, store, count=count)


def _page(fetch: Fetch, store: Store, *, count: bool) -> FetchPage:
    if fetch.limiting is not None and _counted(store, fetch.limiting) > fetch.aggregate_limit:
        raise ODataError(
            400, TOO_MANY_TO_AGGREGATE, "AggregateQueryRecordLimit exceeded. Cannot perform this operation."
        )
    found = store.connection.execute(fetch.statement.sql, fetch.statement.values).fetchall()
    rows = found[: fetch.page_size]
    more = fetch.is_paged and len(found) > fetch.page_size
    total = _counted(store, fetch.counting) if fetch.wants_total or count else None
    return FetchPage(
        rows,
        more,
        next_cookie(fetch, rows) if more else None,
        None if total is None else min(total, COUNT_LIMIT),
        exceeded=total is not None and total > COUNT_LIMIT,
    )


def _counted(store: Store, statement: Statement) -> int:
    ((number,),) = store.connection.execute(statement.sql, statement.values).fetchall()
    return int(number)


def _paging(fetch: Element) -> _Paging:
    top = positive(fetch, "top", TOP_NOT_POSITIVE)
    page, size = positive(fetch, "page"), positive(fetch, "count")
    if top is not None:
        for name, given in (("page", page), ("count", size), ("paging-cookie", fetch.get("paging-cookie"))):
            if given is not None:
                raise refused(f"The top attribute can't be specified with paging attribute {name}.")
        if flag(fetch, "returntotalrecordcount"):
            raise refused("The top attribute can't be specified with returntotalrecordcount.")
        if top > LARGEST_PAGE:
            raise refused(f"The top attribute can't exceed {LARGEST_PAGE}.")
    return _Paging(top, page or 1, min(top or size or LARGEST_PAGE, LARGEST_PAGE), fetch.get("paging-cookie"))


def _plain(fetch: Element, sources: Sources, schema: Schema, paging: _Paging) -> Fetch:
    distinct = flag(fetch, "distinct")
    block = sources.block
    sorts, has_cookie = sorts_of(
        block.shown, block, schema, raw=flag(fetch, "useraworderby"), distinct=distinct
    )
    selection = select_columns(block.shown, distinct=distinct)
    if not selection.results:
        raise refused("A distinct fetch needs an attribute.")
    groups = [result.compared for result in selection.results] if distinct else []
    counted = block.body(sources.root)
    offset = _skip(sources, sorts, paging, has_cookie=has_cookie)
    body = block.body(sources.root)
    keys = (
        tuple(CookieKey(sort.name, sort.column, selection.put(sort.shown)) for sort in sorts)
        if has_cookie
        else ()
    )
    return Fetch(
        table=sources.root.table,
        tables=tuple(sources.tables.values()),
        statement=_statement(selection, body, groups, [sort.sort for sort in sorts], paging, offset),
        columns=tuple(selection.columns),
        version_place=selection.version_place,
        is_aggregate=False,
        page=paging.page,
        page_size=paging.size,
        is_paged=paging.top is None,
        wants_total=flag(fetch, "returntotalrecordcount"),
        counting=_count(counted, groups, COUNT_LIMIT),
        limiting=None,
        aggregate_limit=MOST_AGGREGATED,
        cookie=keys,
    )


def _aggregated(fetch: Element, sources: Sources, schema: Schema, paging: _Paging) -> Fetch:
    block = sources.block
    selection = select_aggregates(block.shown)
    sorts = sorts_of_aggregate(block.shown, selection, schema)
    limit = min(positive(fetch, "aggregatelimit") or MOST_AGGREGATED, MOST_AGGREGATED)
    body = block.body(sources.root)
    groups = selection.groups
    return Fetch(
        table=sources.root.table,
        tables=tuple(sources.tables.values()),
        statement=_statement(selection, body, groups, sorts, paging, _offset_of(paging)),
        columns=tuple(selection.columns),
        version_place=None,
        is_aggregate=True,
        page=paging.page,
        page_size=paging.size,
        is_paged=paging.top is None,
        wants_total=flag(fetch, "returntotalrecordcount"),
        counting=_count(body, groups, COUNT_LIMIT) if groups else Statement("SELECT 1", ()),
        limiting=_count(body, [], limit),
        aggregate_limit=limit,
        cookie=(),
    )


def _skip(sources: Sources, sorts: list[FetchSort], paging: _Paging, *, has_cookie: bool) -> int:
    """Begin behind the page that the cookie is about, and say how many rows are to be left out there."""
    if paging.cookie is None or not has_cookie:
        return _offset_of(paging)
    behind, page = read_cookie(paging.cookie, sorts)
    if paging.page <= page:
        return _offset_of(paging)
    sources.block.where.append(behind)
    return (paging.page - page - 1) * paging.size


def _offset_of(paging: _Paging) -> int:
    offset = (paging.page - 1) * paging.size
    if offset >= MOST_BY_NUMBER:
        raise refused("Paging cookie is required when trying to retrieve a set of records on any high pages.")
    return offset


def _statement(
    selection: Selection,
    body: Condition,
    groups: Sequence[str],
    sorts: Sequence[Sort],
    paging: _Paging,
    offset: int,
) -> Statement:
    grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
    order = f" {order_by(sorts)}" if sorts else ""
    # One row more says whether another page follows; top has none.
    limit = paging.size + (paging.top is None)
    sql = f"SELECT {selection.sql} {body.sql}{grouped}{order} LIMIT ? OFFSET ?"
    return Statement(sql, (*body.values, limit, offset))


def _count(body: Condition, groups: Sequence[str], limit: int) -> Statement:
    grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
    sql = f"SELECT COUNT(*) FROM (SELECT 1 {body.sql}{grouped} LIMIT ?)"  # noqa: S608 - names of the schema
    return Statement(sql, (*body.values, limit + 1))


__all__ = [
    "COUNT_LIMIT",
    "LARGEST_PAGE",
    "CookieKey",
    "DateGrouping",
    "Fetch",
    "FetchColumn",
    "FetchPage",
    "Statement",
    "compile_fetch",
    "formatted_group",
    "next_cookie",
    "run",
]
