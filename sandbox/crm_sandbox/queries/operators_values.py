"""What condition operators are made from: their values, and comparisons of a column with them.

A negative operator also matches rows where the column holds nothing, as ``ne`` does:
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from crm_sandbox.errors import ODataError
from crm_sandbox.queries.literals import stored_time
from crm_sandbox.queries.sql import Asker, Condition, Operand, any_of
from crm_sandbox.queries.text_matching import text_condition
from crm_sandbox.schema.model import (
    CHOICE_TYPES,
    ID_TYPES,
    REAL_NUMBER_TYPES,
    TEXT_TYPES,
    TIME_TYPES,
    WHOLE_NUMBER_TYPES,
    Column,
    ColumnType,
    Schema,
)
from crm_sandbox.store import fold

Builder = Callable[[Operand, Sequence[str], Asker, Schema], Condition]
"""Makes the condition of an operator; the values are as many as the operator takes."""

_GUID = re.compile(r"\{?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\}?", re.IGNORECASE | re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)
_TRUTH = {"0": 0, "false": 0, "1": 1, "true": 1}


class Refusal(Exception):  # noqa: N818 - becomes an ODataError of the caller's kind
    """A use of an operator that is refused; the text says why."""


def typed(text: str, column: Column) -> Any:
    """A value as the column stores and compares it.

    Raises:
        Refusal: The text is no value of the column's type.
    """
    value = _typed(text.strip(), column) if column.type not in TEXT_TYPES else fold(text)
    if value is None:
        raise Refusal(f"'{_shown(text)}' is not a valid value of type {column.type} for '{column.name}'")
    return value


def _typed(text: str, column: Column) -> Any:
    if column.type in CHOICE_TYPES | WHOLE_NUMBER_TYPES:
        return int(text) if _WHOLE.fullmatch(text) else None
    if column.type in REAL_NUMBER_TYPES:
        return float(text) if _NUMBER.fullmatch(text) else None
    if column.type is ColumnType.BOOLEAN:
        return _TRUTH.get(text.lower())
    if column.type in ID_TYPES:
        return match[1].lower() if (match := _GUID.fullmatch(text)) else None
    if column.type in TIME_TYPES:
        return _time(text, column)
    parts = [part.strip() for part in text.split(",")]
    if not all(_WHOLE.fullmatch(part) for part in parts):
        return None
    return ",".join(str(number) for number in sorted({int(part) for part in parts}))


def _time(text: str, column: Column) -> str | None:
    try:
        return stored_time(text.replace(" ", "T", 1), column)
    except ODataError:
        return None


def whole(text: str, *, least: int, most: int) -> int:
    """A whole number that an operator takes whatever the column's type, such as the X of LastXDays.

    Raises:
        Refusal: It is none, or it is out of range.
    """
    text = text.strip()
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise Refusal(f"'{_shown(text)}' is not a whole number from {least} to {most}")
    return int(text)


def identifier(text: str) -> str:
    """A GUID as the columns store it.

    Raises:
        Refusal: It is none.
    """
    match = _GUID.fullmatch(text.strip())
    if match is None:
        raise Refusal(f"'{_shown(text)}' is not a valid value of type {ColumnType.UNIQUEIDENTIFIER}")
    return match[1].lower()


def _shown(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}..."


def negative(builder: Builder) -> Builder:
    """The operator that matches whatever the other does not, rows that hold nothing included."""

    def build(operand: Operand, values: Sequence[str], asker: Asker, schema: Schema) -> Condition:
        condition = builder(operand, values, asker, schema)
        return Condition(f"({operand.sql} IS NULL OR NOT {condition.sql})", condition.values)

    return build


def compared(sign: str) -> Builder:
    """A comparison with one value: ``=``, ``<`` ..."""

    def build(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
        return Condition(f"({operand.compared} {sign} ?)", (typed(values[0], operand.column),))

    return build


def between(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """Between two values, which are included."""
    low, high = (typed(value, operand.column) for value in values)
    return Condition(f"({operand.compared} BETWEEN ? AND ?)", (low, high))


def within(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """One of several values."""
    given = tuple(typed(value, operand.column) for value in values)
    return Condition(f"({operand.compared} IN ({','.join('?' * len(given))}))", given)


def null(operand: Operand, _values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """The column holds nothing."""
    return Condition(f"({operand.sql} IS NULL)")


def not_null(operand: Operand, _values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """The column holds something."""
    return Condition(f"({operand.sql} IS NOT NULL)")


def text_at(function: str) -> Builder:
    """Text at the beginning or the end; wildcards in the value count.

    https://learn.microsoft.com/power-apps/developer/data-platform/wildcard-characters
    """

    def build(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
        return text_condition(function, operand, values[0])

    return build


def like(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """SQL Server's LIKE. A plain prefix is asked for as such, which an index answers."""
    pattern = values[0]
    if pattern.endswith("%") and not any(char in pattern[:-1] for char in "%_["):
        return text_condition("startswith", operand, pattern[:-1])
    return Condition(f"crm_like({operand.compared}, ?)", (fold(pattern),))


def containing(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """A choices column has at least one of the values.

    https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference/operators#contain-values
    """
    numbers = [whole(value, least=-(2**31), most=2**31 - 1) for value in values]
    listed = f"instr(',' || {operand.sql} || ',', ?) > 0"
    return any_of(Condition(f"({listed})", (f",{number},",)) for number in numbers)
