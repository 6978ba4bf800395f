"""Rows in SQLite. Values are always bound; names come from the schema alone."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from crm_sandbox.schema.base_columns import VERSION
from crm_sandbox.schema.model import (
    REAL_NUMBER_TYPES,
    TEXT_TYPES,
    WHOLE_NUMBER_TYPES,
    AlternateKey,
    Column,
    ColumnType,
    ManyToMany,
    Schema,
    Table,
)

Row = dict[str, Any]
_CACHE_KIB = 96 * 1024
_FIRST_VERSION = 1_000_000


def quoted(name: str) -> str:
    """A name of the schema as SQL writes it."""
    return f'"{name}"'


def folded(sql: str, column: Column) -> str:
    """The expression by which values of a column are compared: text without regard to case."""
    return f"fold({sql})" if column.type in TEXT_TYPES else sql


def fold(value: str | None) -> str | None:
    """Text in the form in which it is compared.

    Comparisons in Dataverse ignore case:
    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows
    """
    return value.casefold() if isinstance(value, str) else value


class Store:
    """The rows of all tables, in memory or in a file. ``now`` is the clock of writes."""

    def __init__(
        self,
        schema: Schema,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        path: Path | None = None,
    ) -> None:
        self.schema = schema
        self._now = now
        self._depth = 0
        self.connection = sqlite3.connect(
            ":memory:" if path is None else path, check_same_thread=False, isolation_level=None
        )
        self._prepare(in_file=path is not None)

    def close(self) -> None:
        """End the connection; rows in memory are gone."""
        self.connection.close()

    def now(self) -> datetime:
        """The time, in UTC."""
        return self._now().astimezone(UTC)

    def timestamp(self) -> str:
        """Now, as the Web API writes it."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def next_version(self) -> int:
        """A version number greater than any before."""
        ((version,),) = self.connection.execute(
            "UPDATE sandbox_state SET value = value + 1 WHERE name = 'version' RETURNING value"
        ).fetchall()
        return int(version)

    def continue_from(self, version: int) -> None:
        """Make the next version number the one after this."""
        self.connection.execute("UPDATE sandbox_state SET value = ? WHERE name = 'version'", [version])

    def remember(self, name: str, value: str) -> None:
        """Keep a fact about the store itself."""
        self.connection.execute("INSERT OR REPLACE INTO sandbox_state VALUES (?, ?)", [name, value])

    def remembered(self, name: str) -> str | None:
        """A fact kept by :meth:`remember`."""
        found = self.connection.execute("SELECT value FROM sandbox_state WHERE name = ?", [name]).fetchone()
        return None if found is None else str(found[0])

    def forget(self, name: str) -> None:
        """Give up a fact kept by :meth:`remember`."""
        self.connection.execute("DELETE FROM sandbox_state WHERE name = ?", [name])

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Rows of a query, by the names of its columns."""
        cursor = self.connection.execute(sql, parameters)
        names = [item[0] for item in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def find(self, table: Table, key: str) -> Row | None:
        """A row by its key, with every column of its table."""
        found = self.rows(f"SELECT * FROM {quoted(table.name)} WHERE {quoted(table.key)} = ?", [key])  # noqa: S608 - names of the schema
        return found[0] if found else None

    def insert(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows; columns that a row does not have are null."""
        names = stored_columns(table)
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

    def delete_referring(self, table: Table, column: Column, target: str) -> None:
        """Remove the rows whose polymorphic lookup leads to a table."""
        self.connection.execute(
            f"DELETE FROM {quoted(table.name)} WHERE {quoted(column.type_column)} = ?",  # noqa: S608 - names of the schema
            [target],
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is done inside, also to the schema, is taken back when it raises.

        Can be nested.
        """
        tables = self.schema.tables
        name = f"level{self._depth}"
        self.connection.execute(f"SAVEPOINT {name}" if self._depth else "BEGIN")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            self.schema.go_back_to(tables)
            self.connection.execute(f"ROLLBACK TO {name}" if self._depth else "ROLLBACK")
            raise
        self._depth -= 1
        self.connection.execute(f"RELEASE {name}" if self._depth else "COMMIT")

    def write_without_journal(self) -> None:
        """Write faster, into a file that is of no use if that is interrupted. Nothing can be taken back."""
        self.connection.execute("PRAGMA journal_mode = OFF")
        self.connection.execute("PRAGMA synchronous = OFF")

    def create_tables(self) -> None:
        """Make every table of the schema, without indexes, so that many rows can be added fast."""
        for table in self.schema.tables.values():
            self.create_table(table)
        for many in intersects(self.schema).values():
            self.create_intersect(many)

    def clear(self) -> None:
        """Remove every table with its rows, and begin again with the first version number."""
        kinds = "type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' AND name <> 'sandbox_state'"
        # Virtual tables bring tables of their own, which go with them.
        order = "ORDER BY sql LIKE 'CREATE VIRTUAL%' DESC, type DESC"
        for found in self.rows(f"SELECT type, name FROM sqlite_master WHERE {kinds} {order}"):  # noqa: S608 - a constant
            if self.rows("SELECT 1 FROM sqlite_master WHERE name = ?", [found["name"]]):
                self.connection.execute(f"DROP {found['type']} {quoted(found['name'])}")
        self.connection.execute("UPDATE sandbox_state SET value = ? WHERE name = 'version'", [_FIRST_VERSION])

    def create_table(self, table: Table) -> None:
        """Make one table, or the view of a table that shows others together."""
        if table.union_of:
            names = ", ".join(quoted(name) for name in (*stored_columns(table), *_computed(table)))
            union = " UNION ALL ".join(
                f"SELECT {names} FROM {quoted(kind)}"  # noqa: S608 - names of the schema
                for kind in table.union_of
            )
            self.connection.execute(f"CREATE VIEW {quoted(table.name)} AS {union}")
            return
        definitions = ", ".join(
            definition for name in table.columns for definition in _definitions(table, name)
        )
        self.connection.execute(f"CREATE TABLE {quoted(table.name)} ({definitions})")

    def create_intersect(self, many: ManyToMany) -> None:
        """Make the intersect table of a many-to-many relationship."""
        columns = f"{quoted(many.column)}, {quoted(many.other_column)}"
        self.connection.execute(
            f"CREATE TABLE {quoted(many.intersect)} ({columns}, PRIMARY KEY ({columns})) WITHOUT ROWID"
        )

    def drop_table(self, name: str) -> None:
        """Remove a table with its rows, or an intersect table with its links."""
        self.connection.execute(f"DROP TABLE {quoted(name)}")

    def drop_key(self, table: Table, key: AlternateKey) -> None:
        """Remove the index of an alternate key."""
        self.connection.execute(f"DROP INDEX {quoted(f'{table.name}.key.{key.name}')}")

    def drop_column(self, table: Table, column: Column) -> None:
        """Remove a column that no key is made of."""
        self.connection.execute(f"DROP INDEX IF EXISTS {quoted(f'{table.name}.{column.name}')}")
        names = [column.type_column, column.name] if column.is_polymorphic else [column.name]
        for name in names:
            self.connection.execute(f"ALTER TABLE {quoted(table.name)} DROP COLUMN {quoted(name)}")

    def create_indexes(self) -> None:
        """Make the indexes of every table."""
        for table in self.schema.tables.values():
            if not table.union_of:
                self.create_indexes_of(table)
        for name, many in intersects(self.schema).items():
            self.connection.execute(
                f"CREATE INDEX {quoted(name + '.other')} ON {quoted(name)} ({quoted(many.other_column)})"
            )

    def create_indexes_of(self, table: Table) -> None:
        """Make the indexes of one table: its key, its names, its lookups, its alternate keys."""
        self.connection.execute(
            f"CREATE UNIQUE INDEX {quoted(table.name + '.key')} ON {quoted(table.name)} ({quoted(table.key)})"
        )
        for column in table.columns.values():
            if column.indexed or column.name == table.primary_name:
                self.create_index(table, column)
        for key in table.keys.values():
            self.create_key(table, key)

    def create_index(self, table: Table, column: Column) -> None:
        """Index a column, so that a page sorted by it needs no sorting."""
        name = quoted(f"{table.name}.{column.name}")
        # The key ends every order, so the index has it too; a lookup is searched, not sorted by.
        rest = "" if column.is_lookup else f", {quoted(table.key)}"
        expression = folded(quoted(column.name), column)
        self.connection.execute(f"CREATE INDEX {name} ON {quoted(table.name)} ({expression}{rest})")

    def create_key(self, table: Table, key: AlternateKey) -> None:
        """Index an alternate key, which makes it unique."""
        expressions = ", ".join(folded(quoted(name), table.columns[name]) for name in key.columns)
        name = quoted(f"{table.name}.key.{key.name}")
        self.connection.execute(f"CREATE UNIQUE INDEX {name} ON {quoted(table.name)} ({expressions})")

    def add_column(self, table: Table, column: Column) -> None:
        """Add a column of the schema to a table that exists."""
        for definition in _definitions(table, column.name):
            self.connection.execute(f"ALTER TABLE {quoted(table.name)} ADD COLUMN {definition}")

    def _prepare(self, *, in_file: bool) -> None:
        self.connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self.connection.execute("PRAGMA temp_store = MEMORY")
        if in_file:
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.create_function("fold", 1, fold, deterministic=True)
        self.connection.create_function("crm_like", 2, like, deterministic=True)
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS sandbox_state (name TEXT PRIMARY KEY, value) WITHOUT ROWID"
        )
        self.connection.execute("INSERT OR IGNORE INTO sandbox_state VALUES ('version', ?)", [_FIRST_VERSION])


def intersects(schema: Schema) -> dict[str, ManyToMany]:
    """The intersect tables of the many-to-many relationships, each once, by name."""
    found: dict[str, ManyToMany] = {}
    for table in schema.tables.values():
        for many in table.many_to_many.values():
            found.setdefault(many.intersect, many)
    return found


def stored_columns(table: Table) -> list[str]:
    """The SQL columns of a table that hold values."""
    names = []
    for column in table.columns.values():
        if column.computed is None:
            names.append(column.name)
            if column.is_polymorphic:
                names.append(column.type_column)
    return names


def _computed(table: Table) -> list[str]:
    return [column.name for column in table.columns.values() if column.computed is not None]


def _definitions(table: Table, name: str) -> Iterator[str]:
    column = table.columns[name]
    kind = _sql_type(column)
    if column.computed is not None:
        yield f"{quoted(name)} {kind} GENERATED ALWAYS AS ({column.computed}) VIRTUAL"
        return
    yield f"{quoted(name)} {kind}"
    if column.is_polymorphic:
        yield quoted(column.type_column)


def _sql_type(column: Column) -> str:
    if column.type in REAL_NUMBER_TYPES:
        return "REAL"
    if column.type in WHOLE_NUMBER_TYPES or column.type is ColumnType.BOOLEAN or column.name == VERSION:
        return "INTEGER"
    return ""


def like(value: str | None, pattern: str) -> bool | None:
    """SQL Server's LIKE without regard to case, which is what filters on text become in Dataverse.

    https://learn.microsoft.com/sql/t-sql/language-elements/like-transact-sql
    """
    return None if value is None else _regex(pattern).fullmatch(str(value)) is not None


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression that takes no more time than the product of both lengths.

    What stands between two percent signs has one length, so the first place where it is found serves as well
    as any later one: an atomic group keeps the engine from trying those too.
    """
    runs = [""]
    for piece in re.findall(r"\[\^?[^\]]+\]|.", pattern, re.DOTALL):
        if piece == "%":
            runs.append("")
        elif piece == "_":
            runs[-1] += "."
        elif len(piece) > 1:
            inverted = piece[1] == "^"
            inside = re.escape(piece[2 if inverted else 1 : -1]).replace(r"\-", "-")
            runs[-1] += f"[{'^' if inverted else ''}{inside}]"
        else:
            runs[-1] += re.escape(piece)
    first, *rest = runs
    inner = "".join(f"(?>.*?{run})" for run in rest[:-1] if run)
    last = f".*{rest[-1]}" if rest else ""
    try:
        return re.compile(f"{first}{inner}{last}", re.IGNORECASE | re.DOTALL)
    except re.error:  # a set such as [z-a], which matches nothing
        return re.compile(r"(?!)")
