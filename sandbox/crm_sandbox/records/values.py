"""Values of request bodies: their types, lengths, ranges and choices.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-entity-web-api
"""

from __future__ import annotations

import math
import re
from typing import Any
from uuid import UUID

from crm_sandbox.errors import BAD_CHOICE, INTEGER_RANGE, MONEY_RANGE, TOO_LONG, ODataError, bad_property
from crm_sandbox.queries.literals import stored_time
from crm_sandbox.schema.model import (
    CHOICE_TYPES,
    TEXT_TYPES,
    TIME_TYPES,
    WHOLE_NUMBER_TYPES,
    Column,
    ColumnType,
)

_EDM_TYPES = {
    ColumnType.BOOLEAN: "Edm.Boolean",
    ColumnType.DATE_ONLY: "Edm.Date",
    ColumnType.DATE_TIME: "Edm.DateTimeOffset",
    ColumnType.BIGINT: "Edm.Int64",
    ColumnType.DOUBLE: "Edm.Double",
    ColumnType.DECIMAL: "Edm.Decimal",
    ColumnType.MONEY: "Edm.Decimal",
    ColumnType.UNIQUEIDENTIFIER: "Edm.Guid",
}


def stored_value(value: Any, column: Column, table: str) -> Any:
    """A value of a body as the column stores it; null empties the column.

    Raises:
        ODataError: 400, the value is of another type, too long, out of range or no choice.
    """
    if value is None:
        return None
    if column.type in TEXT_TYPES:
        return _text(value, column, table)
    if column.type in CHOICE_TYPES:
        return _choice(value, column)
    if column.type is ColumnType.MULTI_SELECT:
        return _choices(value, column)
    if column.type is ColumnType.BOOLEAN:
        if not isinstance(value, bool):
            raise _wrong_type(column)
        return int(value)
    if column.type in TIME_TYPES:
        return _time(value, column)
    if column.type is ColumnType.UNIQUEIDENTIFIER:
        return guid(value, column)
    return _number(value, column, table)


def guid(value: Any, column: Column) -> str:
    """A GUID in its usual form.

    Raises:
        ODataError: 400, it is none.
    """
    if isinstance(value, str) and re.fullmatch(
        r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", value
    ):
        return str(UUID(value))
    raise _wrong_type(column)


def _wrong_type(column: Column) -> ODataError:
    expected = "Edm.String" if column.type in TEXT_TYPES else _EDM_TYPES.get(column.type, "Edm.Int32")
    return bad_property(f"Cannot convert the value of '{column.name}' to the expected type '{expected}'.")


def _text(value: Any, column: Column, table: str) -> str:
    if not isinstance(value, str):
        raise _wrong_type(column)
    if column.max_length is not None and len(value) > column.max_length:
        raise ODataError(
            400,
            TOO_LONG,
            f"A validation error occurred.  The length of the '{column.name}' attribute of the '{table}' "
            f"entity exceeded the maximum allowed length of '{column.max_length}'.",
        )
    return value


def _choice(value: Any, column: Column) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(column)
    if column.label_of(value) is None:
        raise _no_choice(value, column)
    return value


def _no_choice(value: int, column: Column) -> ODataError:
    return ODataError(
        400,
        BAD_CHOICE,
        f"A validation error occurred. The value {value} of '{column.name}' is outside the valid range. "
        f"Accepted Values: {', '.join(str(choice.value) for choice in column.choices)}",
    )


def _choices(value: Any, column: Column) -> str | None:
    """Several choices are a text such as ``1,9``.

    https://learn.microsoft.com/power-apps/developer/data-platform/multi-select-picklist
    """
    if not isinstance(value, str) or not re.fullmatch(
        r"\s*(-?\d{1,10}(\s*,\s*-?\d{1,10})*)?\s*", value, re.ASCII
    ):
        raise bad_property(f"Cannot convert the value of '{column.name}' to the expected type 'Edm.String'.")
    numbers = sorted({int(item) for item in value.split(",") if item.strip()})
    for number in numbers:
        if column.label_of(number) is None:
            raise _no_choice(number, column)
    return ",".join(map(str, numbers)) or None


def _time(value: Any, column: Column) -> str:
    if not isinstance(value, str):
        raise _wrong_type(column)
    if column.type is ColumnType.DATE_ONLY and not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise _wrong_type(column)
    try:
        return stored_time(value, column)
    except ODataError:
        raise _wrong_type(column) from None


def _number(value: Any, column: Column, table: str) -> int | float:
    whole = column.type in WHOLE_NUMBER_TYPES
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise _wrong_type(column)
    if not whole and not math.isfinite(value):
        raise _wrong_type(column)
    low, high = column.minimum, column.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise ODataError(
            400,
            INTEGER_RANGE if whole else MONEY_RANGE,
            f"A validation error occurred. The value of '{column.name}' on record of type "
            f"'{table}' is outside the valid range. Accepted range: {low} to {high}.",
        )
    if column.type in (ColumnType.MONEY, ColumnType.DECIMAL) and column.precision is not None:
        # https://learn.microsoft.com/power-apps/maker/data-platform/types-of-fields#using-the-right-type-of-number
        return round(
            float(value), max(column.precision, 4) if column.type is ColumnType.MONEY else column.precision
        )
    return value
