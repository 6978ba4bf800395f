"""Links in bodies: ``primarycontactid@odata.bind`` and its like.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/associate-disassociate-entities-using-web-api
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crm_sandbox.addresses import reference
from crm_sandbox.errors import bad_property
from crm_sandbox.schema.base_columns import OWNER
from crm_sandbox.schema.model import ManyToMany, ManyToOne, Requirement, Table
from crm_sandbox.session import Privilege, Session
from crm_sandbox.store import Store

BIND = "@odata.bind"


@dataclass(frozen=True, slots=True)
class Links:
    """Links that a body asks for: ``values`` of the row's own lookups, and rows to link to it afterwards."""

    values: dict[str, Any] = field(default_factory=dict)
    incoming: list[tuple[ManyToOne, str]] = field(default_factory=list)
    many: list[tuple[ManyToMany, str]] = field(default_factory=list)

    def set_lookup(self, table: Table, lookup: ManyToOne, key: str, target: str | None = None) -> None:
        """Make a lookup refer to a row."""
        column = table.columns[lookup.column]
        self.values[column.name] = key
        if column.is_polymorphic:
            self.values[column.type_column] = target or lookup.target

    def clear_lookup(self, table: Table, lookup: ManyToOne) -> None:
        """Make a lookup refer to nothing."""
        column = table.columns[lookup.column]
        self.values[column.name] = None
        if column.is_polymorphic:
            self.values[column.type_column] = None


def take_links(store: Store, session: Session, table: Table, name: str, value: Any, links: Links) -> None:
    """Add what ``name@odata.bind`` asks for.

    Raises:
        ODataError: 400, no such navigation property or no reference; 404, the row does not exist;
            403, the caller may not link to it.
    """
    lookup = table.lookups.get(name)
    if lookup is None:
        _take_collection(store, session, table, name, value, links)
        return
    column = table.columns[lookup.column]
    if not (column.on_create or column.on_update):
        raise bad_property(f"The property '{name}' of '{table.name}' cannot be set.")
    if value is None:
        if column.required is Requirement.SYSTEM:
            raise bad_property(f"The property '{name}' of '{table.name}' cannot be null.")
        links.clear_lookup(table, lookup)
        return
    key = reference(store.schema, value, name)
    allowed = {lookup.target, *(("team",) if column.name == OWNER else ())}
    if key.table.name not in allowed:
        raise bad_property(f"The reference of '{name}' is to a row of '{key.table.name}'")
    found = key.get(store)
    session.caller.require(Privilege.READ, key.table)
    links.set_lookup(table, lookup, found[key.table.key], key.table.name)


def _take_collection(
    store: Store, session: Session, table: Table, name: str, value: Any, links: Links
) -> None:
    lookup = store.schema.incoming(table).get(name)
    many = table.many_to_many.get(name)
    if lookup is None and many is None:
        raise bad_property(
            f"An undeclared property '{name}' which only has property annotations in the payload but no "
            f"property value was found in the payload, or the property does not exist on '{table.name}'."
        )
    if not isinstance(value, list):
        raise bad_property(f"'{name}{BIND}' takes an array of references")
    other = lookup.table if lookup is not None else many.other if many is not None else ""
    for item in value:
        key = reference(store.schema, item, name)
        if key.table.name != other:
            raise bad_property(f"The reference of '{name}' is to a row of '{key.table.name}'")
        found = key.get(store)[key.table.key]
        session.caller.require(Privilege.READ, key.table)
        if lookup is not None:
            links.incoming.append((lookup, found))
        elif many is not None:
            links.many.append((many, found))
