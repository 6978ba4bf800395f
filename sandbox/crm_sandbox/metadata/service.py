"""Answers requests about metadata: what an address below ``EntityDefinitions`` and the like names.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/retrieve-metadata-name-metadataid
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crm_sandbox.addresses import Segment, segments_of
from crm_sandbox.coverage import Missing
from crm_sandbox.errors import not_here, unknown_segment
from crm_sandbox.messages import Answer, Request, no_method
from crm_sandbox.metadata.changes_query import retrieve_changes, stamp_of
from crm_sandbox.metadata.definitions import Definition, option_set, parts_of, relationships, table_definition
from crm_sandbox.metadata.edmx import metadata_document, service_document
from crm_sandbox.metadata.finding import as_key, column_at, find_one, table_at
from crm_sandbox.metadata.querying import one, shaped
from crm_sandbox.metadata.writing import MetadataWriting
from crm_sandbox.queries.options import shape_of_options
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.model import NAMESPACE, Column, Table

_PREFIX = f"{NAMESPACE}."
_OPTION_SETS = ("OptionSet",)
_KINDS = {
    "Attributes": "AttributeMetadata",
    "Keys": "EntityKeyMetadata",
    "ManyToOneRelationships": "OneToManyRelationshipMetadata",
    "OneToManyRelationships": "OneToManyRelationshipMetadata",
    "ManyToManyRelationships": "ManyToManyRelationshipMetadata",
}


class MetadataService:
    """Reads and writes the metadata of a store for one request."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._request: Request = context.request
        self._schema = context.store.schema
        self._writing = MetadataWriting(context)

    def answer(self) -> Answer:
        """The answer to the request.

        Raises:
            ODataError: 400, 403, 404, 405 or 501, as the request deserves.
        """
        first, *rest = segments_of(self._request.path) if self._request.path else [Segment("", None)]
        collections: Mapping[str, Callable[[Segment, list[Segment]], Answer]] = {
            "EntityDefinitions": self._tables,
            "RelationshipDefinitions": self._relationships,
        }
        if first.name in collections:
            return collections[first.name](first, rest)
        functions: Mapping[str, Callable[[], Answer]] = {
            "": lambda: self._ok(service_document(self._schema, self._request.root)),
            "$metadata": lambda: Answer(200, self._document(), content_type="application/xml"),
            "RetrieveTimestamp": lambda: self._ok({"Timestamp": stamp_of(self._context.store)}),
            "RetrieveMetadataChanges": lambda: self._ok(retrieve_changes(self._context, first)),
        }
        if first.name == "CreateEntities" and not rest:
            self._only("POST")
            return self._writing.create_entities()
        if first.name not in functions:
            raise not_here(Missing.METADATA)
        if rest:
            raise unknown_segment(rest[0].name)
        self._only("GET")
        return functions[first.name]()

    def _tables(self, first: Segment, rest: list[Segment]) -> Answer:
        if first.key is None:
            if rest:
                raise unknown_segment(rest[0].name)
            if self._request.method == "POST":
                return self._writing.create_table()
            self._only("GET", "POST")
            return self._list(
                [table_definition(table) for table in self._schema.tables.values()],
                "EntityMetadata",
                "EntityDefinitions",
                self._expand_table,
            )
        table = table_at(self._schema, as_key(first))
        if rest:
            return self._below_table(table, rest)
        if self._request.method in ("PUT", "DELETE"):
            return self._writing.change_table(table)
        self._only("GET", "PUT", "DELETE")
        return self._one(table_definition(table), "EntityMetadata", "EntityDefinitions", self._expand_table)

    def _below_table(self, table: Table, rest: list[Segment]) -> Answer:
        part, *deeper = rest
        if part.name == "Attributes":
            return self._columns(table, part, deeper)
        if part.name not in _KINDS:
            return self._property(table_definition(table), rest)
        kind = _KINDS[part.name]
        found = parts_of(self._schema, table)[part.name]()
        context = f"EntityDefinitions('{table.name}')/{part.name}"
        if deeper:
            raise unknown_segment(deeper[0].name)
        if part.key is None:
            if part.name == "Keys" and self._request.method == "POST":
                return self._writing.create_key(table)
            self._only("GET")
            return self._list(found, kind, context, self._expand_nothing)
        definition = find_one(found, as_key(part), kind)
        if part.name == "Keys" and self._request.method == "DELETE":
            return self._writing.remove_key(table, definition)
        self._only("GET")
        return self._one(definition, kind, context, self._expand_nothing)

    def _columns(self, table: Table, part: Segment, deeper: list[Segment]) -> Answer:
        context = f"EntityDefinitions('{table.name}')/Attributes"
        if part.key is not None:
            column = column_at(table, as_key(part))
            return self._column(table, column, context, deeper)
        definitions = parts_of(self._schema, table)["Attributes"]()
        expand = self._expand_column(table)
        if not deeper:
            if self._request.method == "POST":
                return self._writing.create_column(table)
            self._only("GET", "POST")
            return self._list(definitions, "AttributeMetadata", context, expand)
        self._only("GET")
        cast = _cast(deeper)
        typed = [
            {name: value for name, value in definition.items() if name != "@odata.type"}
            for definition in definitions
            if definition["@odata.type"] == f"#{_PREFIX}{cast}"
        ]
        return self._list(typed, cast, f"{context}/{_PREFIX}{cast}", expand)

    def _column(self, table: Table, column: Column, context: str, deeper: list[Segment]) -> Answer:
        definitions = parts_of(self._schema, table)["Attributes"]()
        definition = next(item for item in definitions if item["LogicalName"] == column.name)
        if not deeper:
            if self._request.method in ("PUT", "DELETE"):
                return self._writing.change_column(table, column)
            self._only("GET", "PUT", "DELETE")
            return self._one(definition, "AttributeMetadata", context, self._expand_column(table))
        self._only("GET")
        if deeper[0].name.startswith(_PREFIX):
            kind = _cast(deeper[:1])
            if definition["@odata.type"] != f"#{_PREFIX}{kind}":
                raise unknown_segment(deeper[0].name)
            deeper = deeper[1:]
            if not deeper:
                return self._one(definition, kind, f"{context}/{_PREFIX}{kind}", self._expand_column(table))
        if [segment.name for segment in deeper] == ["OptionSet"] and _has_choices(column):
            choices = option_set(table, column)
            return self._one(choices, "OptionSetMetadata", f"{context}/OptionSet", self._expand_nothing)
        return self._property(definition, deeper)

    def _relationships(self, first: Segment, rest: list[Segment]) -> Answer:
        found = list(relationships(self._schema))
        if first.key is not None:
            definition = find_one(found, as_key(first), "RelationshipMetadata")
            if rest:
                cast = _cast(rest)
                if definition["@odata.type"] != f"#{_PREFIX}{cast}":
                    raise unknown_segment(rest[0].name)
            elif self._request.method in ("PUT", "DELETE"):
                return self._writing.change_relationship(definition)
            self._only("GET", "PUT", "DELETE")
            return self._one(
                definition, "RelationshipMetadata", "RelationshipDefinitions", self._expand_nothing
            )
        if not rest:
            if self._request.method == "POST":
                return self._writing.create_relationship()
            self._only("GET", "POST")
            return self._list(found, "RelationshipMetadata", "RelationshipDefinitions", self._expand_nothing)
        self._only("GET")
        cast = _cast(rest)
        typed = [item for item in found if item["@odata.type"] == f"#{_PREFIX}{cast}"]
        return self._list(typed, cast, f"RelationshipDefinitions/{_PREFIX}{cast}", self._expand_nothing)

    def _property(self, definition: Definition, rest: list[Segment]) -> Answer:
        """One property of a definition: ``EntityDefinitions(LogicalName='account')/DisplayName``."""
        segment, *deeper = rest
        if (
            segment.name not in definition
            or segment.name.startswith("@")
            or deeper
            or segment.key is not None
        ):
            raise unknown_segment(segment.name)
        self._only("GET")
        value = definition[segment.name]
        if value is None:
            return Answer(204)
        return self._ok(value if isinstance(value, dict) else {"value": value})

    def _expand_table(self, definition: Definition, name: str, options: Mapping[str, str]) -> Any:
        table = self._schema[definition["LogicalName"]]
        parts = parts_of(self._schema, table)
        if name not in parts:
            raise unknown_segment(name)
        expand = self._expand_column(table) if name == "Attributes" else self._expand_nothing
        return shaped(parts[name](), options, _KINDS[name], expand)

    def _expand_column(self, table: Table) -> Callable[[Definition, str, Mapping[str, str]], Any]:
        def expand(definition: Definition, name: str, options: Mapping[str, str]) -> Any:
            column = table.columns[definition["LogicalName"]]
            if name == "GlobalOptionSet" and _has_choices(column):
                return None
            if name not in _OPTION_SETS or not _has_choices(column):
                raise unknown_segment(name)
            return one(option_set(table, column), options, "OptionSetMetadata", self._expand_nothing)

        return expand

    def _expand_nothing(self, definition: Definition, name: str, options: Mapping[str, str]) -> Any:
        raise unknown_segment(name)

    def _list(self, found: list[Definition], kind: str, context: str, expand: Any) -> Answer:
        options = self._request.options
        rows = shaped(found, options, kind, expand)
        content: dict[str, Any] = {"@odata.context": self._described(context)}
        if options.get("$count") == "true":
            content["@odata.count"] = len(rows)
        return self._ok({**content, "value": rows}, with_context=False)

    def _one(self, definition: Definition, kind: str, context: str, expand: Any) -> Answer:
        shown = one(definition, self._request.options, kind, expand)
        return self._ok(
            {"@odata.context": f"{self._described(context)}/$entity", **shown}, with_context=False
        )

    def _described(self, context: str) -> str:
        return f"{self._request.root}$metadata#{context}{shape_of_options(self._request.options)}"

    def _document(self) -> str:
        """The CSDL document; with annotations where they are asked for.

        https://learn.microsoft.com/power-apps/developer/data-platform/webapi/web-api-service-documents
        """
        annotated = self._request.options.get("annotations", "false").lower() == "true"
        return metadata_document(self._schema, annotated=annotated)

    def _ok(self, content: dict[str, Any], *, with_context: bool = True) -> Answer:
        if with_context and "@odata.context" not in content:
            content = {"@odata.context": f"{self._request.root}$metadata", **content}
        return Answer(200, content)

    def _only(self, *methods: str) -> None:
        if self._request.method not in methods:
            raise no_method(self._request.method)


def _cast(rest: list[Segment]) -> str:
    segment, *deeper = rest
    if deeper or segment.key is not None or not segment.name.startswith(_PREFIX):
        raise unknown_segment(segment.name)
    return segment.name.removeprefix(_PREFIX)


def _has_choices(column: Column) -> bool:
    return bool(column.choices) or column.type.value == "Boolean"
