"""Writes of metadata: what a request describes becomes a change of the schema.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-entity-definitions-using-web-api
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-entity-relationships-using-web-api
https://learn.microsoft.com/power-apps/developer/data-platform/define-alternate-keys-entity
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crm_sandbox.coverage import Missing
from crm_sandbox.errors import MISSING_PRIVILEGE, ODataError, bad_property, not_here
from crm_sandbox.messages import Answer
from crm_sandbox.metadata.changing import SchemaChanges
from crm_sandbox.metadata.definitions import Definition, metadata_id
from crm_sandbox.metadata.described import (
    Body,
    class_of_body,
    column_of,
    custom_name,
    invalid,
    label_text,
    object_of,
    on_delete_of,
    optional_name,
    ownership_of,
    requirement_of,
    truth,
)
from crm_sandbox.metadata.finding import table_at
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.model import (
    CHOICE_TYPES,
    AlternateKey,
    Column,
    ColumnType,
    ManyToMany,
    ManyToOne,
    Table,
)

_KEY_TYPES = frozenset(
    {ColumnType.STRING, ColumnType.INTEGER, ColumnType.DECIMAL, ColumnType.DATE_TIME, ColumnType.DATE_ONLY}
    | {ColumnType.LOOKUP}
    | CHOICE_TYPES
)
_MOST_KEY_COLUMNS = 16


class MetadataWriting:
    """Writes metadata for one request; only administrators may."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._schema = context.store.schema
        self._changes = SchemaChanges(context.store)

    def create_entities(self) -> Answer:
        """Make several tables at once, all or none: the action CreateEntities.

        Raises:
            ODataError: 400, a definition is wrong; 403, the caller may not.
        """
        given = self._body("prvCreateEntity").get("Entities")
        if not isinstance(given, list) or not given:
            raise bad_property("'Entities' must list at least one table")
        for entity in given:
            self._create_table(object_of(entity, "Entities"))
        return Answer(204)

    def create_table(self) -> Answer:
        """Make a table.

        Raises:
            ODataError: 400, the definition is wrong; 403, the caller may not.
        """
        made = self._create_table(self._body("prvCreateEntity"))
        return self._made(metadata_id(made.name))

    def change_table(self, table: Table) -> Answer:
        """Change the labels of a table, or remove it.

        Raises:
            ODataError: 400, it cannot be; 403, the caller may not.
        """
        if self._context.request.method == "DELETE":
            self._require("prvDeleteEntity")
            self._changes.remove_table(table)
            return Answer(204)
        body = self._body("prvWriteEntity")
        label = label_text(body, "DisplayName", table.label)
        plural = label_text(body, "DisplayCollectionName", table.plural)
        self._changes.change_table(replace(table, label=label, plural=plural))
        return Answer(204)

    def create_column(self, table: Table) -> Answer:
        """Add a column to a table.

        Raises:
            ODataError: 400, the definition is wrong; 403, the caller may not.
        """
        body = self._body("prvCreateAttribute")
        self._require_changeable(table)
        column = column_of(body)
        self._changes.add_column(table, column)
        return self._made(metadata_id(table.name, column.name))

    def change_column(self, table: Table, column: Column) -> Answer:
        """Replace the definition of a column, or remove it.

        Raises:
            ODataError: 400, it cannot be; 403, the caller may not.
        """
        if self._context.request.method == "DELETE":
            self._require("prvDeleteAttribute")
            self._changes.remove_column(table, column)
            return Answer(204)
        body = self._body("prvWriteAttribute")
        if not column.custom:
            label = label_text(body, "DisplayName", column.label)
            changed = replace(column, label=label)
        elif column.is_lookup:
            label = label_text(body, "DisplayName", column.label)
            changed = replace(column, label=label, required=requirement_of(body))
        else:
            described = column_of(body, column)
            changed = replace(described, indexed=column.indexed)
        self._changes.change_column(table, changed)
        return Answer(204)

    def create_key(self, table: Table) -> Answer:
        """Make an alternate key.

        Raises:
            ODataError: 400, the definition is wrong; 403, the caller may not; 412, rows have the same values.
        """
        body = self._body("prvCreateAttribute")
        self._require_changeable(table)
        name = custom_name(body)
        columns = body.get("KeyAttributes")
        if not isinstance(columns, list) or not 0 < len(columns) <= _MOST_KEY_COLUMNS:
            raise invalid(f"'KeyAttributes' must list 1 to {_MOST_KEY_COLUMNS} columns")
        for column in columns:
            known = table.columns.get(column) if isinstance(column, str) else None
            if known is None or known.type not in _KEY_TYPES or known.is_polymorphic:
                raise invalid(f"'{column}' is no column of {table.name} that a key can have")
        if len(set(columns)) != len(columns):
            raise invalid("'KeyAttributes' names a column twice")
        key = AlternateKey(name, tuple(columns))
        self._changes.add_key(table, key)
        return self._made(metadata_id("key", table.name, name))

    def remove_key(self, table: Table, definition: Definition) -> Answer:
        """Remove an alternate key.

        Raises:
            ODataError: 403, the caller may not.
        """
        self._require("prvDeleteAttribute")
        self._changes.remove_key(table, table.keys[definition["SchemaName"]])
        return Answer(204)

    def create_relationship(self) -> Answer:
        """Make a relationship; a one-to-many brings its lookup column.

        Raises:
            ODataError: 400, the definition is wrong; 403, the caller may not.
        """
        body = self._body("prvCreateRelationship")
        kind = class_of_body(body)
        if kind == "OneToManyRelationship":
            made = self._create_lookup(body)
        elif kind == "ManyToManyRelationship":
            made = self._create_many(body)
        else:
            raise bad_property("'@odata.type' names no kind of relationship")
        return self._made(made)

    def change_relationship(self, definition: Definition) -> Answer:
        """Change what a delete does to a relationship's rows, or remove it; the lookup goes with it.

        Raises:
            ODataError: 400, it cannot be; 403, the caller may not.
        """
        removes = self._context.request.method == "DELETE"
        body = {} if removes else self._body("prvWriteRelationship")
        self._require("prvDeleteRelationship" if removes else "prvWriteRelationship")
        if not definition["IsCustomRelationship"]:
            raise invalid(f"{definition['SchemaName']} is no relationship that was added")
        if definition["RelationshipType"] == "ManyToManyRelationship":
            if removes:
                table = self._schema[definition["Entity1LogicalName"]]
                self._changes.remove_many(table.many_to_many[definition["Entity1NavigationPropertyName"]])
            return Answer(204)
        table = self._schema[definition["ReferencingEntity"]]
        lookup = table.lookups[definition["ReferencingEntityNavigationPropertyName"]]
        if removes:
            self._changes.remove_column(table, table.columns[lookup.column])
        else:
            changed = replace(lookup, on_delete=on_delete_of(body))
            self._changes.change_table(replace(table, lookups={**table.lookups, lookup.navigation: changed}))
        return Answer(204)

    def _create_table(self, body: Body) -> Table:
        if class_of_body(body, "Entity") not in ("Entity", "ComplexEntity"):
            raise bad_property("'@odata.type' does not name a table")
        if truth(body, "IsActivity"):
            raise not_here(Missing.CUSTOM_ACTIVITIES)
        schema_name = custom_name(body)
        columns, primary = _columns(body)
        name = schema_name.lower()
        label = label_text(body, "DisplayName", schema_name)
        table = Table(
            name=name,
            entity_set=plural_of(name),
            key=f"{name}id",
            primary_name=primary,
            label=label,
            plural=label_text(body, "DisplayCollectionName", f"{label}s"),
            object_type_code=0,
            ownership=ownership_of(body),
            columns=columns,
            is_custom=True,
            own_schema_name=schema_name,
        )
        return self._changes.add_table(
            table, notes=truth(body, "HasNotes"), activities=truth(body, "HasActivities")
        )

    def _create_lookup(self, body: Body) -> str:
        name = custom_name(body)
        table = table_at(self._schema, ("LogicalName", str(body.get("ReferencingEntity"))))
        target = table_at(self._schema, ("LogicalName", str(body.get("ReferencedEntity"))))
        self._require_changeable(table)
        if body.get("ReferencedAttribute", target.key) != target.key:
            raise invalid(f"'ReferencedAttribute' must be {target.key}")
        described = object_of(body.get("Lookup"), "Lookup")
        schema_name = custom_name(described)
        navigation = optional_name(body, "ReferencingEntityNavigationPropertyName", schema_name)
        collection = optional_name(body, "ReferencedEntityNavigationPropertyName", name)
        self._changes.check_free(collection, target)
        column = Column(
            name=schema_name.lower(),
            type=ColumnType.LOOKUP,
            label=label_text(described, "DisplayName", schema_name),
            description=label_text(described, "Description", ""),
            required=requirement_of(described),
            targets=(target.name,),
            indexed=True,
            custom=True,
            own_schema_name=schema_name,
        )
        link = ManyToOne(
            name,
            table.name,
            column.name,
            target.name,
            navigation,
            collection,
            on_delete_of(body),
            custom=True,
        )
        self._changes.add_column(table, column, [link])
        return metadata_id("relationship", link.name, link.table, link.target)

    def _create_many(self, body: Body) -> str:
        name = custom_name(body)
        first = table_at(self._schema, ("LogicalName", str(body.get("Entity1LogicalName"))))
        second = table_at(self._schema, ("LogicalName", str(body.get("Entity2LogicalName"))))
        own, other = f"{first.name}id", f"{second.name}id"
        if own == other:
            own, other = f"{own}one", f"{other}two"
        many = ManyToMany(
            name=name,
            table=first.name,
            navigation=optional_name(body, "Entity1NavigationPropertyName", name),
            column=own,
            other=second.name,
            other_navigation=optional_name(body, "Entity2NavigationPropertyName", name),
            other_column=other,
            intersect=optional_name(body, "IntersectEntityName", name).lower(),
            custom=True,
        )
        if first.name == second.name and many.navigation == many.other_navigation:
            raise invalid("A table's relationship with itself needs two navigation property names")
        self._changes.add_many(many)
        return metadata_id("relationship", name)

    def _body(self, privilege: str) -> dict[str, Any]:
        self._require(privilege)
        return self._context.request.json()

    def _require(self, privilege: str) -> None:
        caller = self._context.session.caller
        if not caller.is_administrator:
            raise ODataError(
                403,
                MISSING_PRIVILEGE,
                f"Principal user (Id={caller.user_id}, type=8, roleCount={len(caller.roles)}) "
                f"is missing {privilege} privilege",
            )

    def _require_changeable(self, table: Table) -> None:
        if table.is_read_only:
            raise invalid(f"{table.name} shows the rows of other tables and cannot be changed")

    def _made(self, key: str) -> Answer:
        request = self._context.request
        return Answer(204, headers={"OData-EntityId": f"{request.root}{request.path}({key})"})


def plural_of(name: str) -> str:
    """The entity set of a table that is made, from its logical name: ``new_box`` becomes ``new_boxes``."""
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "z", "ch", "sh")) else f"{name}s"


def _columns(body: Body) -> tuple[dict[str, Column], str]:
    given = body.get("Attributes")
    if not isinstance(given, list) or not given:
        raise invalid("'Attributes' must have the primary name column")
    columns: dict[str, Column] = {}
    primary = ""
    for item in given:
        described = object_of(item, "Attributes")
        column = column_of(described)
        if column.name in columns:
            raise invalid(f"'Attributes' names {column.name} twice")
        columns[column.name] = column
        if truth(described, "IsPrimaryName"):
            primary = column.name
    if not primary or columns[primary].type is not ColumnType.STRING:
        raise invalid("One text column of 'Attributes' must have IsPrimaryName: true")
    return columns, primary
