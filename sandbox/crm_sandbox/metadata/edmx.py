"""The service document and ``$metadata``.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/web-api-service-documents
http://docs.oasis-open.org/odata/odata/v4.0/odata-v4.0-part3-csdl.html
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from crm_sandbox.metadata.edmx_operations import BASE, add_operations, add_types
from crm_sandbox.schema.model import NAMESPACE, Column, ColumnType, ManyToMany, ManyToOne, Schema, Table

_EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
_EDM = "http://docs.oasis-open.org/odata/ns/edm"
_TYPES = {
    ColumnType.UNIQUEIDENTIFIER: "Edm.Guid",
    ColumnType.INTEGER: "Edm.Int32",
    ColumnType.BIGINT: "Edm.Int64",
    ColumnType.DOUBLE: "Edm.Double",
    ColumnType.DECIMAL: "Edm.Decimal",
    ColumnType.MONEY: "Edm.Decimal",
    ColumnType.BOOLEAN: "Edm.Boolean",
    ColumnType.DATE_ONLY: "Edm.Date",
    ColumnType.DATE_TIME: "Edm.DateTimeOffset",
    ColumnType.PICKLIST: "Edm.Int32",
    ColumnType.STATE: "Edm.Int32",
    ColumnType.STATUS: "Edm.Int32",
    ColumnType.LOOKUP: "Edm.Guid",
    ColumnType.CUSTOMER: "Edm.Guid",
    ColumnType.OWNER: "Edm.Guid",
}


def service_document(schema: Schema, root: str) -> dict[str, Any]:
    """The entity sets by name."""
    sets = sorted(table.entity_set for table in schema.tables.values())
    return {
        "@odata.context": f"{root}$metadata",
        "value": [{"name": name, "kind": "EntitySet", "url": name} for name in sets],
    }


def metadata_document(schema: Schema, *, annotated: bool = False) -> str:
    """The tables, their columns and navigation properties, actions and functions, as CSDL.

    With annotations, columns and tables say what they are called.
    """
    root = Element("edmx:Edmx", {"Version": "4.0", "xmlns:edmx": _EDMX})
    services = SubElement(root, "edmx:DataServices")
    document = SubElement(services, "Schema", {"Namespace": NAMESPACE, "Alias": "mscrm", "xmlns": _EDM})
    SubElement(document, "EntityType", {"Name": BASE, "Abstract": "true"})
    for table in sorted(schema.tables.values(), key=lambda table: table.name):
        _entity_type(document, schema, table, annotated=annotated)
    add_types(document)
    container = Element("EntityContainer", {"Name": "System"})
    for table in sorted(schema.tables.values(), key=lambda table: table.name):
        _entity_set(container, schema, table)
    add_operations(document, container, iter(schema.tables.values()))
    document.append(container)
    return '<?xml version="1.0" encoding="utf-8"?>' + tostring(root, encoding="unicode")


def _entity_type(document: Element, schema: Schema, table: Table, *, annotated: bool) -> None:
    element = SubElement(document, "EntityType", {"Name": table.name, "BaseType": f"mscrm.{BASE}"})
    key = SubElement(element, "Key")
    SubElement(key, "PropertyRef", {"Name": table.key})
    for column in table.columns.values():
        described = _property(element, table, column)
        if annotated:
            _describe(described, column.label)
    for lookup in table.lookups.values():
        _lookup(element, schema, table, lookup)
    for incoming in schema.incoming(table).values():
        attributes = {
            "Name": incoming.collection,
            "Type": f"Collection(mscrm.{incoming.table})",
            "Partner": incoming.navigation,
        }
        SubElement(element, "NavigationProperty", attributes)
    for many in table.many_to_many.values():
        _many(element, many)
    if annotated:
        _describe(element, table.label)


def _describe(element: Element, label: str) -> None:
    SubElement(element, "Annotation", {"Term": "Org.OData.Core.V1.Description", "String": label})


def _property(element: Element, table: Table, column: Column) -> Element:
    attributes = {"Name": column.wire, "Type": _TYPES.get(column.type, "Edm.String")}
    if column.name == table.key:
        attributes["Nullable"] = "false"
    if attributes["Type"] == "Edm.String":
        attributes["Unicode"] = "true"
        if column.max_length:
            attributes["MaxLength"] = str(column.max_length)
    if attributes["Type"] == "Edm.Decimal":
        attributes["Scale"] = "variable"
    return SubElement(element, "Property", attributes)


def _lookup(element: Element, schema: Schema, table: Table, lookup: ManyToOne) -> None:
    attributes = {
        "Name": lookup.navigation,
        "Type": f"mscrm.{lookup.target}",
        "Nullable": "true",
        "Partner": lookup.collection,
    }
    navigation = SubElement(element, "NavigationProperty", attributes)
    constraint = {
        "Property": table.columns[lookup.column].wire,
        "ReferencedProperty": schema[lookup.target].key,
    }
    SubElement(navigation, "ReferentialConstraint", constraint)


def _many(element: Element, many: ManyToMany) -> None:
    attributes = {
        "Name": many.navigation,
        "Type": f"Collection(mscrm.{many.other})",
        "Partner": many.other_navigation,
    }
    SubElement(element, "NavigationProperty", attributes)


def _entity_set(container: Element, schema: Schema, table: Table) -> None:
    element = SubElement(
        container, "EntitySet", {"Name": table.entity_set, "EntityType": f"{NAMESPACE}.{table.name}"}
    )
    targets = {lookup.navigation: lookup.target for lookup in table.lookups.values()}
    targets |= {incoming.collection: incoming.table for incoming in schema.incoming(table).values()}
    targets |= {many.navigation: many.other for many in table.many_to_many.values()}
    for navigation, target in sorted(targets.items()):
        binding = {"Path": navigation, "Target": schema[target].entity_set}
        SubElement(element, "NavigationPropertyBinding", binding)
