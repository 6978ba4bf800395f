"""A single column at its address: ``accounts(id)/name`` and ``accounts(id)/name/$value``.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api
"""

from __future__ import annotations

from typing import Any

from crm_sandbox.addresses import Segment
from crm_sandbox.errors import bad_property, unknown_segment
from crm_sandbox.messages import Answer, no_method
from crm_sandbox.representing import json_value
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.model import Column, Table
from crm_sandbox.store import Row


class ColumnResource:
    """One column of one row."""

    def __init__(self, context: Context, table: Table, row: Row, column: Column) -> None:
        self._context = context
        self._table = table
        self._row = row
        self._column = column

    def answer(self, deeper: list[Segment]) -> Answer:
        """The answer to a request for the column, or for its bare value."""
        raw = [segment.name for segment in deeper] == ["$value"]
        if deeper and not raw:
            raise unknown_segment(deeper[0].name)
        method = self._context.request.method
        if method == "GET":
            return self._value() if raw else self._get()
        if method == "PUT" and not raw:
            return self._put()
        if method == "DELETE" and not raw:
            return self._change(None)
        raise no_method(method)

    def _get(self) -> Answer:
        self._context.may_read(self._table)
        value = self._row[self._column.name]
        if value is None:
            return Answer(204)
        address = f"{self._table.entity_set}({self._row[self._table.key]})/{self._column.wire}"
        content: dict[str, Any] = {"@odata.context": f"{self._context.request.root}$metadata#{address}"}
        self._context.reader.presenter.add(content, self._table, self._column, self._row, "value")
        return Answer(200, content, self._context.request.applied("odata.include-annotations"))

    def _value(self) -> Answer:
        self._context.may_read(self._table)
        value = json_value(self._column, self._row[self._column.name])
        if value is None:
            return Answer(204)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return Answer(200, text, content_type="text/plain; charset=utf-8")

    def _put(self) -> Answer:
        body = self._context.request.json()
        if "value" not in body:
            raise bad_property("the body has no 'value'")
        return self._change(body["value"])

    def _change(self, value: Any) -> Answer:
        self._context.writer.update(self._table, self._row, {self._column.wire: value})
        return Answer(204)
