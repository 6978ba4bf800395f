"""Conditions of FetchXML as OData text, each meaning what it means there.

An operator that says "not" also selects rows without a value, as ``ne`` does in a filter.

https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference/operators
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/queryfunctions
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from xml.etree.ElementTree import Element

from crm_tools.column_values import column_value
from crm_tools.errors import InputError
from crm_tools.fetchxml import shown, unusable
from crm_tools.guids import is_guid
from crm_tools.naming import quoted
from crm_tools.tables import CHOICE_TYPES, NUMBER_TYPES, TEXT_TYPES, Column, ColumnType, Table

Write = Callable[[Column, Sequence[str], tzinfo], str]

_IDS = frozenset({ColumnType.LOOKUP, ColumnType.UNIQUEIDENTIFIER})
_DATES = frozenset({ColumnType.DATE_ONLY, ColumnType.DATE_TIME})
_MOMENTS = frozenset({ColumnType.DATE_TIME})
_TEXTS = TEXT_TYPES | {ColumnType.ENTITY_NAME}
_ANY = frozenset(ColumnType)
_COMPARABLE = _ANY - {ColumnType.MULTI_SELECT}
_ORDERED = NUMBER_TYPES | _DATES | TEXT_TYPES
_TRUTH = {"1": "true", "true": "true", "0": "false", "false": "false"}
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_CHOICE = re.compile(r"-?\d{1,10}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,10})?", re.ASCII)
_MOST_VALUES = 100


@dataclass(frozen=True, slots=True)
class _Operator:
    """How an operator is written, of which columns it may speak, and how many values it takes."""

    write: Write
    types: frozenset[ColumnType]
    least: int = 1
    most: int = 1


def condition_text(condition: Element, table: Table, zone: tzinfo) -> str:
    """A condition as OData text; ``zone`` is where moments without an offset are.

    Raises:
        InputError: It speaks of what is not known here; says which column or operator.
    """
    name, word = shown(condition.get("attribute")), condition.get("operator")
    column = table.by_short_name.get(name)
    if column is None:
        raise unusable(f"it has a condition on {name}, which is no known column of {table.name}")
    operator = _OPERATORS.get(word or "")
    if operator is None:
        raise unusable(f"its condition on {name} has the operator {shown(word)}, which has no like here")
    values = _values(condition) if operator.most else []
    if column.type not in operator.types or not operator.least <= len(values) <= operator.most:
        raise unusable(f"its condition on {name} uses the operator {word} in a way that has no meaning")
    try:
        return operator.write(column, values, zone)
    except (InputError, ValueError):
        raise unusable(
            f"its condition on {name} compares with a value that does not fit the column"
        ) from None


def _values(condition: Element) -> list[str]:
    given = [condition.get("value"), *(item.text or "" for item in condition)]
    return [text for text in given if text is not None]


def _compared(sign: str) -> Write:
    return lambda column, values, zone: f"{column.name} {sign} {_literal(values[0], column, zone)}"


def _literal(text: str, column: Column, zone: tzinfo) -> str:
    """A value as a filter has it.

    Raises:
        ValueError: It is none of the column's type.
        InputError: The same.
    """
    if column.type in _TEXTS:
        return quoted(text)
    text = text.strip()
    if column.type is ColumnType.BOOLEAN:
        return _TRUTH.get(text.lower()) or _no_value()
    if column.type in CHOICE_TYPES:
        return str(column_value(int(text if _CHOICE.fullmatch(text) else _no_value()), column))
    if column.type in NUMBER_TYPES:
        return text if _NUMBER.fullmatch(text) else _no_value()
    if column.type in _IDS:
        key = text.strip("{}").lower()
        return key if is_guid(key) else _no_value()
    if column.type is ColumnType.DATE_ONLY:
        return _day(text)
    return str(column_value(text, column, zone))


def _day(text: str) -> str:
    return datetime.fromisoformat(text.strip()).date().isoformat()


def _no_value() -> str:
    raise ValueError


def _one_of(sign: str, word: str) -> Write:
    def write(column: Column, values: Sequence[str], zone: tzinfo) -> str:
        return f" {word} ".join(f"({_compared(sign)(column, (value,), zone)})" for value in values)

    return write


def _between(column: Column, values: Sequence[str], zone: tzinfo) -> str:
    low, high = (_literal(value, column, zone) for value in values)
    return f"({column.name} ge {low}) and ({column.name} le {high})"


def _not_between(column: Column, values: Sequence[str], zone: tzinfo) -> str:
    low, high = (_literal(value, column, zone) for value in values)
    return f"({column.name} lt {low}) or ({column.name} gt {high}) or ({column.name} eq null)"


def _null(sign: str) -> Write:
    return lambda column, _values, _zone: f"{column.name} {sign} null"


def _like(column: Column, values: Sequence[str], _zone: tzinfo) -> str:
    """A pattern of LIKE; wildcards inside of it mean the same in contains, startswith and endswith.

    https://learn.microsoft.com/power-apps/developer/data-platform/wildcard-characters
    """
    pattern = values[0]
    at_start, at_end = pattern.startswith("%"), pattern.endswith("%")
    inner = pattern[at_start : len(pattern) - at_end]
    if not inner:
        return f"{column.name} ne null" if pattern else _no_value()
    if at_start and at_end:
        return _text("contains", column, inner)
    if at_start or at_end:
        return _text("endswith" if at_start else "startswith", column, inner)
    return f"{column.name} eq {quoted(pattern)}" if not re.search(r"[%_\[]", pattern) else _no_value()


def _text(function: str, column: Column, raw: str) -> str:
    return f"{function}({column.name},'{raw.replace(chr(39), chr(39) * 2)}')"


def _text_at(function: str) -> Write:
    return lambda column, values, _zone: _text(function, column, values[0] or _no_value())


def _opposite(write: Write) -> Write:
    return lambda column, values, zone: f"not ({write(column, values, zone)}) or ({column.name} eq null)"


def _crm(function: str) -> Write:
    """A query function without a value."""
    return lambda column, _values, _zone: _function(function, column)


def _function(name: str, column: Column, value: str = "") -> str:
    given = f",PropertyValue={value}" if value else ""
    return f"Microsoft.Dynamics.CRM.{name}(PropertyName='{column.short_name}'{given})"


def _counted(function: str) -> Write:
    """A query function of so many days, weeks ..."""

    def write(column: Column, values: Sequence[str], _zone: tzinfo) -> str:
        number = values[0].strip()
        return _function(
            function, column, number if _COUNT.fullmatch(number) and int(number) else _no_value()
        )

    return write


def _on(function: str) -> Write:
    """A query function of a day."""

    def write(column: Column, values: Sequence[str], _zone: tzinfo) -> str:
        return _function(function, column, f"'{_day(values[0])}'")

    return write


def _mine_or_my_teams(column: Column, _values: Sequence[str], _zone: tzinfo) -> str:
    return f"{_function('EqualUserId', column)} or {_function('EqualUserTeams', column)}"


def _periods() -> dict[str, _Operator]:
    words = {"today": "Today", "yesterday": "Yesterday", "tomorrow": "Tomorrow"}
    words |= {"last-seven-days": "Last7Days", "next-seven-days": "Next7Days"}
    words |= {
        f"{which}-{unit}": f"{which.capitalize()}{unit.capitalize()}"
        for which in ("last", "this", "next")
        for unit in ("week", "month", "year")
    }
    return {word: _Operator(_crm(function), _DATES, 0, 0) for word, function in words.items()}


def _counts() -> dict[str, _Operator]:
    found = {}
    for which, begins in (("last", "LastX"), ("next", "NextX"), ("olderthan", "OlderThanX")):
        for unit in ("minutes", "hours", "days", "weeks", "months", "years"):
            if unit != "minutes" or which == "olderthan":
                types = _MOMENTS if unit in ("minutes", "hours") else _DATES
                found[f"{which}-x-{unit}"] = _Operator(_counted(f"{begins}{unit.capitalize()}"), types)
    return found


_OPERATORS: Mapping[str, _Operator] = {
    "eq": _Operator(_compared("eq"), _COMPARABLE),
    "ne": _Operator(_compared("ne"), _COMPARABLE),
    "neq": _Operator(_compared("ne"), _COMPARABLE),
    "gt": _Operator(_compared("gt"), _ORDERED),
    "ge": _Operator(_compared("ge"), _ORDERED),
    "lt": _Operator(_compared("lt"), _ORDERED),
    "le": _Operator(_compared("le"), _ORDERED),
    "in": _Operator(_one_of("eq", "or"), _COMPARABLE, most=_MOST_VALUES),
    "not-in": _Operator(_one_of("ne", "and"), _COMPARABLE, most=_MOST_VALUES),
    "between": _Operator(_between, NUMBER_TYPES | _DATES, 2, 2),
    "not-between": _Operator(_not_between, NUMBER_TYPES | _DATES, 2, 2),
    "null": _Operator(_null("eq"), _ANY, 0, 0),
    "not-null": _Operator(_null("ne"), _ANY, 0, 0),
    "like": _Operator(_like, TEXT_TYPES),
    "not-like": _Operator(_opposite(_like), TEXT_TYPES),
    "begins-with": _Operator(_text_at("startswith"), TEXT_TYPES),
    "not-begin-with": _Operator(_opposite(_text_at("startswith")), TEXT_TYPES),
    "ends-with": _Operator(_text_at("endswith"), TEXT_TYPES),
    "not-end-with": _Operator(_opposite(_text_at("endswith")), TEXT_TYPES),
    "eq-userid": _Operator(_crm("EqualUserId"), _IDS, 0, 0),
    "ne-userid": _Operator(_crm("NotEqualUserId"), _IDS, 0, 0),
    "eq-userteams": _Operator(_crm("EqualUserTeams"), _IDS, 0, 0),
    "eq-useroruserteams": _Operator(_mine_or_my_teams, _IDS, 0, 0),
    "eq-businessid": _Operator(_crm("EqualBusinessId"), _IDS, 0, 0),
    "on": _Operator(_on("On"), _DATES),
    "on-or-after": _Operator(_on("OnOrAfter"), _DATES),
    "on-or-before": _Operator(_on("OnOrBefore"), _DATES),
    **_periods(),
    **_counts(),
}
OPERATORS = frozenset(_OPERATORS)
"""The operators that can be asked here; fiscal periods, hierarchies and lists of choices cannot."""
