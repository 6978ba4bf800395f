"""Answers requests: finds what an address names, and lets it be read or written in one transaction.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/overview
"""

from __future__ import annotations

from crm_sandbox.addresses import Segment, row_key, segments_of
from crm_sandbox.callers import Identity, caller_of
from crm_sandbox.coverage import Missing
from crm_sandbox.errors import (
    UNKNOWN_NAME,
    ODataError,
    missing_row,
    not_here,
    unknown_property,
    unknown_segment,
)
from crm_sandbox.messages import SEARCH_API, Answer, Request, error_answer, no_method
from crm_sandbox.operations.calls import Call
from crm_sandbox.operations.registry import ELSEWHERE, bound_to_row, bound_to_set, unbound
from crm_sandbox.resources.collections import CollectionResource
from crm_sandbox.resources.columns import ColumnResource
from crm_sandbox.resources.context import Context
from crm_sandbox.resources.links import CollectionLinks, LookupLink
from crm_sandbox.resources.rows import RowResource
from crm_sandbox.resources.sets import SetResource
from crm_sandbox.schema.model import NAMESPACE, Table
from crm_sandbox.store import Row, Store

_PREFIX = f"{NAMESPACE}."
_ABOUT_TABLES = (
    "$metadata",
    "CreateEntities",
    "EntityDefinitions",
    "RelationshipDefinitions",
    "GlobalOptionSetDefinitions",
    "ManagedPropertyDefinitions",
    "RetrieveMetadataChanges",
    "RetrieveTimestamp",
)


class Service:
    """The Web API on a store. One request is one transaction: an error takes everything back."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def answer(self, request: Request, identity: Identity | None) -> Answer:
        """The answer to a request; errors are answers too.

        ``identity`` is who the token speaks for; None stands for the sandbox's first user.
        """
        try:
            with self.store.transaction():
                return self._answer(request, identity)
        except ODataError as error:
            return error_answer(error, request.annotations)

    def _answer(self, request: Request, identity: Identity | None) -> Answer:
        context = Context.of(self.store, request, caller_of(self.store, identity, request.headers))
        if request.path.startswith(_ABOUT_TABLES) or not request.path:
            return self._about_tables(context)
        if request.path.startswith(SEARCH_API):
            return self._search(context)
        first, *rest = segments_of(request.path)
        call = unbound(first)
        if call is not None and not rest:
            return call(Call.of(context, first))
        table = self.store.schema.of_entity_set(first.name)
        if table is None:
            raise self._unknown(first.name)
        if first.key is None:
            return self._on_set(context, table, rest)
        return self._on_key(context, table, first.key, rest)

    def _unknown(self, name: str) -> ODataError:
        """The refusal of a name that is no entity set."""
        return not_here(Missing.ACTIONS) if name in ELSEWHERE else unknown_segment(name)

    def _unknown_bound(self, name: str) -> ODataError:
        return self._unknown(name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else name)

    def _search(self, context: Context) -> Answer:
        from crm_sandbox.searching import search

        return search(context)

    def _about_tables(self, context: Context) -> Answer:
        # Loaded when it is asked for: most clients never do.
        from crm_sandbox.metadata import MetadataService

        return MetadataService(context).answer()

    def _on_set(self, context: Context, table: Table, rest: list[Segment]) -> Answer:
        if not rest:
            return SetResource(context, table).answer()
        segment, *deeper = rest
        if segment.name == "$count" and not deeper:
            return SetResource(context, table).count()
        call = (
            bound_to_set(segment.name.removeprefix(_PREFIX), table)
            if segment.name.startswith(_PREFIX)
            else None
        )
        if call is not None and not deeper:
            return call(Call.of(context, segment, table))
        if bound_to_set(segment.name, table) is not None and context.request.method == "POST":
            raise _unresolved(segment.name)
        raise self._unknown_bound(segment.name)

    def _on_key(self, context: Context, table: Table, text: str, rest: list[Segment]) -> Answer:
        key = row_key(table, text, context.request.aliases)
        if not rest:
            return RowResource(context, table).answer(key)
        return self._below(context, table, key.get(self.store), rest)

    def _below(self, context: Context, table: Table, row: Row, rest: list[Segment]) -> Answer:
        """What stands behind a row in the address."""
        segment, *deeper = rest
        name = segment.name
        if name == "$ref" and not deeper:
            return RowResource(context, table).reference(row)
        if name.startswith(_PREFIX) and not deeper:
            call = bound_to_row(name.removeprefix(_PREFIX), table)
            if call is None:
                raise self._unknown_bound(name)
            return call(Call.of(context, segment, table, row))
        if bound_to_row(name, table) is not None and context.request.method == "POST":
            raise _unresolved(name)
        if name in table.by_wire and segment.key is None:
            return ColumnResource(context, table, row, table.by_wire[name]).answer(deeper)
        if name in table.lookups and segment.key is None:
            return self._behind_lookup(context, table, row, name, deeper)
        if name in self.store.schema.incoming(table) or name in table.many_to_many:
            return self._behind_collection(context, table, row, segment, deeper)
        raise unknown_property(name, table.name) if name.islower() else unknown_segment(name)

    def _behind_lookup(
        self, context: Context, table: Table, row: Row, name: str, deeper: list[Segment]
    ) -> Answer:
        lookup = table.lookups[name]
        if [segment.name for segment in deeper] == ["$ref"]:
            return LookupLink(context, table, row, lookup).answer()
        target = self.store.schema[lookup.target]
        column = table.columns[lookup.column]
        key = row[column.name]
        if key is not None and column.is_polymorphic and row[column.type_column] != target.name:
            key = None
        if not deeper:
            if context.request.method != "GET":
                raise no_method(context.request.method)
            return RowResource(context, target).get_related(key)
        found = self.store.find(target, key) if key else None
        if found is None:
            raise missing_row(target.name, str(key))
        return self._below(context, target, found, deeper)

    def _behind_collection(
        self, context: Context, table: Table, row: Row, segment: Segment, deeper: list[Segment]
    ) -> Answer:
        names = [item.name for item in deeper]
        if names == ["$ref"]:
            return CollectionLinks(context, table, row, segment).answer()
        collection = CollectionResource(context, table, row, segment.name)
        if segment.key is not None:
            target, found = collection.member(segment.key)
            if not deeper:
                return RowResource(context, target).get_related(found[target.key])
            return self._below(context, target, found, deeper)
        if names == ["$count"]:
            return collection.count()
        if deeper:
            raise unknown_segment(deeper[0].name)
        return collection.answer()


def _unresolved(name: str) -> ODataError:
    """The refusal of a bound action that is called without its full name.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/use-web-api-actions
    """
    return ODataError(400, UNKNOWN_NAME, f"Request message has unresolved parameters: {name}.")
