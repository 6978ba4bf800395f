"""Answers to queries whose results are no plain rows of a table: ``$apply``, FetchXML, saved ones and SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from crm_sandbox.addresses import row_key
from crm_sandbox.errors import OTHER_ENTITY, UNKNOWN_NAME, ODataError
from crm_sandbox.messages import Answer
from crm_sandbox.queries.lexing import malformed
from crm_sandbox.queries.options import Reading
from crm_sandbox.representing import FORMATTED, Presenter
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.base_columns import CURRENCY
from crm_sandbox.schema.model import Column, Table

ATTRIBUTE_NAME = "OData.Community.Display.V1.AttributeName"
_TOTAL = "Microsoft.Dynamics.CRM.totalrecordcount"
_MORE = "Microsoft.Dynamics.CRM.morerecords"
_COOKIE = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie"


def aggregate(context: Context, table: Table, reading: Reading) -> Answer:
    """The groups and numbers of an ``$apply``; what is null is left out.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/aggregate-data
    """
    from crm_sandbox.queries.apply import compile_apply

    aggregation = compile_apply(
        reading.apply or "",
        table,
        context.store.schema,
        context.session.asker,
        orderby=reading.orderby,
        aliases=context.request.aliases,
    )
    shower = _Shower(context)
    rows = []
    for values in aggregation.rows(context.store):
        answered: dict[str, Any] = {}
        for item in aggregation.properties:
            if values[item.position] is not None:
                shower.add(
                    answered, item.name, item.column, item.table, values, item.position, item.type_position
                )
        rows.append(answered)
    return _answer(context, table, {"value": rows})


def fetch(context: Context, table: Table, xml: str) -> Answer:
    """A page of a FetchXML query. It has no nextLink: annotations say whether and how to go on.

    What is null is left out, as it is not where a query is written in OData.
    https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/page-results
    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/retrieve-and-execute-predefined-queries
    """
    from crm_sandbox.queries.fetchxml import compile_fetch, run

    fetched = compile_fetch(xml, context.store.schema, context.session.asker)
    _check_table(table, fetched.table, OTHER_ENTITY)
    for read in fetched.tables:
        context.may_read(read)
    page = run(fetched, context.store, count=context.request.options.get("$count") == "true")
    shower = _Shower(context)
    rows = []
    for values in page.rows:
        answered = _etag(values, fetched.version_place)
        for item in fetched.columns:
            value = values[item.place]
            if value is None:
                continue
            shower.add(
                answered,
                item.name,
                item.column,
                item.table,
                values,
                item.place,
                item.type_place,
                currency=item.currency_place,
                renamed=item.is_aliased,
            )
            if item.grouping is not None:
                shower.format_group(answered, item.name, item.grouping, value)
        rows.append(answered)
    wanted = context.request.annotations
    content: dict[str, Any] = {}
    if page.total is not None:
        content["@odata.count"] = page.total
    if _TOTAL in wanted:
        content[f"@{_TOTAL}"] = -1 if page.total is None else page.total
        content[f"@{_TOTAL}limitexceeded"] = page.exceeded
    if page.more and _COOKIE in wanted and page.cookie is not None:
        content[f"@{_COOKIE}"] = page.cookie
    if page.more and _MORE in wanted:
        content[f"@{_MORE}"] = True
    shown = () if fetched.is_aggregate else [(item.name, item.column) for item in fetched.columns]
    return _answer(context, table, {**content, "value": rows}, shown)


def saved_query(context: Context, table: Table, text: str) -> Answer:
    """A page of the rows of a system view: its FetchXML is run, for whoever asks.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/retrieve-and-execute-predefined-queries
    """
    views = context.store.schema["savedquery"]
    context.may_read(views)
    return fetch(context, table, row_key(views, text).get(context.store)["fetchxml"] or "")


def sql(context: Context, table: Table, text: str) -> Answer:
    """A page of a SQL query.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/sql
    """
    # The parser takes half a second to load, which only those wait for who use it.
    from crm_sandbox.queries.sql_query import LARGEST_PAGE
    from crm_sandbox.queries.sql_statement import compile_sql

    query = compile_sql(text, context.store.schema, context.session.asker)
    _check_table(table, query.table)
    for read in query.tables:
        context.may_read(read)
    offset = _offset(context.request.options.get("$skiptoken", "0"))
    limit = min(context.request.page_size or LARGEST_PAGE, LARGEST_PAGE)
    found = query.rows(context.store, limit + 1, offset)
    shower = _Shower(context)
    rows = []
    for values in found[:limit]:
        answered = _etag(values, query.version_position)
        for item in query.columns:
            shower.add(
                answered,
                item.name,
                item.column,
                item.table,
                values,
                item.position,
                item.type_position,
                renamed=item.renamed,
            )
        rows.append(answered)
    content: dict[str, Any] = {}
    if _TOTAL in context.request.annotations:
        # SQL is never asked for its total.
        content |= {f"@{_TOTAL}": -1, f"@{_TOTAL}limitexceeded": False}
    content["value"] = rows
    if len(found) > limit:
        link = f"{context.request.root}{table.entity_set}?sql={quote(text)}&$skiptoken={offset + limit}"
        content["@odata.nextLink"] = link
    return _answer(context, table, content, [(item.name, item.column) for item in query.columns])


class _Shower:
    """Puts values of result rows into answers."""

    def __init__(self, context: Context) -> None:
        self._presenter: Presenter = context.reader.presenter
        self._annotations = context.request.annotations

    def add(
        self,
        answered: dict[str, Any],
        name: str,
        column: Column | None,
        table: Table | None,
        values: Sequence[Any],
        place: int,
        type_place: int | None,
        *,
        currency: int | None = None,
        renamed: bool = False,
    ) -> None:
        """Put one value, with its annotations, into an answer."""
        if column is None or table is None:
            answered[name] = values[place]
            if isinstance(values[place], int) and FORMATTED in self._annotations:
                answered[f"{name}@{FORMATTED}"] = f"{values[place]:,}"
            return
        row = {column.name: values[place]}
        if type_place is not None:
            row[column.type_column] = values[type_place]
        if currency is not None:
            row[CURRENCY] = values[currency]
        if renamed and values[place] is not None and ATTRIBUTE_NAME in self._annotations:
            answered[f"{name}@{ATTRIBUTE_NAME}"] = column.name
        self._presenter.add(answered, table, column, row, name)

    def format_group(self, answered: dict[str, Any], name: str, grouping: Any, value: Any) -> None:
        """Say what a part of a date is called, for a value that was put already."""
        from crm_sandbox.queries.fetchxml import formatted_group

        answered[name] = value
        if FORMATTED in self._annotations:
            answered[f"{name}@{FORMATTED}"] = formatted_group(grouping, value)


def _etag(values: Sequence[Any], place: int | None) -> dict[str, Any]:
    return {} if place is None else {"@odata.etag": f'W/"{values[place]}"'}


def _check_table(table: Table, queried: Table, code: str = UNKNOWN_NAME) -> None:
    if table is not queried:
        raise ODataError(
            400,
            code,
            f"The query is about '{queried.name}', the address about '{table.name}'.",
        )


def _offset(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise malformed("it is none of this query", "$skiptoken")
    return int(text)


def _answer(
    context: Context,
    table: Table,
    content: dict[str, Any],
    shown: Iterable[tuple[str, Column | None]] = (),
) -> Answer:
    """An answer whose context names the columns of the table that are shown."""
    request = context.request
    names = [column.wire if column and column.name == name else name for name, column in shown]
    shape = f"({','.join(name for name in names if '.' not in name)})" if names else ""
    head = {"@odata.context": f"{request.root}$metadata#{table.entity_set}{shape}"}
    return Answer(200, {**head, **content}, request.applied("odata.maxpagesize", "odata.include-annotations"))
