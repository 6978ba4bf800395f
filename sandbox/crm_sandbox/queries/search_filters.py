"""Filters of Dataverse search, which name columns by their logical names.

https://learn.microsoft.com/power-apps/developer/data-platform/search/query#filter-parameter
"""

from __future__ import annotations

import re
from dataclasses import replace

from crm_sandbox.queries.filters import compile_filter
from crm_sandbox.queries.parsing import parse_filter
from crm_sandbox.queries.sql import Condition, From
from crm_sandbox.queries.syntax import Both, Comparison, Either, Literal, LiteralKind, Negation, Node, Path
from crm_sandbox.schema.model import ID_TYPES, Table

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def compile_search_filter(text: str, start: From) -> Condition:
    """The condition of a filter.

    Raises:
        ODataError: 400, it is malformed or names a column that the table does not have.
    """
    return compile_filter(_on_the_wire(parse_filter(text), start.root.table), start)


def _on_the_wire(node: Node, table: Table) -> Node:
    """The filter as the Web API writes it: a lookup as ``_ownerid_value``, an id without quotes."""
    match node:
        case Both(operands):
            return Both(tuple(_on_the_wire(operand, table) for operand in operands))
        case Either(operands):
            return Either(tuple(_on_the_wire(operand, table) for operand in operands))
        case Negation(operand):
            return Negation(_on_the_wire(operand, table))
        case Comparison():
            return _comparison(node, table)
    return node


def _comparison(node: Comparison, table: Table) -> Comparison:
    path, value = _path(node.left, table), node.right
    column = table.by_wire.get(path[0]) if len(path) == 1 else None
    if not isinstance(value, Literal):
        return replace(node, left=path, right=_path(value, table))
    is_id = column is not None and column.type in ID_TYPES and value.kind is LiteralKind.TEXT
    if is_id and _GUID.fullmatch(str(value.value)):
        value = Literal(LiteralKind.GUID, value.value)
    return replace(node, left=path, right=value)


def _path(path: Path, table: Table) -> Path:
    column = table.columns.get(path[0])
    return (column.wire,) if column is not None and len(path) == 1 else path
