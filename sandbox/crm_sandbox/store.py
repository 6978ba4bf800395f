"""Rows in SQLite. Values are always bound; names come from the schema alone."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from crm_sandbox.schema import VERSION, tables
from crm_tools.tables import ColumnType, Table

_SQL_TYPES = {ColumnType.INTEGER: "INTEGER", ColumnType.MONEY: "NUMERIC"}


def type_column(column: str) -> str:
    """The column that holds which table a lookup's value is a row of."""
    return f"{column}.table"


def quoted(name: str) -> str:
    """A name of the schema as SQL writes it."""
    return f'"{name}"'


class Store:
    """The rows of all tables. ``now`` is the clock of createdon and modifiedon."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._version = 1_000_000
        self.connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        self.connection.create_collation("CI", _compare_without_case)
        self.connection.create_function("crm_like", 2, _like, deterministic=True)
        for table in tables().values():
            self._create(table)

    def close(self) -> None:
        """Forget everything."""
        self.connection.close()

    def timestamp(self) -> str:
        """Now, as the Web API writes it."""
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def next_version(self) -> int:
        """A version number greater than any before."""
        self._version += 1
        return self._version

    def rows(self, sql: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
        """Rows of a query."""
        return [dict(row) for row in self.connection.execute(sql, parameters)]

    def find(self, table: Table, key: str) -> dict[str, Any] | None:
        """A row by its key."""
        found = self.rows(f"SELECT * FROM {quoted(table.name)} WHERE {quoted(table.key)} = ?", [key])  # noqa: S608 - names of the schema
        return found[0] if found else None

    def insert(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows; columns that a row does not have are null."""
        names = _columns(table)
        marks = ",".join("?" * len(names))
        columns = ",".join(map(quoted, names))
        self.connection.executemany(
            f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({marks})",  # noqa: S608 - names of the schema
            ([row.get(name) for name in names] for row in rows),
        )

    def update(self, table: Table, key: str, values: Mapping[str, Any]) -> None:
        """Change columns of a row."""
        sets = ",".join(f"{quoted(name)} = ?" for name in values)
        self.connection.execute(
            f"UPDATE {quoted(table.name)} SET {sets} WHERE {quoted(table.key)} = ?",  # noqa: S608 - names of the schema
            [*values.values(), key],
        )

    def delete(self, table: Table, key: str) -> None:
        """Remove a row."""
        self.connection.execute(f"DELETE FROM {quoted(table.name)} WHERE {quoted(table.key)} = ?", [key])  # noqa: S608 - names of the schema

    def _create(self, table: Table) -> None:
        columns = []
        for name in _columns(table):
            column = table.columns.get(name)
            kind = _SQL_TYPES.get(column.type, "") if column else ""
            columns.append(f"{quoted(name)} {kind}{' PRIMARY KEY' if name == table.key else ''}")
        self.connection.execute(f"CREATE TABLE {quoted(table.name)} ({', '.join(columns)}) WITHOUT ROWID")
        for column in table.columns.values():
            if column.type is ColumnType.LOOKUP:
                index = quoted(f"{table.name}.{column.name}")
                self.connection.execute(
                    f"CREATE INDEX {index} ON {quoted(table.name)} ({quoted(column.name)})"
                )


@lru_cache
def _columns_of(name: str) -> tuple[str, ...]:
    table = tables()[name]
    types = [
        type_column(column.name) for column in table.columns.values() if column.type is ColumnType.LOOKUP
    ]
    return (*table.columns, *types, VERSION)


def _columns(table: Table) -> tuple[str, ...]:
    return _columns_of(table.name)


def _compare_without_case(left: str, right: str) -> int:
    first, second = left.casefold(), right.casefold()
    return (first > second) - (first < second)


def _like(value: str | None, pattern: str) -> bool | None:
    """SQL Server's LIKE without regard to case, which is what filters on text become in Dataverse."""
    return None if value is None else _regex(pattern).fullmatch(str(value)) is not None


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    parts = []
    for piece in re.findall(r"\[\^?[^\]]+\]|.", pattern, re.DOTALL):
        if piece == "%":
            parts.append(".*")
        elif piece == "_":
            parts.append(".")
        elif len(piece) > 1:
            inverted = piece[1] == "^"
            inside = re.escape(piece[2 if inverted else 1 : -1]).replace(r"\-", "-")
            parts.append(f"[{'^' if inverted else ''}{inside}]")
        else:
            parts.append(re.escape(piece))
    try:
        return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
    except re.error:  # a set such as [z-a], which matches nothing
        return re.compile(r"(?!)")
