"""An entity set at its address: lists, creates, counts, aggregates, FetchXML, saved queries and SQL.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from crm_sandbox.coverage import Missing
from crm_sandbox.errors import not_here
from crm_sandbox.messages import Answer, Request, no_method
from crm_sandbox.queries.options import read_options, shape_of
from crm_sandbox.queries.reading import Found
from crm_sandbox.resources.context import Context
from crm_sandbox.resources.rows import RowResource
from crm_sandbox.schema.model import Table

_BOM = b"\xef\xbb\xbf"


class SetResource:
    """All rows of a table."""

    def __init__(self, context: Context, table: Table) -> None:
        self._context = context
        self._request = context.request
        self._table = table

    def answer(self) -> Answer:
        """The answer to a request for the set."""
        match self._request.method:
            case "GET":
                return self._read()
            case "POST":
                return self._create()
        raise no_method(self._request.method)

    def count(self) -> Answer:
        """The number of rows as plain text; it begins with a byte order mark, as the service's does."""
        if self._request.method != "GET":
            raise no_method(self._request.method)
        self._context.may_read(self._table)
        total = self._context.reader.count(self._table, read_options(self._request.options))
        return Answer(200, _BOM + str(total).encode(), content_type="text/plain")

    def _create(self) -> Answer:
        read_options(self._request.options, one_row=True)  # refused before anything is written
        key = self._context.writer.create(self._table, self._request.json())
        return RowResource(self._context, self._table).created(key)

    def _read(self) -> Answer:
        options = self._request.options
        if "odata.track-changes" in self._request.preferences or "$deltatoken" in options:
            raise not_here(Missing.TRACK_CHANGES)
        if "userQuery" in options:
            raise not_here(Missing.SAVED_QUERIES)
        if "savedQuery" in options:
            from crm_sandbox.resources.fetches import saved_query

            return saved_query(self._context, self._table, options["savedQuery"])
        if "fetchXml" in options:
            from crm_sandbox.resources.fetches import fetch

            return fetch(self._context, self._table, options["fetchXml"])
        if "sql" in options:
            from crm_sandbox.resources.fetches import sql

            return sql(self._context, self._table, options["sql"])
        self._context.may_read(self._table)
        reading = read_options(options)
        if reading.apply is not None:
            from crm_sandbox.resources.fetches import aggregate

            return aggregate(self._context, self._table, reading)
        found = self._context.reader.page(self._table, reading, self._request.page_size)
        return list_answer(self._request, self._table.entity_set, self._table.entity_set, found)


def list_answer(request: Request, context: str, path: str, found: Found) -> Answer:
    """A page of rows. ``context`` is what the metadata address ends with, ``path`` leads to the next page."""
    shape = shape_of(read_options(request.options))
    content: dict[str, Any] = {"@odata.context": f"{request.root}$metadata#{context}{shape}"}
    if found.total is not None:
        content["@odata.count"] = found.total
    if "Microsoft.Dynamics.CRM.totalrecordcount" in request.annotations:
        content["@Microsoft.Dynamics.CRM.totalrecordcount"] = -1 if found.total is None else found.total
        content["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] = found.exceeded
    content["value"] = found.rows
    if found.next_token is not None:
        content["@odata.nextLink"] = _next_link(request, path, found.next_token)
    return Answer(200, content, request.applied("odata.maxpagesize", "odata.include-annotations"))


def _next_link(request: Request, path: str, token: str) -> str:
    kept = "&".join(
        f"{name}={quote(value)}" for name, value in request.options.items() if name != "$skiptoken"
    )
    # The cookie is encoded already; as the value of an option it is encoded once more.
    return f"{request.root}{path}?{kept}{'&' if kept else ''}$skiptoken={quote(token)}"
