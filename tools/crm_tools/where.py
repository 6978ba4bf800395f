"""Structured filters: ``[{"column": "statecode", "op": "eq", "value": "Open"}]``, with ``any`` and ``all``.

They cannot be malformed as text can. They are written as OData text and read as that is, so a policy judges
both alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from crm_tools.column_values import column_value, day_of, utc_text
from crm_tools.errors import InputError, UnknownNameError
from crm_tools.filters import DEEPEST_NESTING, MOST_CONDITIONS
from crm_tools.guids import guid
from crm_tools.naming import ME, Found, Wanted, find_records, quoted
from crm_tools.port import CrmPort
from crm_tools.tables import TEXT_TYPES, Column, ColumnType, Table
from crm_tools.wording import column_named

_COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
_TEXT_FUNCTIONS = ("contains", "startswith", "endswith")
_DAYS = {"last_days": "LastXDays", "next_days": "NextXDays", "older_than_days": "OlderThanXDays"}
OPERATORS = (*_COMPARISONS, *_TEXT_FUNCTIONS, "in", "not_in", "between", "null", "not_null", *_DAYS)
_WITHOUT_VALUE, _LISTS = ("null", "not_null"), ("in", "not_in")
_ALIASES = {"=": "eq", "==": "eq", "!=": "ne", "<>": "ne", ">": "gt", ">=": "ge", "<": "lt", "<=": "le"}
_MOST_ITEMS = 100
_MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class _Condition:
    column: Column
    op: str
    value: Any

    @property
    def items(self) -> list[Any]:
        """What it compares with: the value, or each of a list."""
        return self.value if isinstance(self.value, list) else [self.value]


async def where_text(
    where: Sequence[Any], table: Table, tables: Mapping[str, Table], port: CrmPort
) -> str | None:
    """The OData filter that a structured one stands for; None for an empty one. Records are found by name.

    Raises:
        InputError: It is not of the form; says what is.
        UnknownNameError: A column, operator or label does not exist.
        RecordChoiceError: A lookup is compared with a name that leads to no one record.
    """
    tree = [_node(item, table) for item in where]
    leaves = list(_leaves(tree))
    if len(leaves) > MOST_CONDITIONS:
        raise InputError(f"The filter has more than {MOST_CONDITIONS} conditions. Split the question.")
    wanted = [
        (leaf, text) for leaf in leaves if leaf.column.type is ColumnType.LOOKUP for text in _names(leaf)
    ]
    found = await find_records([_wanted(leaf, text) for leaf, text in wanted], tables, port)
    records = {(leaf.column.name, text): one for (leaf, text), one in zip(wanted, found, strict=True)}
    writer = _Writer(records, port.now().tzinfo or UTC)
    return writer.joined(tree, "and") if tree else None


def _node(item: Any, table: Table, depth: int = 0) -> Any:
    """A condition, or ``("or" | "and", nodes)``."""
    if not isinstance(item, dict) or depth > DEEPEST_NESTING:
        raise _form()
    if "any" in item or "all" in item:
        word = "any" if "any" in item else "all"
        if set(item) != {word} or not isinstance(item[word], list) or not item[word]:
            raise _form()
        return ("or" if word == "any" else "and", [_node(part, table, depth + 1) for part in item[word]])
    unknown = set(item) - {"column", "op", "value"}
    if unknown or not isinstance(item.get("column"), str):
        raise _form()
    op = str(item.get("op", "eq")).strip().lower()
    op = _ALIASES.get(op, op)
    if op not in OPERATORS:
        raise UnknownNameError("operator of where", op, OPERATORS)
    column = column_named(item["column"], table)
    if "value" not in item and op not in _WITHOUT_VALUE:
        raise InputError(
            f"The condition on {column.short_name} has no value; what is empty is found by op null."
        )
    condition = _Condition(column, op, item.get("value"))
    if op in _LISTS and not 0 < len(condition.items) <= _MOST_ITEMS:
        raise InputError(
            f"The list of values for {column.short_name} has 1 to {_MOST_ITEMS} items. Split the question."
        )
    return condition


def _form() -> InputError:
    return InputError(
        'Argument where is a list of {"column","op","value"}, and of {"any": [...]} or {"all": [...]} round '
        f"such. Operators: {', '.join(OPERATORS)}."
    )


def _leaves(tree: Sequence[Any]) -> Iterator[_Condition]:
    for node in tree:
        if isinstance(node, _Condition):
            yield node
        else:
            yield from _leaves(node[1])


def _names(leaf: _Condition) -> Iterator[str]:
    """The records that a condition on a lookup names."""
    if leaf.op in ("null", "not_null") or leaf.value is None:
        return
    if leaf.op not in ("eq", "ne", "in", "not_in"):
        raise InputError(
            f"{leaf.column.short_name} is a lookup: compare it by eq, ne, in, not_in or null with a record's "
            "name or id."
        )
    for value in leaf.items:
        if not isinstance(value, str):
            raise InputError(f"{leaf.column.short_name} is compared with a record's name or id.")
        if not _is_me(value, leaf.column):
            yield value


def _is_me(value: Any, column: Column) -> bool:
    return isinstance(value, str) and value.strip().casefold() == ME and "systemuser" in column.targets


def _wanted(leaf: _Condition, text: str) -> Wanted:
    return Wanted(text, leaf.column.targets, f"where ({leaf.column.short_name})")


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes conditions as OData text."""

    records: Mapping[tuple[str, str], Found]
    zone: tzinfo

    def joined(self, tree: Sequence[Any], word: str) -> str:
        parts = [self._part(node) for node in tree]
        return parts[0] if len(parts) == 1 else f" {word} ".join(f"({part})" for part in parts)

    def _part(self, node: Any) -> str:
        if isinstance(node, _Condition):
            return self._condition(node)
        word, parts = node
        return self.joined(parts, word)

    def _condition(self, leaf: _Condition) -> str:
        column, op, value = leaf.column, leaf.op, leaf.value
        if op in _WITHOUT_VALUE or (value is None and op in ("eq", "ne")):
            return f"{column.name} {'eq' if op in ('null', 'eq') else 'ne'} null"
        if op in _LISTS:
            return self._one_of(leaf)
        if op == "between":
            low, high = value if isinstance(value, list) and len(value) == 2 else (None, None)
            if low is None or high is None:
                raise InputError(f"between takes a list of two values for {column.short_name}.")
            return f"({self._compared(column, 'ge', low)}) and ({self._compared(column, 'le', high)})"
        if op in _DAYS:
            return self._days(column, op, value)
        if op in _TEXT_FUNCTIONS:
            if column.type not in TEXT_TYPES or not isinstance(value, str):
                raise InputError(f"{op} works on text; {column.short_name} is {column.type.value}.")
            return f"{op}({column.name},{quoted(value)})"
        return self._compared(column, op, value)

    def _one_of(self, leaf: _Condition) -> str:
        op, word = ("eq", "or") if leaf.op == "in" else ("ne", "and")
        return f" {word} ".join(f"({self._compared(leaf.column, op, item)})" for item in leaf.items)

    def _days(self, column: Column, op: str, value: Any) -> str:
        if column.type not in (ColumnType.DATE_ONLY, ColumnType.DATE_TIME):
            raise InputError(f"{op} takes a date column; {column.short_name} is {column.type.value}.")
        if type(value) is not int or not 0 < value <= _MOST_DAYS:
            raise InputError(f"{op} takes a whole number of days from 1 to {_MOST_DAYS:,}.")
        return f"Microsoft.Dynamics.CRM.{_DAYS[op]}(PropertyName='{column.name}',PropertyValue={value})"

    def _compared(self, column: Column, op: str, value: Any) -> str:
        if value is None:
            raise InputError(
                f"The condition on {column.short_name} holds null, which only eq and ne compare with."
            )
        if column.type is ColumnType.LOOKUP:
            return self._lookup(column, op, value)
        if column.type is ColumnType.DATE_TIME and isinstance(value, str) and len(value.strip()) == 10:
            return self._day(column, op, value.strip())
        if column.type is ColumnType.UNIQUEIDENTIFIER:
            return f"{column.name} {op} {guid(value, column.short_name)}"
        if column.type is ColumnType.MULTI_SELECT:
            raise InputError(f"{column.short_name} has several choices; use OData filter with ContainValues.")
        wire = column_value(value, column, self.zone)
        return f"{column.name} {op} {_literal(wire, column)}"

    def _lookup(self, column: Column, op: str, value: Any) -> str:
        if _is_me(value, column):
            name = "EqualUserId" if op == "eq" else "NotEqualUserId"
            return f"Microsoft.Dynamics.CRM.{name}(PropertyName='{column.short_name}')"
        return f"{column.name} {op} {self.records[column.name, value].key}"

    def _day(self, column: Column, op: str, text: str) -> str:
        """A moment compared with a day of the user: from its first moment to the first of the next."""
        day = day_of(text, column)
        first = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        start, end = utc_text(first), utc_text(first + timedelta(days=1))
        name = column.name
        return {
            "eq": f"{name} ge {start} and {name} lt {end}",
            "ne": f"({name} lt {start}) or ({name} ge {end}) or ({name} eq null)",
            "lt": f"{name} lt {start}",
            "le": f"{name} lt {end}",
            "gt": f"{name} ge {end}",
            "ge": f"{name} ge {start}",
        }[op]


def _literal(value: Any, column: Column) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and column.type not in (ColumnType.DATE_ONLY, ColumnType.DATE_TIME):
        return quoted(value)
    return str(value)
