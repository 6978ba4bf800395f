"""Tables, columns, keys and relationships as objects of the metadata, with labels and managed properties.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/entitymetadata
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/attributemetadata
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid5

from crm_sandbox.schema.model import (
    NAMESPACE,
    NUMBER_TYPES,
    AlternateKey,
    Choice,
    Column,
    ColumnType,
    ManyToMany,
    ManyToOne,
    OnDelete,
    Schema,
    Table,
)
from crm_sandbox.session import Privilege, privilege_id, privilege_name

LANGUAGE = 1033
_IDS = UUID("c2b1d6a4-0f5e-4b8a-8a53-4d2f9c0e7b61")
Definition = dict[str, Any]

# The name of a column's type in AttributeTypeName, and of the class of its metadata.
_CLASSES = {
    ColumnType.UNIQUEIDENTIFIER: "AttributeMetadata",
    ColumnType.DATE_ONLY: "DateTimeAttributeMetadata",
    ColumnType.CUSTOMER: "LookupAttributeMetadata",
    ColumnType.OWNER: "LookupAttributeMetadata",
    ColumnType.BIGINT: "BigIntAttributeMetadata",
}
_TYPES = {ColumnType.DATE_ONLY: "DateTime", ColumnType.MULTI_SELECT: "Virtual"}
_MERGED = frozenset({"account", "contact", "lead"})
_CASCADES = {OnDelete.CASCADE: "Cascade", OnDelete.UNLINK: "RemoveLink", OnDelete.RESTRICT: "Restrict"}
_OPTION_SETS = (ColumnType.PICKLIST, ColumnType.MULTI_SELECT, ColumnType.STATE, ColumnType.STATUS)


def metadata_id(*names: str) -> str:
    """The id of what these names name; always the same."""
    return str(uuid5(_IDS, "/".join(names)))


def label(text: str) -> Definition:
    """A label in the base language."""
    if not text:
        return {"LocalizedLabels": [], "UserLocalizedLabel": None}
    localized = {
        "Label": text,
        "LanguageCode": LANGUAGE,
        "IsManaged": True,
        "MetadataId": metadata_id("label", text),
        "HasChanged": None,
    }
    return {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}


def _managed(name: str, value: Any) -> Definition:
    return {"Value": value, "CanBeChanged": True, "ManagedPropertyLogicalName": name}


def class_of(column: Column) -> str:
    """The class of a column's metadata: ``StringAttributeMetadata``."""
    return _CLASSES.get(column.type, f"{column.type.value}AttributeMetadata")


def table_definition(table: Table) -> Definition:
    """The EntityMetadata of a table, without its columns, keys and relationships."""
    return {
        "MetadataId": metadata_id(table.name),
        "LogicalName": table.name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "CollectionSchemaName": f"{table.schema_name}s",
        "DisplayName": label(table.label),
        "DisplayCollectionName": label(table.plural),
        "Description": label(""),
        "ObjectTypeCode": table.object_type_code,
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.primary_name,
        "OwnershipType": table.ownership.value,
        "TableType": "Standard",
        "IsActivity": table.is_activity,
        "IsActivityParty": table.name in ("account", "contact", "lead", "systemuser"),
        "IsCustomEntity": table.is_custom,
        "IsManaged": not table.is_custom,
        "IsIntersect": False,
        "IsPrivate": False,
        "IsChildEntity": False,
        "IsLogicalEntity": False,
        "IsValidForAdvancedFind": True,
        "IsStateModelAware": table.has_state,
        "IsOptimisticConcurrencyEnabled": True,
        "IsImportable": not table.is_read_only,
        "HasNotes": not table.is_read_only,
        "HasActivities": table.name in ("account", "contact", "lead", "opportunity"),
        "ChangeTrackingEnabled": False,
        "IsAuditEnabled": _managed("canmodifyauditsettings", False),
        "IsDuplicateDetectionEnabled": _managed("canmodifyduplicatedetectionsettings", True),
        "IsCustomizable": _managed("iscustomizable", True),
        "IsRenameable": _managed("isrenameable", True),
        "CanCreateAttributes": _managed("cancreateattributes", not table.is_read_only),
        "Privileges": [_privilege(table, privilege) for privilege in Privilege],
        "IntroducedVersion": "9.0.0.0",
        "HasChanged": None,
    }


def _privilege(table: Table, privilege: Privilege) -> Definition:
    """https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/securityprivilegemetadata"""
    name = privilege_name(privilege, table)
    return {
        "CanBeBasic": True,
        "CanBeDeep": True,
        "CanBeGlobal": True,
        "CanBeLocal": True,
        "CanBeEntityReference": False,
        "CanBeParentEntityReference": False,
        "CanBeRecordFilter": False,
        "Name": name,
        "PrivilegeId": privilege_id(name),
        "PrivilegeType": privilege.value,
    }


def column_definition(table: Table, column: Column) -> Definition:
    """The AttributeMetadata of a column, with the properties of its own class and its type."""
    found: Definition = {
        "@odata.type": f"#{NAMESPACE}.{class_of(column)}",
        "MetadataId": metadata_id(table.name, column.name),
        "LogicalName": column.name,
        "SchemaName": column.schema_name,
        "EntityLogicalName": table.name,
        "AttributeType": _TYPES.get(column.type, column.type.value),
        "AttributeTypeName": {"Value": f"{_type_name(column)}Type"},
        "AutoNumberFormat": "" if column.type is ColumnType.STRING else None,
        "DisplayName": label(column.label),
        "Description": label(column.description),
        "RequiredLevel": _managed("canmodifyrequirementlevelsettings", column.required.value),
        "IsPrimaryId": column.name == table.key,
        "IsPrimaryName": column.name == table.primary_name,
        "IsCustomAttribute": column.custom,
        "IsManaged": not column.custom,
        "IsLogical": column.computed is not None,
        "IsValidForCreate": column.on_create,
        "IsValidForUpdate": column.on_update,
        "IsValidForRead": True,
        "IsValidODataAttribute": True,
        "IsValidForAdvancedFind": _managed("canmodifysearchsettings", True),
        "IsAuditEnabled": _managed("canmodifyauditsettings", True),
        "IsCustomizable": _managed("iscustomizable", True),
        "IsRenameable": _managed("isrenameable", True),
        "IsFilterable": True,
        "IsSearchable": column.type is ColumnType.STRING,
        "IsSecured": False,
        "AttributeOf": None,
        "ColumnNumber": list(table.columns).index(column.name) + 1,
        "SourceType": 0,
        "IntroducedVersion": "9.0.0.0",
        "HasChanged": None,
    }
    return {**found, **_of_class(column)}


def _type_name(column: Column) -> str:
    return (
        _TYPES.get(column.type, column.type.value)
        if column.type is ColumnType.DATE_ONLY
        else column.type.value
    )


def _of_class(column: Column) -> Definition:
    """The properties that only the class of the column's metadata has."""
    found: Definition = {}
    if column.type in (ColumnType.STRING, ColumnType.MEMO):
        form = column.format or ("TextArea" if column.type is ColumnType.MEMO else "Text")
        found |= {"MaxLength": column.max_length, "Format": form, "FormatName": {"Value": form}}
        found |= {"ImeMode": "Auto"}
    if column.type in NUMBER_TYPES:
        whole = column.type in (ColumnType.INTEGER, ColumnType.BIGINT)
        low, high = column.minimum, column.maximum
        found |= {
            "MinValue": int(low) if whole and low is not None else low,
            "MaxValue": int(high) if whole and high is not None else high,
        }
        if column.type is ColumnType.INTEGER:
            found["Format"] = "None"
        if not whole:
            found["Precision"] = column.precision
        if column.type is ColumnType.MONEY:
            found |= {"PrecisionSource": 2, "IsBaseCurrency": column.name.endswith("_base")}
    if column.type in (ColumnType.DATE_ONLY, ColumnType.DATE_TIME):
        only = column.type is ColumnType.DATE_ONLY
        found |= {
            "Format": "DateOnly" if only else "DateAndTime",
            "DateTimeBehavior": {"Value": "DateOnly" if only else "UserLocal"},
        }
    if column.is_lookup:
        found |= {"Targets": list(column.targets), "Format": "None"}
    if column.type in _OPTION_SETS:
        default = column.default if isinstance(column.default, int) else -1
        found |= {"DefaultFormValue": default}
    if column.type is ColumnType.BOOLEAN:
        found |= {"DefaultValue": bool(column.default)}
    return found


def option_set(table: Table, column: Column) -> Definition:
    """The choices of a column."""
    common = {
        "MetadataId": metadata_id("optionset", table.name, column.name),
        "Name": f"{table.name}_{column.name}",
        "DisplayName": label(column.label),
        "Description": label(""),
        "IsGlobal": False,
        "IsCustomOptionSet": column.custom,
        "IsManaged": not column.custom,
        "IsCustomizable": _managed("iscustomizable", True),
        "HasChanged": None,
    }
    if column.type is ColumnType.BOOLEAN:
        kind = {"@odata.type": f"#{NAMESPACE}.BooleanOptionSetMetadata", "OptionSetType": "Boolean"}
        named = {1: column.label_of(1) or "Yes", 0: column.label_of(0) or "No"}
        options = {"TrueOption": _option(Choice(1, named[1])), "FalseOption": _option(Choice(0, named[0]))}
        return {**kind, **common, **options}
    kind_of_set = {ColumnType.STATE: "State", ColumnType.STATUS: "Status"}.get(column.type, "Picklist")
    kind = {"@odata.type": f"#{NAMESPACE}.OptionSetMetadata", "OptionSetType": kind_of_set}
    return {**kind, **common, "Options": [_typed_option(table, column, choice) for choice in column.choices]}


def _option(choice: Choice) -> Definition:
    return {
        "Value": choice.value,
        "Label": label(choice.label),
        "Description": label(""),
        "Color": None,
        "IsManaged": True,
        "ExternalValue": None,
        "MetadataId": None,
        "HasChanged": None,
    }


def _typed_option(table: Table, column: Column, choice: Choice) -> Definition:
    option = _option(choice)
    if column.type is ColumnType.STATUS:
        return {"@odata.type": f"#{NAMESPACE}.StatusOptionMetadata", **option, "State": choice.state}
    if column.type is ColumnType.STATE:
        reasons = table.columns["statuscode"].choices
        first = next((reason.value for reason in reasons if reason.state == choice.value), None)
        kind = {"@odata.type": f"#{NAMESPACE}.StateOptionMetadata"}
        return {**kind, **option, "DefaultStatus": first, "InvariantName": choice.label}
    return option


def key_definition(table: Table, key: AlternateKey) -> Definition:
    """The EntityKeyMetadata of an alternate key."""
    return {
        "MetadataId": metadata_id("key", table.name, key.name),
        "LogicalName": key.name.lower(),
        "SchemaName": key.name,
        "EntityLogicalName": table.name,
        "KeyAttributes": list(key.columns),
        "DisplayName": label(key.name),
        "EntityKeyIndexStatus": "Active",
        "IsManaged": not table.is_custom,
        "IsSynchronous": False,
        "IsCustomizable": _managed("iscustomizable", True),
        "AsyncJob": None,
        "HasChanged": None,
    }


def lookup_definition(schema: Schema, lookup: ManyToOne) -> Definition:
    """The OneToManyRelationshipMetadata of a lookup."""
    target = schema[lookup.target]
    return {
        "@odata.type": f"#{NAMESPACE}.OneToManyRelationshipMetadata",
        "MetadataId": metadata_id("relationship", lookup.name, lookup.table, lookup.target),
        "SchemaName": lookup.name,
        "RelationshipType": "OneToManyRelationship",
        "IsCustomRelationship": lookup.custom,
        "IsManaged": not lookup.custom,
        "IsHierarchical": lookup.table == lookup.target and lookup.column.startswith("parent"),
        "IsValidForAdvancedFind": True,
        "SecurityTypes": "Append",
        "ReferencedEntity": lookup.target,
        "ReferencedAttribute": target.key,
        "ReferencedEntityNavigationPropertyName": lookup.collection,
        "ReferencingEntity": lookup.table,
        "ReferencingAttribute": lookup.column,
        "ReferencingEntityNavigationPropertyName": lookup.navigation,
        "CascadeConfiguration": {
            "Assign": "Cascade" if lookup.assigns else "NoCascade",
            "Delete": _CASCADES[lookup.on_delete],
            "Merge": "Cascade" if lookup.target in _MERGED and not lookup.custom else "NoCascade",
            "Reparent": "NoCascade",
            "Share": "NoCascade",
            "Unshare": "NoCascade",
            "RollupView": "NoCascade",
        },
        "HasChanged": None,
    }


def many_definition(many: ManyToMany) -> Definition:
    """The ManyToManyRelationshipMetadata of a relationship, the same from both sides."""
    if many.turned:
        many = many.reversed()
    return {
        "@odata.type": f"#{NAMESPACE}.ManyToManyRelationshipMetadata",
        "MetadataId": metadata_id("relationship", many.name),
        "SchemaName": many.name,
        "RelationshipType": "ManyToManyRelationship",
        "IsCustomRelationship": many.custom,
        "IsManaged": not many.custom,
        "IsValidForAdvancedFind": True,
        "SecurityTypes": "None",
        "Entity1LogicalName": many.table,
        "Entity1IntersectAttribute": many.column,
        "Entity1NavigationPropertyName": many.navigation,
        "Entity2LogicalName": many.other,
        "Entity2IntersectAttribute": many.other_column,
        "Entity2NavigationPropertyName": many.other_navigation,
        "IntersectEntityName": many.intersect,
        "HasChanged": None,
    }


def parts_of(schema: Schema, table: Table) -> Mapping[str, Any]:
    """What ``$expand`` adds to a table: its columns, keys and relationships."""
    return {
        "Attributes": lambda: [column_definition(table, column) for column in table.columns.values()],
        "Keys": lambda: [key_definition(table, key) for key in table.keys.values()],
        "ManyToOneRelationships": lambda: [
            lookup_definition(schema, lookup) for lookup in table.lookups.values()
        ],
        "OneToManyRelationships": lambda: [
            lookup_definition(schema, lookup) for lookup in schema.incoming(table).values()
        ],
        "ManyToManyRelationships": lambda: [many_definition(many) for many in table.many_to_many.values()],
    }


def relationships(schema: Schema) -> Iterator[Definition]:
    """Every relationship, each once."""
    seen = set()
    for table in schema.tables.values():
        for lookup in table.lookups.values():
            yield lookup_definition(schema, lookup)
        for many in table.many_to_many.values():
            if many.name not in seen:
                seen.add(many.name)
                yield many_definition(many)
