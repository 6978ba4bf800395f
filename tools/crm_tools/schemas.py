"""JSON Schemas of tools, made from the table facts.

The schemas stay portable across strict clients: property names without ``$``, arrays with ``items``, no
``type`` lists, no unions at the top. They are short on purpose: every conversation pays for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crm_tools.arguments import expandable
from crm_tools.description import Verb
from crm_tools.filters import example_for
from crm_tools.tables import CHOICE_TYPES, Column, ColumnType, Table

JsonSchema = dict[str, Any]

MOST_ROWS = 200
"""Most rows of one page: about what a host lets through before it cuts an answer."""

_LABELS_SHOWN = 110
"""Characters of labels that a choice's description may take; a wrong label is answered with the closest."""

_PROPERTY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""Names of properties that model providers take in the input schema of a tool."""

STRING: JsonSchema = {"type": "string"}
_GUID: JsonSchema = {"type": "string", "format": "uuid"}
FORMAT: JsonSchema = {"type": "string", "enum": ["concise", "detailed"]}
DRY_RUN: JsonSchema = {"type": "boolean"}


LIST_CHANGES_INPUT: JsonSchema = {
    "type": "object",
    "properties": {
        "id": {**_GUID, "description": "Only changes of this record"},
        "top": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
    },
    "additionalProperties": False,
}
UNDO_CHANGE_INPUT: JsonSchema = {
    "type": "object",
    "properties": {"change_id": {**STRING, "maxLength": 40}, "dry_run": DRY_RUN},
    "required": ["change_id"],
    "additionalProperties": False,
}


def input_schema(verb: Verb, table: Table, tables: Mapping[str, Table]) -> JsonSchema:
    """The input of a tool."""
    properties, required = {
        Verb.LIST: _list_input,
        Verb.GET: _get_input,
        Verb.CREATE: _create_input,
        Verb.UPDATE: _update_input,
        Verb.DELETE: _delete_input,
    }[verb](table, tables)
    schema: JsonSchema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    return schema


def output_schema(verb: Verb) -> JsonSchema:
    """The structured answer of a tool. Every answer that is not an error fits it."""
    record: JsonSchema = {"type": "object"}
    if verb is Verb.LIST:
        properties: JsonSchema = {
            "records": {"type": "array", "items": record},
            "shown": {"type": "integer"},
            "more": {"type": "boolean"},
        }
        return {"type": "object", "properties": properties, "required": ["records", "shown", "more"]}
    if verb is Verb.GET:
        return {"type": "object", "properties": {"record": record}, "required": ["record"]}
    if verb is Verb.DELETE:
        return {"type": "object", "properties": {"deleted": record}}
    return {"type": "object", "properties": {"record": record}}


def settable(verb: Verb, table: Table) -> list[str]:
    """Arguments that set something: columns by name and lookups by navigation property.

    A status reason that follows from the state alone is left out, and a name that model providers do not take
    for a property, such as a very long one of a lookup to several tables: tools for any table take it.
    """
    columns = [
        column.name
        for column in table.columns.values()
        if (column.on_create if verb is Verb.CREATE else column.on_update)
        and column.name != table.key
        and not _follows_from_state(column)
    ]
    lookups = [navigation.name for navigation in table.navigations.values() if navigation.writable]
    return [name for name in (*columns, *lookups) if _PROPERTY.fullmatch(name)]


def _follows_from_state(column: Column) -> bool:
    states = [choice.state for choice in column.choices]
    return column.type is ColumnType.STATUS and len(states) == len(set(states))


def _list_input(table: Table, tables: Mapping[str, Table]) -> tuple[JsonSchema, list[str]]:
    properties: JsonSchema = {
        "select": {"type": "array", "items": STRING},
        "filter": {"type": "string", "description": "OData: " + example_for(table, "a")},
        "where": {"type": "array", "items": {"type": "object"}, "description": "[{column,op,value}]"},
        "orderby": STRING,
        **_expand(table, tables),
        "top": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 20},
        "cursor": {"type": "string", "description": "From the last page, alone"},
        "count": {"type": "boolean"},
        "format": FORMAT,
    }
    return properties, []


def _get_input(table: Table, _tables: Mapping[str, Table]) -> tuple[JsonSchema, list[str]]:
    properties: JsonSchema = {
        table.key: _GUID,
        "select": {"type": "array", "items": STRING},
        "expand": {"type": "array", "items": STRING},
        "format": FORMAT,
    }
    return properties, [table.key]


def _create_input(table: Table, _tables: Mapping[str, Table]) -> tuple[JsonSchema, list[str]]:
    properties = {name: _argument(name, table) for name in settable(Verb.CREATE, table)}
    needs = [name for name in table.create_needs if name in properties]
    return {**properties, "dry_run": DRY_RUN}, needs


def _update_input(table: Table, _tables: Mapping[str, Table]) -> tuple[JsonSchema, list[str]]:
    properties: JsonSchema = {table.key: _GUID}
    for name in settable(Verb.UPDATE, table):
        argument = _argument(name, table)
        properties[name] = argument if _never_empty(name, table) else _or_null(argument)
    return {**properties, "etag": STRING, "dry_run": DRY_RUN}, [table.key]


def _delete_input(table: Table, _tables: Mapping[str, Table]) -> tuple[JsonSchema, list[str]]:
    return {table.key: _GUID, "etag": STRING, "dry_run": DRY_RUN}, [table.key]


def _expand(table: Table, tables: Mapping[str, Table]) -> JsonSchema:
    """The argument, where there is something to expand: validators refuse a choice among nothing."""
    names = list(expandable(table, tables))
    return {"expand": {"type": "array", "items": {"type": "string", "enum": names}}} if names else {}


def _argument(name: str, table: Table) -> JsonSchema:
    navigation = table.navigations.get(name)
    column = table.columns[navigation.column if navigation else name]
    schema = dict(STRING) if navigation else _column_schema(column)
    if label := untold_label(column):
        schema["title"] = label
    if column.custom and column.required and name not in table.create_needs:
        schema["description"] = f"{schema.get('description', '')} (business required)".strip()
    return schema


def untold_label(column: Column) -> str | None:
    """The label of an organisation's own column, where its name does not say the same."""
    if not column.custom:
        return None
    name = _letters(column.short_name.partition("_")[2])
    told = (_letters(column.short_name), name, name.removesuffix("id"), name.removesuffix("code"))
    return None if _letters(column.label) in told else column.label


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _column_schema(column: Column) -> JsonSchema:
    if column.type in CHOICE_TYPES:
        return _choice_schema(column)
    schema: JsonSchema
    match column.type:
        case ColumnType.BOOLEAN:
            schema = {"type": "boolean"}
        case ColumnType.MULTI_SELECT:
            schema = {"type": "string", "description": f"Some of: {_labels(column)}"}
        case ColumnType.INTEGER | ColumnType.BIGINT:
            schema = {"type": "integer", "minimum": column.minimum, "maximum": column.maximum}
        case ColumnType.MONEY | ColumnType.DECIMAL | ColumnType.DOUBLE:
            schema = {"type": "number", "minimum": column.minimum, "maximum": column.maximum}
        case ColumnType.DATE_ONLY:
            schema = {"type": "string", "format": "date"}
        case _:
            schema = {"type": "string", "maxLength": column.max_length}
    return {name: value for name, value in schema.items() if value is not None}


def _choice_schema(column: Column) -> JsonSchema:
    # Numbers are taken too (crm_tools.checking); text alone is what every client can send.
    return {"type": "string", "description": _labels(column)}


def _labels(column: Column) -> str:
    labels = ", ".join(choice.label for choice in column.choices)
    if len(labels) > _LABELS_SHOWN:
        return f"{column.choices[0].label}, {column.choices[len(column.choices) // 2].label} ..."
    return labels


def _never_empty(name: str, table: Table) -> bool:
    column = table.columns.get(name)
    if column is None:
        return False
    return name in table.create_needs or column.type in (ColumnType.STATE, ColumnType.STATUS)


def _or_null(schema: JsonSchema) -> JsonSchema:
    # The largest length stands in the create tool already; crm_tools.arguments checks it for both.
    short = {name: value for name, value in schema.items() if name != "maxLength"}
    return {"anyOf": [short, {"type": "null"}]}
