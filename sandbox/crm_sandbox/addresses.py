"""Addresses of the Web API: segments, keys, and references to rows.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/retrieve-entity-using-web-api
https://learn.microsoft.com/power-apps/developer/data-platform/use-alternate-key-reference-record
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crm_sandbox.errors import (
    MISSING_ALTERNATE_KEY,
    UNKNOWN_NAME,
    ODataError,
    bad_property,
    missing_row,
    unknown_property,
    unknown_segment,
)
from crm_sandbox.queries.lexing import tokens
from crm_sandbox.queries.literals import bound
from crm_sandbox.queries.options import split_outside
from crm_sandbox.queries.parsing import Reader
from crm_sandbox.queries.syntax import Literal, LiteralKind
from crm_sandbox.schema.model import NAMESPACE, Column, ColumnType, Schema, Table
from crm_sandbox.store import Row, Store, folded, quoted

_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_SEGMENT = re.compile(r"([\w.$]+)(?:\((.*)\))?", re.DOTALL | re.ASCII)


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a path: ``accounts(id)`` has the name ``accounts`` and the key text ``id``."""

    name: str
    key: str | None


def segments_of(path: str) -> list[Segment]:
    """The segments of a decoded path below the root of the API.

    Raises:
        ODataError: 404, a part is no segment.
    """
    found = []
    for part in split_outside(path, "/"):
        match = _SEGMENT.fullmatch(part)
        if match is None:
            raise unknown_segment(part)
        found.append(Segment(match[1], match[2]))
    return found


@dataclass(frozen=True, slots=True)
class RowKey:
    """What names a row: its primary key, or the columns of an alternate key with their stored values."""

    table: Table
    guid: str | None
    columns: Mapping[str, Any]

    def find(self, store: Store) -> Row | None:
        """The row, if there is one."""
        if self.guid is not None:
            return store.find(self.table, self.guid)
        where = " AND ".join(f"{folded(quoted(name), self.table.columns[name])} = ?" for name in self.columns)
        sql = f"SELECT * FROM {quoted(self.table.name)} WHERE {where}"  # noqa: S608 - names of the schema
        rows = store.rows(
            sql, [_compared(value, self.table.columns[name]) for name, value in self.columns.items()]
        )
        return rows[0] if rows else None

    def get(self, store: Store) -> Row:
        """The row.

        Raises:
            ODataError: 404, there is none.
        """
        row = self.find(store)
        if row is not None:
            return row
        if self.guid is not None:
            raise missing_row(self.table.name, self.guid)
        raise ODataError(
            404,
            MISSING_ALTERNATE_KEY,
            f"A record with the specified key values does not exist in {self.table.name} entity",
        )


def _compared(value: Any, column: Column) -> Any:
    return value.casefold() if isinstance(value, str) and column.type is ColumnType.STRING else value


def row_key(table: Table, text: str, aliases: Mapping[str, str] | None = None) -> RowKey:
    """What the key of a segment says: a GUID without quotes, or the values of an alternate key.

    Raises:
        ODataError: 400, the text is no key of the table.
    """
    text = text.strip()
    if _GUID.fullmatch(text):
        return RowKey(table, str(UUID(text)), {})
    given = _named_values(text, aliases or {})
    # Users and teams share the key of owners, so theirs has another name.
    if set(given) == {table.key} and table.name not in ("systemuser", "team"):
        return RowKey(table, str(bound(given[table.key], table.columns[table.key])), {})
    columns = {}
    for name, literal in given.items():
        column = table.by_wire.get(name) or table.columns.get(name)
        if column is None:
            raise unknown_property(name, table.name)
        columns[column.name] = (
            str(literal.value) if literal.kind is LiteralKind.TEXT else bound(literal, column)
        )
    if not any(set(key.columns) == set(columns) for key in table.keys.values()):
        raise ODataError(
            400,
            UNKNOWN_NAME,
            f"The key in the request URI is not valid for resource '{NAMESPACE}.{table.name}'. Ensure that "
            "the names and number of key properties match the declared or alternate key properties for the "
            "resource.",
        )
    return RowKey(table, None, columns)


def _named_values(text: str, aliases: Mapping[str, str]) -> dict[str, Literal]:
    from crm_sandbox.queries.parsing import FilterParser

    refused = ODataError(400, UNKNOWN_NAME, "The key in the request URL is not a GUID or a key of the table.")
    try:
        reader = Reader(tokens(text, aliases, "key"), "key")
        values: dict[str, Literal] = {}
        while not reader.at_end:
            if values:
                reader.expect(",")
            name = reader.name()
            reader.expect("=")
            values[name] = FilterParser(reader).literal()
    except ODataError:
        raise refused from None
    if not values:
        raise refused
    return values


def reference(schema: Schema, value: Any, name: str) -> RowKey:
    """The row that a bind or an ``@odata.id`` names.

    The forms are ``/contacts(id)``, ``contacts(id)`` and the absolute address.

    Raises:
        ODataError: 400, it names no row of a table.
    """
    text = value if isinstance(value, str) else ""
    match = re.fullmatch(r"(?:https?://[^/]+/api/data/v9\.\d)?/?(\w+)\((.+)\)", text, re.DOTALL)
    table = schema.of_entity_set(match[1]) if match else None
    if match is None or table is None:
        raise bad_property(f"The reference of '{name}' cannot be resolved")
    return row_key(table, match[2])
