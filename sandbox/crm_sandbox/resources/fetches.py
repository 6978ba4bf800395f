"""Answers to queries whose results are no plain rows of a table: ``$apply``, FetchXML and SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm_sandbox.messages import Answer
from crm_sandbox.queries.apply import Property, compile_apply
from crm_sandbox.queries.options import Reading
from crm_sandbox.representing import Presenter
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.model import Table


def aggregate(context: Context, table: Table, reading: Reading) -> Answer:
    """The groups and numbers of an ``$apply``."""
    aggregation = compile_apply(
        reading.apply or "",
        table,
        context.store.schema,
        context.session.asker,
        orderby=reading.orderby,
        aliases=context.request.aliases,
    )
    presenter = context.reader.presenter
    rows = [_group(presenter, aggregation.properties, row) for row in aggregation.rows(context.store)]
    content = {"@odata.context": f"{context.request.root}$metadata#{table.entity_set}", "value": rows}
    return Answer(200, content, context.request.applied("odata.include-annotations"))


def _group(presenter: Presenter, properties: Sequence[Property], values: Sequence[Any]) -> dict[str, Any]:
    """A group with its numbers; what is null is left out."""
    answered: dict[str, Any] = {}
    for item in properties:
        value = values[item.position]
        if value is None:
            continue
        if item.column is None:
            answered[item.name] = value
            continue
        row = {item.column.name: value}
        if item.type_position is not None:
            row[item.column.type_column] = values[item.type_position]
        presenter.add(answered, item.table, item.column, row, item.name)
    return answered
