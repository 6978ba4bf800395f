"""Values in filters: whether a literal fits its column, and how it is written there."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from crm_tools.choices import choice_value
from crm_tools.errors import InputError
from crm_tools.guids import is_guid
from crm_tools.tables import CHOICE_TYPES, NUMBER_TYPES, Column, ColumnType

if TYPE_CHECKING:
    from odata_query import ast

_ID_TYPES = (ColumnType.LOOKUP, ColumnType.UNIQUEIDENTIFIER)
_DATE_TYPES = (ColumnType.DATE_ONLY, ColumnType.DATE_TIME)


def value_text(node: ast._Node, column: Column) -> str:
    """The literal as this column takes it: labels become numbers, quoted ids and dates lose their quotes.

    Raises:
        UnknownNameError: No such choice.
        InputError: The literal is of another kind than the column.
    """
    written = _choice_text(node, column) if column.type in CHOICE_TYPES else _plain_value_text(node, column)
    if written is None:
        raise InputError(
            f"The filter compares {column.name} with the wrong kind of value: it is {kind_of(column)}."
        )
    return written


def _plain_value_text(node: ast._Node, column: Column) -> str | None:
    from odata_query import ast as nodes

    match node:
        case nodes.Boolean(val=value):
            return value if column.type is ColumnType.BOOLEAN else None
        case nodes.Integer(val=value) | nodes.Float(val=value):
            return value if column.type in NUMBER_TYPES else None
        case nodes.GUID(val=value):
            return value.lower() if column.type in _ID_TYPES else None
        case nodes.Date(val=value) | nodes.DateTime(val=value):
            return value if column.type in _DATE_TYPES and _is_date(value) else None
        case nodes.String(val=value):
            return _text_value(value, column)
    return None


def _text_value(value: str, column: Column) -> str | None:
    """A quoted value; ids and dates are meant without quotes and lose them."""
    if column.type in _ID_TYPES:
        return value.lower() if is_guid(value) else None
    if column.type in _DATE_TYPES:
        return value if _is_date(value) else None
    return None if column.type in (*NUMBER_TYPES, ColumnType.BOOLEAN) else _quoted(value)


def _choice_text(node: ast._Node, column: Column) -> str | None:
    from odata_query import ast as nodes

    match node:
        case nodes.Integer(val=number):
            return str(choice_value(int(number), column))
        case nodes.String(val=label):
            return str(choice_value(label, column))
    return None


def plain_literal(node: ast.Integer | ast.String | ast.Date | ast.DateTime | ast.GUID) -> str:
    """The literal as it was given."""
    from odata_query import ast as nodes

    return _quoted(node.val) if isinstance(node, nodes.String) else node.val


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def kind_of(column: Column) -> str:
    """What a column holds and how its values are written."""
    return {
        ColumnType.INTEGER: "a whole number",
        ColumnType.BIGINT: "a whole number",
        ColumnType.DECIMAL: "a number",
        ColumnType.DOUBLE: "a number",
        ColumnType.BOOLEAN: "true or false, without quotes",
        ColumnType.ENTITY_NAME: "the logical name of a table, in single quotes",
        ColumnType.MONEY: "an amount, written as a number without quotes",
        ColumnType.LOOKUP: "a lookup, compared with a GUID without quotes",
        ColumnType.UNIQUEIDENTIFIER: "an id, compared with a GUID without quotes",
        ColumnType.DATE_ONLY: "a date, written 2026-12-31 without quotes",
        ColumnType.DATE_TIME: "a time, written 2026-12-31T00:00:00Z without quotes",
        ColumnType.STRING: "text, written in single quotes",
        ColumnType.MEMO: "text, written in single quotes",
    }.get(column.type, "a choice, compared with a number or a label in single quotes")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?", text) is not None
