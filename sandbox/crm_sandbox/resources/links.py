"""Links between rows at their addresses: ``accounts(id)/primarycontactid/$ref``.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/associate-disassociate-entities-using-web-api
"""

from __future__ import annotations

from typing import Any

from crm_sandbox.addresses import RowKey, Segment, reference, row_key
from crm_sandbox.errors import bad_property, missing_row
from crm_sandbox.messages import Answer, no_method
from crm_sandbox.queries.options import read_options
from crm_sandbox.records.binding import BIND
from crm_sandbox.records.writer import lookup_values
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.model import ManyToOne, Table
from crm_sandbox.session import Privilege
from crm_sandbox.store import Row


def _named(context: Context, name: str) -> RowKey:
    """The row that ``@odata.id`` of the body names."""
    body = context.request.json()
    if "@odata.id" not in body:
        raise bad_property("the body has no '@odata.id'")
    return reference(context.store.schema, body["@odata.id"], name)


class LookupLink:
    """The link of a lookup."""

    def __init__(self, context: Context, table: Table, row: Row, lookup: ManyToOne) -> None:
        self._context = context
        self._table = table
        self._row = row
        self._lookup = lookup

    def answer(self) -> Answer:
        """The answer to a request for the link."""
        match self._context.request.method:
            case "GET":
                return self._get()
            case "PUT":
                body = self._context.request.json()
                if "@odata.id" not in body:
                    raise bad_property("the body has no '@odata.id'")
                return self._set(body["@odata.id"])
            case "DELETE":
                return self._set(None)
        raise no_method(self._context.request.method)

    def _get(self) -> Answer:
        self._context.may_read(self._table)
        key = self._row[self._lookup.column]
        if key is None:
            return Answer(204)
        target = self._context.store.schema[self._lookup.target]
        return Answer(
            200,
            {
                "@odata.context": f"{self._context.request.root}$metadata#$ref",
                "@odata.id": self._context.address(target, key),
            },
        )

    def _set(self, value: Any) -> Answer:
        self._context.writer.update(self._table, self._row, {f"{self._lookup.navigation}{BIND}": value})
        return Answer(204)


class CollectionLinks:
    """The links of a collection-valued navigation property."""

    def __init__(self, context: Context, table: Table, row: Row, segment: Segment) -> None:
        self._context = context
        self._store = context.store
        self._table = table
        self._key: str = row[table.key]
        self._segment = segment

    def answer(self) -> Answer:
        """The answer to a request for the links, or for one of them."""
        match self._context.request.method:
            case "GET":
                return self._list()
            case "POST":
                self._link(_named(self._context, self._segment.name))
                return Answer(204)
            case "DELETE":
                self._unlink(self._addressed())
                return Answer(204)
        raise no_method(self._context.request.method)

    def _list(self) -> Answer:
        self._context.may_read(self._table)
        target, within = self._context.reader.collection(self._table, self._segment.name, self._key)
        self._context.may_read(target)
        keys = self._context.reader.keys(target, read_options(self._context.request.options), within)
        return Answer(
            200,
            {
                "@odata.context": f"{self._context.request.root}$metadata#Collection($ref)",
                "value": [{"@odata.id": self._context.address(target, key)} for key in keys],
            },
        )

    def _addressed(self) -> RowKey:
        """The row to unlink: ``contact_customer_accounts(id)/$ref``, or ``.../$ref?$id=address``."""
        if self._segment.key is not None:
            target, _ = self._context.reader.collection(self._table, self._segment.name, self._key)
            return row_key(target, self._segment.key, self._context.request.aliases)
        given = self._context.request.options.get("$id")
        if given is None:
            raise bad_property("the address names no row: $id is missing")
        return reference(self._store.schema, given, self._segment.name)

    def _link(self, other: RowKey) -> None:
        target, key = self._checked(other)
        many = self._table.many_to_many.get(self._segment.name)
        if many is not None:
            self._may_append(self._table, target)
            self._context.writer.link(many, self._key, key)
            return
        lookup = self._store.schema.incoming(self._table)[self._segment.name]
        row = other.get(self._store)
        self._context.writer.update(
            target, row, {f"{lookup.navigation}{BIND}": f"/{self._table.entity_set}({self._key})"}
        )

    def _unlink(self, other: RowKey) -> None:
        target, key = self._checked(other)
        many = self._table.many_to_many.get(self._segment.name)
        if many is not None:
            self._may_append(self._table, target)
            self._context.writer.unlink(many, self._key, key)
            return
        lookup = self._store.schema.incoming(self._table)[self._segment.name]
        row = other.get(self._store)
        if row[lookup.column] != self._key:
            raise missing_row(target.name, key)
        self._context.session.caller.require(Privilege.WRITE, target)
        self._context.writer.change(target, row, lookup_values(target, lookup, None))

    def _checked(self, other: RowKey) -> tuple[Table, str]:
        target, _ = self._context.reader.collection(self._table, self._segment.name, self._key)
        if other.table.name != target.name:
            raise bad_property(f"The reference of '{self._segment.name}' is to a row of '{other.table.name}'")
        return target, other.get(self._store)[target.key]

    def _may_append(self, table: Table, target: Table) -> None:
        self._context.session.caller.require(Privilege.APPEND, target)
        self._context.session.caller.require(Privilege.APPEND_TO, table)
