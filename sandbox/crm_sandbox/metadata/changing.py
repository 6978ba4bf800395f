"""Changes of the schema: tables, columns, keys and relationships made, changed and removed, with their rows.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-entity-definitions-using-web-api
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from crm_sandbox.errors import (
    DEPENDED_ON,
    DUPLICATE_ALTERNATE_KEY,
    DUPLICATE_COLUMN,
    ODataError,
)
from crm_sandbox.metadata.described import invalid
from crm_sandbox.queries.search_index import FullText
from crm_sandbox.schema.base_columns import with_base_columns
from crm_sandbox.schema.keeping import keep_tables
from crm_sandbox.schema.model import AlternateKey, Column, ColumnType, ManyToMany, ManyToOne, OnDelete, Table
from crm_sandbox.store import Store, intersects

_FIRST_CODE = 10_000
_NOTES, _REGARDING = "annotation", "regardingobjectid"


class SchemaChanges:
    """Changes the schema of a store and its database together."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._schema = store.schema

    def add_table(self, table: Table, *, notes: bool, activities: bool) -> Table:
        """Make a table; ``notes`` and ``activities`` say whether those can be of its rows.

        Raises:
            ODataError: 400, there is one of its name.
        """
        if self._schema.get(table.name) or self._schema.of_entity_set(table.entity_set):
            raise invalid(f"An entity with the specified name already exists: {table.name}")
        code = max([_FIRST_CODE, *(known.object_type_code for known in self._schema.tables.values())]) + 1
        made = with_base_columns(replace(table, object_type_code=code))
        self._schema.put(made)
        self._store.create_table(made)
        self._store.create_indexes_of(made)
        if notes:
            self._add_target(_NOTES, "objectid", made, f"{made.name}_Annotations")
        for known in list(self._schema.tables.values()):
            if activities and _REGARDING in known.columns:
                self._add_target(known.name, _REGARDING, made, _collection(made, known))
        self._keep()
        return made

    def change_table(self, table: Table) -> None:
        """Put a table with other labels in the place of that of its name."""
        self._schema.put(table)
        self._keep()

    def remove_table(self, table: Table) -> None:
        """Remove a table with its rows.

        Raises:
            ODataError: 400, it is not custom, or a lookup of another table leads to it.
        """
        self._require_custom(table.name, custom=table.is_custom)
        if table.name in self._schema.first:
            raise invalid(f"The table {table.name} is described by a table file: remove it there")
        for lookup in self._schema.incoming(table).values():
            if lookup.table != table.name and lookup.custom:
                raise _depended_on(table.name, f"the column {lookup.column} of {lookup.table}")
        for many in list(table.many_to_many.values()):
            self.remove_many(many)
        for known in list(self._schema.tables.values()):
            self._forget_target(known, table.name)
        self._schema.remove(table.name)
        FullText(self._store).remove(table.name)
        self._store.drop_table(table.name)
        self._keep()

    def add_column(self, table: Table, column: Column, lookups: Iterable[ManyToOne] = ()) -> None:
        """Add a column, and for a lookup its relationships.

        Raises:
            ODataError: 400, there is one of its name.
        """
        if column.name in table.columns:
            raise ODataError(
                400, DUPLICATE_COLUMN, f"A column of the name {column.name} already exists in {table.name}"
            )
        added = replace(
            table,
            columns={**table.columns, column.name: column},
            lookups={**table.lookups, **{lookup.navigation: lookup for lookup in lookups}},
        )
        if column.type is ColumnType.MONEY:
            added = with_base_columns(added)
        self._schema.put(added)
        for name, new in added.columns.items():
            if name not in table.columns:
                self._store.add_column(added, new)
                if new.indexed:
                    self._store.create_index(added, new)
        self._keep()

    def change_column(self, table: Table, column: Column) -> None:
        """Put a column in the place of that of its name."""
        self._schema.put(replace(table, columns={**table.columns, column.name: column}))
        self._keep()

    def remove_column(self, table: Table, column: Column) -> None:
        """Remove a column with its values and, of a lookup, its relationships.

        Raises:
            ODataError: 400, it is not custom, or an alternate key has it.
        """
        self._require_custom(column.name, custom=column.custom and column.name != table.primary_name)
        for key in table.keys.values():
            if column.name in key.columns:
                raise _depended_on(column.name, f"the key {key.name}")
        gone = [column.name]
        base = f"{column.name}_base"
        if column.type is ColumnType.MONEY and base in table.columns:
            gone.insert(0, base)
        left = {name: known for name, known in table.columns.items() if name not in gone}
        lookups = {name: link for name, link in table.lookups.items() if link.column != column.name}
        self._schema.put(replace(table, columns=left, lookups=lookups))
        FullText(self._store).remove(table.name)
        for name in gone:
            self._store.drop_column(table, table.columns[name])
        self._keep()

    def add_key(self, table: Table, key: AlternateKey) -> None:
        """Make an alternate key.

        Raises:
            ODataError: 400, there is one of its name or columns; 412, rows have the same values.
        """
        for known in table.keys.values():
            if known.name.lower() == key.name.lower() or set(known.columns) == set(key.columns):
                raise invalid(f"The key {known.name} of {table.name} has this name or these columns")
        self._schema.put(replace(table, keys={**table.keys, key.name: key}))
        try:
            self._store.create_key(table, key)
        except sqlite3.IntegrityError:
            raise ODataError(
                412, DUPLICATE_ALTERNATE_KEY, f"Rows of {table.name} have the same values in {key.name}"
            ) from None
        self._keep()

    def remove_key(self, table: Table, key: AlternateKey) -> None:
        """Remove an alternate key."""
        left = {name: known for name, known in table.keys.items() if name != key.name}
        self._schema.put(replace(table, keys=left))
        self._store.drop_key(table, key)
        self._keep()

    def add_many(self, many: ManyToMany) -> None:
        """Make a many-to-many relationship.

        Raises:
            ODataError: 400, a name of it is taken.
        """
        self.check_free(many.navigation, self._schema[many.table])
        self.check_free(many.other_navigation, self._schema[many.other])
        if many.intersect in self._schema.tables or many.intersect in intersects(self._schema):
            raise invalid(f"There is a table of the name {many.intersect} already")
        for side in (many, many.reversed()):
            table = self._schema[side.table]
            self._schema.put(replace(table, many_to_many={**table.many_to_many, side.navigation: side}))
        self._store.create_intersect(many)
        self._keep()

    def remove_many(self, many: ManyToMany) -> None:
        """Remove a many-to-many relationship with its links.

        Raises:
            ODataError: 400, it is not custom.
        """
        self._require_custom(many.name, custom=many.custom)
        for name in (many.table, many.other):
            table = self._schema[name]
            left = {nav: known for nav, known in table.many_to_many.items() if known.name != many.name}
            self._schema.put(replace(table, many_to_many=left))
        self._store.drop_table(many.intersect)
        self._keep()

    def check_free(self, name: str, table: Table) -> None:
        """Check that a table has no property of a name yet.

        Raises:
            ODataError: 400, it has.
        """
        taken = (*table.lookups, *table.many_to_many, *self._schema.incoming(table), *table.columns)
        if name.lower() in {known.lower() for known in taken}:
            raise invalid(f"The name {name} is already used by {table.name}")

    def _add_target(self, name: str, column: str, target: Table, collection: str) -> None:
        """Let a polymorphic lookup lead to one table more."""
        table = self._schema[name]
        lookup = table.columns[column]
        suffix = f"_{name}" if column == _REGARDING and not table.is_read_only else ""
        navigation = f"{column}_{target.name}{suffix}"
        on_delete = OnDelete.UNLINK if table.is_read_only else OnDelete.CASCADE
        link = ManyToOne(collection, name, column, target.name, navigation, collection, on_delete)
        widened = replace(lookup, targets=(*lookup.targets, target.name))
        self._schema.put(
            replace(
                table,
                columns={**table.columns, column: widened},
                lookups={**table.lookups, navigation: link},
            )
        )

    def _forget_target(self, table: Table, target: str) -> None:
        """Let the polymorphic lookups of a table lead to one table less; what belongs to its rows goes."""
        columns = dict(table.columns)
        for column in table.columns.values():
            if target in column.targets:
                left = tuple(known for known in column.targets if known != target)
                columns[column.name] = replace(column, targets=left)
                if not table.is_read_only:
                    self._store.delete_referring(table, column, target)
        if columns != table.columns:
            lookups = {name: link for name, link in table.lookups.items() if link.target != target}
            self._schema.put(replace(table, columns=columns, lookups=lookups))

    def _require_custom(self, name: str, *, custom: bool) -> None:
        if not custom:
            raise invalid(f"{name} is no part that was added: it cannot be removed")

    def _keep(self) -> None:
        keep_tables(self._store)


def _collection(target: Table, activity: Table) -> str:
    return f"{target.name}_{activity.schema_name}s"


def _depended_on(name: str, by: str) -> ODataError:
    return ODataError(
        400, DEPENDED_ON, f"The component {name} cannot be deleted because it is referenced by {by}"
    )
