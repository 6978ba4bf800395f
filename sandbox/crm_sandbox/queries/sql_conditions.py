"""WHERE and ON of SQL queries as conditions.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/sql#filter-rows
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlglot import exp

from crm_sandbox.queries.literals import stored_time
from crm_sandbox.queries.sql import Asker, Condition, Operand, Source, all_of, any_of
from crm_sandbox.queries.sql_query import refused
from crm_sandbox.schema.model import (
    CHOICE_TYPES,
    ID_TYPES,
    NUMBER_TYPES,
    TEXT_TYPES,
    TIME_TYPES,
    WHOLE_NUMBER_TYPES,
    Column,
    ColumnType,
)
from crm_sandbox.store import fold

_SIGNS: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_GUID = re.compile(r"\{?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\}?", re.IGNORECASE | re.ASCII)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d)?(?:\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_NUMBER = re.compile(r"\s*\d{1,18}(\.\d{1,18})?\s*", re.ASCII)
_MOST_TO_ADD = 4_000_000
_FIXED_PARTS = {
    "WEEK": timedelta(weeks=1),
    "DAY": timedelta(days=1),
    "HOUR": timedelta(hours=1),
    "MINUTE": timedelta(minutes=1),
    "SECOND": timedelta(seconds=1),
}
_MONTHS = {"YEAR": 12, "QUARTER": 3, "MONTH": 1}


@dataclass(frozen=True, slots=True)
class Scope:
    """The tables of a query by alias, in small letters: names in SQL have no case."""

    sources: dict[str, Source]

    def operand(self, node: exp.Expression | None) -> Operand:
        """The column that a reference such as ``a.name`` or ``name`` means.

        Raises:
            ODataError: 400, it is none, or could be of several tables.
        """
        source, name = self._found(node)
        return source.operand(name)

    def source(self, node: exp.Expression | None) -> Source:
        """The table whose column a reference means.

        Raises:
            ODataError: 400, it is none, or could be of several tables.
        """
        return self._found(node)[0]

    def _found(self, node: exp.Expression | None) -> tuple[Source, str]:
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            raise refused("a column name is expected; expressions and functions are not supported.")
        only(node, "this", "table")
        name, alias = node.name.lower(), node.table.lower()
        if alias:
            source = self.sources.get(alias)
            if source is None or name not in source.table.columns:
                raise refused(f"invalid column name '{node.table}.{node.name}'.")
            return source, name
        found = [source for source in self.sources.values() if name in source.table.columns]
        if len(found) != 1:
            raise refused(f"{'ambiguous' if found else 'invalid'} column name '{node.name}'.")
        return found[0], name


def only(node: exp.Expression, *known: str) -> None:
    """Check that a part of a query has nothing but what is known.

    Raises:
        ODataError: 400, it has more.
    """
    for name, value in node.args.items():
        if value and name not in known:
            raise refused(f"'{name.strip('_').replace('_', ' ').upper()}' is not expected here.")


def conjuncts(node: exp.Expression) -> Iterator[exp.Expression]:
    """The conditions that a condition joins by AND, without the parentheses round them."""
    waiting = [node]
    while waiting:
        last = waiting.pop()
        if isinstance(last, exp.And):
            waiting += [last.expression, last.this]
        elif isinstance(last, exp.Paren):
            waiting.append(last.this)
        else:
            yield last


class Conditions:
    """Compiles conditions on the tables of a query."""

    def __init__(self, scope: Scope, asker: Asker) -> None:
        self._scope = scope
        self._asker = asker

    def condition(self, node: exp.Expression) -> Condition:
        """The SQL of a condition.

        Raises:
            ODataError: 400, it is none of the documented ones.
        """
        match node:
            case exp.Paren():
                return self.condition(node.this)
            case exp.And():
                return all_of(map(self.condition, conjuncts(node)))
            case exp.Or():
                return any_of(map(self.condition, _disjuncts(node)))
            case exp.Not():
                return self.condition(node.this).negated()
            case exp.Like():
                return self._like(node)
            case exp.In():
                return self._in(node)
            case exp.Between():
                return self._between(node)
            case exp.Is():
                return self._is_null(node)
        sign = _SIGNS.get(type(node))
        if sign is None:
            raise refused("a condition compares a column with a literal value.")
        return self._comparison(node, sign)

    def _comparison(self, node: exp.Expression, sign: str) -> Condition:
        column, value = node.args.get("this"), node.args.get("expression")
        if isinstance(value, exp.Column) and not isinstance(column, exp.Column):
            column, value, sign = value, column, _MIRRORED.get(sign, sign)
        operand = self._scope.operand(column)
        return Condition(f"({operand.compared} {sign} ?)", (self._value(value, operand.column),))

    def _like(self, node: exp.Like) -> Condition:
        only(node, "this", "expression", "negate")
        operand = self._scope.operand(node.this)
        if operand.column.type not in TEXT_TYPES:
            raise refused(f"LIKE takes a column of text, and '{operand.column.name}' is none.")
        pattern = self._value(node.expression, operand.column)
        condition = Condition(f"crm_like({operand.compared}, ?)", (pattern,))
        return condition.negated() if node.args.get("negate") else condition

    def _in(self, node: exp.In) -> Condition:
        only(node, "this", "expressions")
        operand = self._scope.operand(node.this)
        values = tuple(self._value(value, operand.column) for value in node.expressions)
        return Condition(f"({operand.compared} IN ({','.join('?' * len(values))}))", values)

    def _between(self, node: exp.Between) -> Condition:
        only(node, "this", "low", "high")
        operand = self._scope.operand(node.this)
        ends = tuple(self._value(node.args[end], operand.column) for end in ("low", "high"))
        return Condition(f"({operand.compared} BETWEEN ? AND ?)", ends)

    def _is_null(self, node: exp.Is) -> Condition:
        if not isinstance(node.expression, exp.Null):
            raise refused("IS is followed by NULL or NOT NULL.")
        return Condition(f"({self._scope.operand(node.this).sql} IS NULL)")

    def _value(self, node: exp.Expression | None, column: Column) -> Any:
        """A literal, or a function of literals, as the column stores and compares it."""
        value = self._constant(node)
        if value is None:
            return None
        stored = _stored(value, column)
        if stored is None:
            raise refused(f"the value does not fit the column '{column.name}' of type {column.type}.")
        return stored

    def _constant(self, node: exp.Expression | None) -> str | int | float | datetime | None:
        match node:
            case exp.Null():
                return None
            case exp.Literal() if node.is_string:
                return str(node.this)
            case exp.National():
                return str(node.this)
            case exp.Literal():
                return _number(str(node.this))
            case exp.Neg() if isinstance(node.this, exp.Literal) and not node.this.is_string:
                return -_number(str(node.this.this))
            case exp.DateAdd():
                return self._date_add(node)
            case exp.Anonymous() if str(node.this).upper() == "GETUTCDATE" and not node.expressions:
                return self._asker.now.astimezone(UTC)
        raise refused("a value is a literal, or DATEADD or GETUTCDATE of literals.")

    def _date_add(self, node: exp.DateAdd) -> datetime:
        base, number = self._constant(node.this), self._constant(node.expression)
        if isinstance(base, str):
            base = _time(base)
        if not isinstance(base, datetime) or not isinstance(number, int) or abs(number) > _MOST_TO_ADD:
            raise refused("DATEADD takes the part of a date, a whole number, and a date.")
        part = str(node.args.get("unit") or "").upper()
        try:
            if part in _FIXED_PARTS:
                return base + number * _FIXED_PARTS[part]
            if part in _MONTHS:
                return _months_later(base, number * _MONTHS[part])
        except (OverflowError, ValueError):
            raise refused("DATEADD leads out of the calendar.") from None
        raise refused(f"DATEADD does not know the part '{part}' of a date.")


def _disjuncts(node: exp.Expression) -> Iterator[exp.Expression]:
    waiting = [node]
    while waiting:
        last = waiting.pop()
        if isinstance(last, exp.Or):
            waiting += [last.expression, last.this]
        else:
            yield last


def _number(text: str) -> int | float:
    try:
        number = int(text) if len(text) < 20 and text.isdecimal() else float(text)
    except ValueError:
        raise refused("a number is malformed.") from None
    if not math.isfinite(number):
        raise refused("a number is out of range.")
    return number


def _stored(value: str | int | float | datetime, column: Column) -> Any:
    """The value as the column stores it, by SQL Server's implicit conversions; None where there is none."""
    for types, convert in _CONVERSIONS:
        if column.type in types:
            return convert(value, column)
    return None


def _as_text(value: Any, column: Column) -> str | None:
    return fold(value) if isinstance(value, str) else None


def _as_id(value: Any, column: Column) -> str | None:
    match = _GUID.fullmatch(value.strip()) if isinstance(value, str) else None
    return match[1].lower() if match else None


def _as_time(value: Any, column: Column) -> str | None:
    moment = _time(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return None
    return stored_time(f"{moment.year:04}-{moment:%m-%dT%H:%M:%SZ}", column)


def _as_whole_number(value: Any, column: Column) -> int | float | None:
    number = _as_number(value, column)
    # Beyond what SQLite stores, a real number compares just as well.
    return float(number) if isinstance(number, int) and abs(number) >= 2**63 else number


def _as_number(value: Any, column: Column) -> int | float | None:
    if isinstance(value, str):
        return (
            _number(value.strip()) if re.fullmatch(r"\s*\d{1,18}(\.\d{1,18})?\s*", value, re.ASCII) else None
        )
    return None if isinstance(value, datetime) else value


def _as_boolean(value: Any, column: Column) -> int | None:
    if isinstance(value, str):
        return {"true": 1, "1": 1, "false": 0, "0": 0}.get(value.strip().lower())
    return int(bool(value)) if isinstance(value, int | float) else None


def _as_is(value: Any, column: Column) -> str | None:
    return value if isinstance(value, str) else None


_CONVERSIONS: tuple[tuple[frozenset[ColumnType], Callable[[Any, Column], Any]], ...] = (
    (TEXT_TYPES, _as_text),
    (ID_TYPES, _as_id),
    (TIME_TYPES, _as_time),
    (CHOICE_TYPES | WHOLE_NUMBER_TYPES, _as_whole_number),
    (NUMBER_TYPES, _as_number),
    (frozenset({ColumnType.BOOLEAN}), _as_boolean),
    (frozenset({ColumnType.MULTI_SELECT}), _as_is),
)


def _time(text: str) -> datetime | None:
    """A date and time as SQL Server reads it; without an offset it is UTC."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    day, minutes, seconds, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{minutes or '00:00'}{seconds or ':00'}{offset or 'Z'}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _months_later(moment: datetime, months: int) -> datetime:
    """A day that the month does not have becomes its last one."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    first = moment.replace(year=year, month=month + 1, day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(moment.day, last.day))
