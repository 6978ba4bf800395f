"""How rows of the company are put into the store: which columns they bring, and what is always the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crm_sandbox.schema.model import Table
from crm_sandbox.store import Store, quoted, stored_columns

Values = tuple[Any, ...]

OWNED = (
    "createdon",
    "modifiedon",
    "createdby",
    "modifiedby",
    "ownerid",
    "owningbusinessunit",
    "versionnumber",
)
"""The last columns of rows that a user owns. ``ownerid.table`` goes with them."""

OWNED_BY_USER: Mapping[str, Any] = {"ownerid.table": "systemuser"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table's rows in the order of their values, and what every row has in common."""

    table: str
    columns: tuple[str, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)

    def insert(self, store: Store, rows: Iterable[Values]) -> None:
        """Add rows; columns that are not named get the default of the schema."""
        store.connection.executemany(self._statement(store.schema[self.table]), rows)

    def _statement(self, table: Table) -> str:
        same = {**dict(_defaults(table)), **self.constants}
        same = {name: value for name, value in same.items() if name not in self.columns}
        names = ",".join(quoted(name) for name in (*self.columns, *same))
        values = ",".join([*("?" for _ in self.columns), *(_literal(value) for value in same.values())])
        return f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({values})"  # noqa: S608 - names of the schema


def _defaults(table: Table) -> Iterator[tuple[str, Any]]:
    for name in stored_columns(table):
        column = table.columns.get(name)
        if column is not None and column.default is not None:
            yield name, column.default


def _literal(value: int | str) -> str:
    return str(int(value)) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
