"""Values of columns as people write them, turned into what the Web API takes.

Choices go by their labels, amounts are plain numbers, moments without an offset are meant in the time zone of
those who ask. Relative dates are not read: whoever writes "next friday" knows the calendar.
"""

from __future__ import annotations

import math
import re
from datetime import MAXYEAR, UTC, date, datetime, tzinfo
from typing import Any

from crm_tools.choices import choice_value
from crm_tools.errors import InputError
from crm_tools.outside_text import is_cut, unmarked
from crm_tools.tables import NUMBER_TYPES, WHOLE_TYPES, Column, ColumnType

_YES_NO = {"true": True, "yes": True, "false": False, "no": False}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_FIRST_YEAR = 1753
"""https://learn.microsoft.com/power-apps/developer/data-platform/behavior-format-date-time-attribute"""


def column_value(value: Any, column: Column, zone: tzinfo = UTC) -> Any:
    """The value as the Web API takes it for this column; ``zone`` is where moments without an offset are.

    Raises:
        InputError: It does not fit the column; says what does.
        UnknownNameError: No such choice; says the closest labels.
    """
    if value is None:
        return None
    match column.type:
        case ColumnType.PICKLIST | ColumnType.STATE | ColumnType.STATUS:
            return choice_value(value, column)
        case ColumnType.MULTI_SELECT:
            return _several(value, column)
        case ColumnType.BOOLEAN:
            return _boolean(value, column)
        case ColumnType.DATE_ONLY:
            return _date(value, column)
        case ColumnType.DATE_TIME:
            return _moment(value, column, zone)
    if column.type in NUMBER_TYPES:
        return _number(value, column)
    return _text(value, column)


def _several(value: Any, column: Column) -> str:
    """Several choices: a list, or labels with commas between; the wire has their numbers with commas."""
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    return ",".join(str(number) for number in sorted({choice_value(item, column) for item in items}))


def _boolean(value: Any, column: Column) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().casefold()
    by_label = {choice.label.casefold(): bool(choice.value) for choice in column.choices}
    known = {**_YES_NO, **by_label}
    if text not in known:
        labels = " or ".join(choice.label for choice in column.choices) or "true or false"
        raise InputError(f"{column.label} ({column.name}) is {labels}.")
    return known[text]


def _number(value: Any, column: Column) -> float | int:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(
            f"{column.label} ({column.name}) is a number such as 1200.50, without currency or separators."
        )
    if column.type in WHOLE_TYPES:
        if value != int(value):
            raise InputError(f"{column.label} ({column.name}) is a whole number.")
        value = int(value)
    number: float | int = value
    low, high = column.minimum, column.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise InputError(f"{column.label} ({column.name}) is from {_plain(low)} to {_plain(high)}.")
    return number


def _plain(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:,.0f}" if bound == int(bound) else f"{bound:,}"


def _date(value: Any, column: Column) -> str:
    return day_of(str(value), column).isoformat()


def day_of(text: str, column: Column) -> date:
    """A day written like ``2026-12-31``; other forms of ISO 8601 are hardly ever meant.

    Raises:
        InputError: It is none, or none that Dataverse has.
    """
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise InputError(
            f"{column.label} ({column.short_name}) must be a date written like 2026-12-31; reckon relative "
            "dates yourself."
        )
    _require_year(day, column)
    return day


def _require_year(moment: date, column: Column) -> None:
    # The last year is left out: a day or a time zone further it would have no name.
    if not _FIRST_YEAR <= moment.year < MAXYEAR:
        raise InputError(f"{column.label} ({column.short_name}) is from {_FIRST_YEAR} to {MAXYEAR - 1}.")


def _moment(value: Any, column: Column, zone: tzinfo) -> str:
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise InputError(
            f"{column.label} ({column.short_name}) is a time written like 2026-12-31T15:00; without an "
            "offset it is meant in the user's time zone."
        ) from None
    _require_year(moment, column)
    return utc_text(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))


def utc_text(moment: datetime) -> str:
    """A moment as the wire has it: ``2026-12-31T15:00:00Z``."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _text(value: Any, column: Column) -> str:
    if not isinstance(value, str):
        raise InputError(f"{column.label} ({column.name}) is text.")
    if is_cut(value):
        raise InputError(
            f"Argument {column.name} is a text that was cut when it was shown, so the rest would be lost. "
            "Read the record by itself for the whole text, or write only what is new."
        )
    text = unmarked(value)
    if column.max_length is not None and len(text) > column.max_length:
        raise InputError(
            f"Argument {column.name} takes at most {column.max_length:,} characters, not {len(text):,}."
        )
    return text
