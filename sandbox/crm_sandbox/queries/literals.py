"""Literals of filters as the values that columns store."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from crm_sandbox.errors import UNKNOWN_NAME, ODataError
from crm_sandbox.queries.lexing import malformed
from crm_sandbox.queries.syntax import Literal, LiteralKind
from crm_sandbox.schema.model import (
    CHOICE_TYPES,
    ID_TYPES,
    NUMBER_TYPES,
    TEXT_TYPES,
    TIME_TYPES,
    Column,
    ColumnType,
)
from crm_sandbox.store import fold

_TYPES = {
    LiteralKind.BOOLEAN: "Edm.Boolean",
    LiteralKind.INTEGER: "Edm.Int32",
    LiteralKind.NUMBER: "Edm.Double",
    LiteralKind.TEXT: "Edm.String",
    LiteralKind.GUID: "Edm.Guid",
    LiteralKind.DATE: "Edm.Date",
    LiteralKind.TIME: "Edm.DateTimeOffset",
}


def bound(literal: Literal, column: Column) -> Any:
    """The value of a literal as the column stores and compares it.

    Raises:
        ODataError: 400, the literal is of another type than the column.
    """
    kind, value = literal.kind, literal.value
    if column.type in TEXT_TYPES and kind is LiteralKind.TEXT:
        return fold(str(value))
    if column.type is ColumnType.MULTI_SELECT and kind is LiteralKind.TEXT:
        return value
    if column.type in CHOICE_TYPES and kind is LiteralKind.INTEGER:
        return _in_range(int(value or 0))
    if column.type in NUMBER_TYPES and kind in (LiteralKind.INTEGER, LiteralKind.NUMBER):
        return _in_range(int(value or 0)) if kind is LiteralKind.INTEGER else value
    if column.type is ColumnType.BOOLEAN and kind is LiteralKind.BOOLEAN:
        return int(bool(value))
    if column.type in ID_TYPES and kind is LiteralKind.GUID:
        return str(value).lower()
    if column.type in TIME_TYPES and kind in (LiteralKind.DATE, LiteralKind.TIME):
        return stored_time(str(value), column)
    raise ODataError(
        400,
        UNKNOWN_NAME,
        "A binary operator with incompatible types was detected: the value of type "
        f"'{_TYPES.get(kind, 'null')}' does not fit the property '{column.wire}'.",
    )


def _in_range(value: int) -> int:
    if abs(value) >= 2**63:
        raise malformed("a number is out of range")
    return value


def stored_time(text: str, column: Column) -> str:
    """A date, or a time in UTC, as the column stores it.

    Raises:
        ODataError: 400, no such date.
    """
    if not re.fullmatch(
        r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)?)?", text, re.ASCII
    ):
        raise malformed("not a date")
    # datetime reads no more than six digits of a fraction; the column keeps seconds.
    text = re.sub(r"\.\d+", "", text)
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise malformed("no such date") from None
    if column.type is ColumnType.DATE_ONLY:
        return f"{moment.year:04}-{moment:%m-%d}"
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%SZ}"
