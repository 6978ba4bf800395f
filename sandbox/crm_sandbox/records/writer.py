"""Creates, updates and upserts of single rows, with the rows that a body holds inside.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-entity-web-api
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from crm_sandbox.errors import (
    DUPLICATE_ALTERNATE_KEY,
    DUPLICATE_KEY,
    READ_ONLY_TABLE,
    REQUIRED_MISSING,
    ODataError,
    bad_property,
)
from crm_sandbox.records.assigning import assign_below
from crm_sandbox.records.binding import BIND, Links, take_links
from crm_sandbox.records.computing import compute
from crm_sandbox.records.duplicates import find_duplicate
from crm_sandbox.records.states import changed_state, initial_state
from crm_sandbox.records.values import guid, stored_value
from crm_sandbox.schema.base_columns import CREATED, CURRENCY, MODIFIED, OWNER, RATE, STATE, STATUS, VERSION
from crm_sandbox.schema.model import ManyToMany, ManyToOne, Requirement, Table
from crm_sandbox.session import Privilege, Session
from crm_sandbox.store import Row, Store, quoted

DEEPEST_INSERT = 8


@dataclass(frozen=True, slots=True)
class _Body:
    """A body, sorted out: values of columns, links to rows that exist, and rows to create with it."""

    values: dict[str, Any] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    parents: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    children: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)


_WRITTEN_WITH_OTHERS = frozenset({"activityparty"})
"""Tables whose rows are written together with the row they belong to, and not by themselves."""


def refuse_alone(table: Table, privilege: Privilege, depth: int = 0) -> None:
    """Check that rows of a table are written by themselves; ``depth`` counts the rows round a body.

    Raises:
        ODataError: 400, they are written together with the row they belong to.
    """
    if table.name in _WRITTEN_WITH_OTHERS and depth == 0:
        raise _no_such_method(table, privilege)


def _no_such_method(table: Table, privilege: Privilege) -> ODataError:
    return ODataError(
        400,
        READ_ONLY_TABLE,
        f"The '{privilege}' method does not support entities of type '{table.name}'.",
    )


class RowWriter:
    """Writes rows for one request.

    ``check_duplicates`` is what the header ``MSCRM.SuppressDuplicateDetection: false`` asks for.
    """

    def __init__(self, store: Store, session: Session, *, check_duplicates: bool = False) -> None:
        self._store = store
        self._schema = store.schema
        self._session = session
        self._check_duplicates = check_duplicates

    def create(self, table: Table, body: Mapping[str, Any], depth: int = 0) -> str:
        """Store a new row, and the rows that its body holds; the key of the new row.

        Raises:
            ODataError: The body does not fit, a row has this key, or the caller lacks the privilege.
        """
        self._may(Privilege.CREATE, table)
        refuse_alone(table, Privilege.CREATE, depth)
        if depth > DEEPEST_INSERT:
            raise bad_property("the body is nested too deeply")
        given = body.get(table.key)
        key = str(uuid4()) if given is None else guid(given, table.columns[table.key])
        sorted_out = self._sort(table, body, creating=True)
        if self._store.find(table, key) is not None:
            raise ODataError(412, DUPLICATE_KEY, "A record with matching key values already exists.")
        for navigation, parent in sorted_out.parents.items():
            lookup = table.lookups[navigation]
            parent_key = self.create(self._schema[lookup.target], parent, depth + 1)
            sorted_out.links.set_lookup(table, lookup, parent_key)
        row = self._new_row(table, key, {**sorted_out.values, **sorted_out.links.values})
        _require_values(table, row)
        self._refuse_duplicate(table, row)
        self._storing(table, lambda: self._store.insert(table, [row]))
        self._finish_links(table, key, sorted_out.links)
        for navigation, children in sorted_out.children.items():
            for child in children:
                self._create_in_collection(table, key, navigation, child, depth)
        return key

    def update(self, table: Table, row: Row, body: Mapping[str, Any]) -> None:
        """Change the columns of a row that the body names.

        Raises:
            ODataError: The body does not fit, or the caller lacks the privilege.
        """
        self._may(Privilege.WRITE, table)
        refuse_alone(table, Privilege.WRITE, 0)
        sorted_out = self._sort(table, body, creating=False)
        if sorted_out.parents or sorted_out.children:
            raise bad_property("related rows cannot be created inside an update")
        self._refuse_duplicate(table, {**row, **sorted_out.values})
        self.change(table, row, {**sorted_out.values, **sorted_out.links.values})
        self._finish_links(table, row[table.key], sorted_out.links)

    def change(self, table: Table, row: Row, values: Mapping[str, Any]) -> None:
        """Store checked values in a row, with what follows from them."""
        values = dict(values)
        if OWNER in values and values[OWNER] != row[OWNER]:
            self._may(Privilege.ASSIGN, table)
            values["owningbusinessunit"] = self._unit_of(values)
            assign_below(self._store, self._session.caller, table, row[table.key], values)
        if table.has_state and (values.get(STATE) is not None or values.get(STATUS) is not None):
            values |= changed_state(table, row, values)
        else:
            values = {name: value for name, value in values.items() if name not in (STATE, STATUS)}
        if values.get(CURRENCY) is not None and table.key != CURRENCY and RATE in table.columns:
            values[RATE] = self._rate(values[CURRENCY])
        compute(table, {**row, **values}, values)
        values |= {
            MODIFIED: self._store.timestamp(),
            "modifiedby": self._session.caller.user_id,
            "modifiedonbehalfby": self._session.caller.delegate_id,
            VERSION: self._store.next_version(),
        }
        self._storing(table, lambda: self._store.update(table, row[table.key], values))

    def _may(self, privilege: Privilege, table: Table) -> None:
        if table.is_read_only:
            raise _no_such_method(table, privilege)
        self._session.caller.require(privilege, table)

    def _sort(self, table: Table, body: Mapping[str, Any], *, creating: bool) -> _Body:
        """Sort a body out. Columns that may not be set are ignored, as Dataverse does."""
        found = _Body()
        plain = {}
        for name, value in body.items():
            if name.endswith(BIND):
                take_links(self._store, self._session, table, name.removesuffix(BIND), value, found.links)
            elif "@" not in name:  # annotations such as @odata.type carry no value
                plain[name] = value
        for name, value in plain.items():
            self._sort_value(table, name, value, found, creating=creating)
        return found

    def _sort_value(self, table: Table, name: str, value: Any, found: _Body, *, creating: bool) -> None:
        column = table.by_wire.get(name)
        if column is not None and column.is_lookup:
            raise bad_property(
                "CRM do not support direct update of Entity Reference properties, "
                f"Use Navigation properties instead. ({name})"
            )
        if column is not None:
            if value is None and not creating and name in (STATE, STATUS):
                raise bad_property(f"'{name}' cannot be null")
            if name != table.key and (column.on_create if creating else column.on_update):
                found.values[name] = stored_value(value, column, table.name)
        elif name in table.lookups:
            self._sort_parent(table, table.lookups[name], value, found)
        elif name in self._schema.incoming(table) or name in table.many_to_many:
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                raise bad_property(f"'{name}' takes an array of objects")
            found.children[name] = value
        else:
            raise bad_property(
                f"An undeclared property '{name}' which only has property annotations in the payload but no "
                f"property value was found in the payload, or the property does not exist on '{table.name}'."
            )

    def _sort_parent(self, table: Table, lookup: ManyToOne, value: Any, found: _Body) -> None:
        if value is None:
            found.links.clear_lookup(table, lookup)
        elif isinstance(value, dict):
            found.parents[lookup.navigation] = value
        else:
            raise bad_property(f"'{lookup.navigation}' takes an object")

    def _new_row(self, table: Table, key: str, values: Mapping[str, Any]) -> Row:
        caller = self._session.caller
        now = self._store.timestamp()
        row: Row = {
            column.name: int(column.default)
            for column in table.columns.values()
            if column.default is not None
        }
        if OWNER in table.columns:
            row |= {OWNER: caller.user_id, f"{OWNER}.table": "systemuser"}
        in_currency = CURRENCY in table.columns and table.key != CURRENCY
        if in_currency:
            row[CURRENCY] = self._base_currency()
        row |= values
        if OWNER in table.columns:
            row["owningbusinessunit"] = self._unit_of(row)
        if in_currency:
            row[RATE] = None if row[CURRENCY] is None else self._rate(row[CURRENCY])
        if table.has_state:
            row |= initial_state(table, row.get(STATUS))
        # A row brought over from elsewhere keeps its day of creation.
        # https://learn.microsoft.com/power-apps/developer/data-platform/import-data#overriddencreatedon
        made = row.get("overriddencreatedon") or now
        if row.get("overriddencreatedon"):
            row["overriddencreatedon"] = now
        row |= {table.key: key, CREATED: made, MODIFIED: now, VERSION: self._store.next_version()}
        row |= {"createdby": caller.user_id, "modifiedby": caller.user_id}
        row |= {"createdonbehalfby": caller.delegate_id, "modifiedonbehalfby": caller.delegate_id}
        compute(table, row, row)
        return row

    def _create_in_collection(
        self, table: Table, key: str, navigation: str, body: Mapping[str, Any], depth: int
    ) -> None:
        lookup = self._schema.incoming(table).get(navigation)
        if lookup is not None:
            child = self._schema[lookup.table]
            self.create(
                child, {**body, f"{lookup.navigation}{BIND}": f"/{table.entity_set}({key})"}, depth + 1
            )
            return
        many = table.many_to_many[navigation]
        self.link(many, key, self.create(self._schema[many.other], body, depth + 1))

    def create_in_collection(self, table: Table, key: str, navigation: str, body: Mapping[str, Any]) -> None:
        """Store a new row that a collection-valued navigation property of another row then holds."""
        self._create_in_collection(table, key, navigation, body, 0)

    def _finish_links(self, table: Table, key: str, links: Links) -> None:
        for lookup, other in links.incoming:
            child = self._schema[lookup.table]
            row = self._store.find(child, other)
            if row is not None:
                self._may(Privilege.APPEND, child)
                self.change(child, row, lookup_values(child, lookup, key))
        for many, other in links.many:
            self.link(many, key, other)

    def link(self, many: ManyToMany, key: str, other: str) -> None:
        """Link two rows through a many-to-many relationship; linking twice changes nothing."""
        self._store.connection.execute(
            f"INSERT OR IGNORE INTO {quoted(many.intersect)} "  # noqa: S608 - names of the schema
            f"({quoted(many.column)}, {quoted(many.other_column)}) VALUES (?, ?)",
            [key, other],
        )

    def unlink(self, many: ManyToMany, key: str, other: str) -> None:
        """Undo :meth:`link`."""
        self._store.connection.execute(
            f"DELETE FROM {quoted(many.intersect)} "  # noqa: S608 - names of the schema
            f"WHERE {quoted(many.column)} = ? AND {quoted(many.other_column)} = ?",
            [key, other],
        )

    def _refuse_duplicate(self, table: Table, row: Row) -> None:
        if self._check_duplicates:
            find_duplicate(self._store, table, row)

    def _storing(self, table: Table, write: Callable[[], None]) -> None:
        try:
            write()
        except sqlite3.IntegrityError:
            names = ", ".join(key.name for key in table.keys.values())
            raise ODataError(
                412,
                DUPLICATE_ALTERNATE_KEY,
                f"Entity Key {names} violated. A record with the same value already exists. "
                "A duplicate record cannot be created.",
            ) from None

    def _unit_of(self, row: Mapping[str, Any]) -> str | None:
        owner = self._store.find(self._schema[row[f"{OWNER}.table"]], row[OWNER])
        return None if owner is None else owner["businessunitid"]

    def _base_currency(self) -> str | None:
        found = self._store.rows(
            "SELECT transactioncurrencyid AS key FROM transactioncurrency "
            "ORDER BY exchangerate = 1 DESC, createdon LIMIT 1"
        )
        return found[0]["key"] if found else None

    def _rate(self, currency: str) -> float:
        row = self._store.find(self._schema["transactioncurrency"], currency)
        return float(row[RATE]) if row and row[RATE] else 1.0


def lookup_values(table: Table, lookup: ManyToOne, key: str | None) -> dict[str, Any]:
    """The values that make a lookup refer to a row, or to none."""
    column = table.columns[lookup.column]
    values: dict[str, Any] = {column.name: key}
    if column.is_polymorphic:
        values[column.type_column] = None if key is None else lookup.target
    return values


def _require_values(table: Table, row: Row) -> None:
    """SystemRequired columns need a value; ApplicationRequired ones are left to forms.

    https://learn.microsoft.com/power-apps/developer/data-platform/entity-attribute-metadata#column-requirement-level
    """
    for column in table.columns.values():
        if column.required is Requirement.SYSTEM and row.get(column.name) is None and column.computed is None:
            raise ODataError(
                400, REQUIRED_MISSING, f"A required field is missing: '{column.name}' of '{table.name}'."
            )
