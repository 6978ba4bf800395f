"""Rows as JSON: columns, ETag, and annotations when they are asked for.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/select-columns#formatted-values
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from crm_sandbox.schema.base_columns import CURRENCY, VERSION
from crm_sandbox.schema.model import CHOICE_TYPES, NUMBER_TYPES, Column, ColumnType, Table
from crm_sandbox.store import Row, Store, quoted

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


class Annotations:
    """Which annotations a request asks for: ``*``, or names and prefixes that end with an asterisk."""

    def __init__(self, wanted: str) -> None:
        names = [name.strip() for name in wanted.split(",")]
        self._wanted = [name for name in names if name and not name.startswith("-")]
        self._unwanted = [name[1:] for name in names if name.startswith("-")]

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def __contains__(self, name: str) -> bool:
        return _matches(name, self._wanted) and not _matches(name, self._unwanted)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def etag(row: Mapping[str, Any]) -> str:
    """The weak ETag of a row: its version number."""
    return f'W/"{row[VERSION]}"'


def json_value(column: Column, value: Any) -> Any:
    """A stored value as JSON has it."""
    if column.type is ColumnType.BOOLEAN and value is not None:
        return bool(value)
    return value


class Presenter:
    """Writes the rows of one answer; names of related rows are looked up once."""

    def __init__(self, store: Store, annotations: Annotations) -> None:
        self._store = store
        self._annotations = annotations
        self._names: dict[tuple[str, str], str | None] = {}
        self._symbols: dict[str, str] = {}

    def row(self, table: Table, row: Row, columns: Iterable[Column]) -> dict[str, Any]:
        """A row as it is answered; columns that hold nothing are null."""
        answered: dict[str, Any] = {"@odata.etag": etag(row)}
        for column in columns:
            self.add(answered, table, column, row, column.wire)
        return answered

    def add(self, answered: dict[str, Any], table: Table, column: Column, row: Row, name: str) -> None:
        """Put a column's value and its annotations into an answer, under a name."""
        value = row[column.name]
        if self._annotations and value is not None:
            for annotation, text in self._annotated(table, column, row, value):
                if annotation in self._annotations:
                    answered[f"{name}@{annotation}"] = text
        answered[name] = json_value(column, value)

    def _annotated(self, table: Table, column: Column, row: Row, value: Any) -> Iterable[tuple[str, str]]:
        if column.is_lookup:
            return self._of_lookup(table, column, row, value)
        text = (
            self._table_label(value)
            if column.type is ColumnType.ENTITY_NAME
            else self.formatted(column, value, row)
        )
        return [] if text is None else [(FORMATTED, text)]

    def _table_label(self, name: str) -> str | None:
        """What the table is called that a column names."""
        table = self._store.schema.get(name)
        return None if table is None else table.label

    def formatted(self, column: Column, value: Any, row: Row) -> str | None:
        """A value as a person reads it in the user's format, or None where it is not different."""
        if column.type in CHOICE_TYPES:
            return column.label_of(value)
        if column.type is ColumnType.MONEY:
            return f"{self._symbol(row)}{value:,.{2 if column.precision is None else column.precision}f}"
        if column.type is ColumnType.DECIMAL or column.type is ColumnType.DOUBLE:
            return f"{value:,.{2 if column.precision is None else min(column.precision, 5)}f}"
        if column.type in NUMBER_TYPES:
            return f"{value:,}"
        formatter = _FORMATTERS.get(column.type)
        return None if formatter is None else formatter(column, value)

    def _of_lookup(self, table: Table, column: Column, row: Row, value: str) -> list[tuple[str, str]]:
        target = self._store.schema[target_of(column, row)]
        found = []
        name = self._name(target, value)
        if name is not None:
            found.append((FORMATTED, name))
        navigations = [
            (NAVIGATION, lookup.navigation)
            for lookup in table.lookups_of(column.name)
            if lookup.target == target.name or column.type is ColumnType.OWNER
        ]
        return [*found, *navigations, (LOOKUP_TABLE, target.name)]

    def _name(self, target: Table, key: str) -> str | None:
        known = (target.name, key)
        if known not in self._names:
            sql = (
                f"SELECT {quoted(target.primary_name)} AS name FROM {quoted(target.name)} "  # noqa: S608 - names of the schema
                f"WHERE {quoted(target.key)} = ?"
            )
            found = self._store.rows(sql, [key])
            self._names[known] = found[0]["name"] if found else None
        return self._names[known]

    def _symbol(self, row: Row) -> str:
        key = row.get(CURRENCY)
        if not key:
            return "$"
        if key not in self._symbols:
            currency = self._store.find(self._store.schema["transactioncurrency"], key)
            self._symbols[key] = str(currency["currencysymbol"]) if currency else "$"
        return self._symbols[key]


def target_of(column: Column, row: Mapping[str, Any]) -> str:
    """The table that a lookup's value is a row of."""
    return str(row[column.type_column]) if column.is_polymorphic else column.targets[0]


def _us_date(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year}"


def _date_time(column: Column, value: str) -> str:
    moment = datetime.fromisoformat(value)
    return f"{_us_date(moment)} {moment.hour % 12 or 12}:{moment:%M %p}"


def _labels(column: Column, value: str) -> str:
    return "; ".join(column.label_of(int(item)) or item for item in str(value).split(","))


_FORMATTERS: Mapping[ColumnType, Callable[[Column, Any], str]] = {
    ColumnType.BOOLEAN: lambda column, value: column.label_of(int(value)) or ("Yes" if value else "No"),
    ColumnType.DATE_ONLY: lambda column, value: _us_date(date.fromisoformat(value)),
    ColumnType.DATE_TIME: _date_time,
    ColumnType.MULTI_SELECT: _labels,
}
