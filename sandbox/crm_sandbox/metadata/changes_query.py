"""RetrieveMetadataChanges: tables with their parts by criteria, and what changed since a stamp.

https://learn.microsoft.com/power-apps/developer/data-platform/query-schema-definitions
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrievemetadatachanges
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from crm_sandbox.addresses import Segment
from crm_sandbox.errors import EXPIRED_VERSION_STAMP, UNKNOWN_NAME, ODataError, bad_property
from crm_sandbox.metadata.definitions import Definition, option_set, parts_of, table_definition
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.model import CHOICE_TYPES, NAMESPACE, ColumnType, Table
from crm_sandbox.store import Store

_PARAMETER = re.compile(r"\s*(\w+)\s*=\s*(@\w+|null|'[^']*')\s*", re.ASCII)
_ALWAYS = ("@odata.type", "MetadataId", "LogicalName", "SchemaName", "HasChanged")
_QUERIES = {
    "Attributes": "AttributeQuery",
    "Keys": "KeyQuery",
    "ManyToOneRelationships": "RelationshipQuery",
    "OneToManyRelationships": "RelationshipQuery",
    "ManyToManyRelationships": "RelationshipQuery",
}
_CHOICES = (*CHOICE_TYPES, ColumnType.MULTI_SELECT, ColumnType.BOOLEAN)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda value, wanted: bool(_same(value, wanted)),
    "NotEquals": lambda value, wanted: not _same(value, wanted),
    "In": lambda value, wanted: any(_same(value, item) for item in wanted),
    "NotIn": lambda value, wanted: not any(_same(value, item) for item in wanted),
    "GreaterThan": lambda value, wanted: isinstance(value, int | float) and value > wanted,
    "LessThan": lambda value, wanted: isinstance(value, int | float) and value < wanted,
}


def stamp_of(store: Store) -> str:
    """The stamp of the metadata as it is: it changes with every table, column, key and relationship."""
    facts = sorted((name, repr(table)) for name, table in store.schema.tables.items())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def retrieve_changes(context: Context, segment: Segment) -> Definition:
    """The answer to ``RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2)``.

    Raises:
        ODataError: 400, the query is malformed; 0x80044352, the client's stamp is an old one.
    """
    given = _parameters(context, segment)
    query = _object(given.get("Query"), "Query")
    stamp = stamp_of(context.store)
    known = given.get("ClientVersionStamp")
    if known not in (None, stamp):
        raise ODataError(
            400,
            EXPIRED_VERSION_STAMP,
            "Version stamp associated with the client has expired. Please perform a full sync.",
        )
    tables = [] if known == stamp else context.store.schema.tables.values()
    return {
        "@odata.context": f"{context.request.root}$metadata#{NAMESPACE}.RetrieveMetadataChangesResponse",
        "ServerVersionStamp": stamp,
        "DeletedMetadata": None,
        "EntityMetadata": [
            _shown(context, table, query)
            for table in tables
            if _fits(query.get("Criteria"), table_definition(table))
        ],
    }


def _parameters(context: Context, segment: Segment) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in (segment.key or "").split(","):
        match = _PARAMETER.fullmatch(part)
        if not part.strip():
            continue
        if match is None:
            raise ODataError(400, UNKNOWN_NAME, "The parameters of RetrieveMetadataChanges are malformed.")
        text = context.request.aliases.get(match[2], "null") if match[2].startswith("@") else match[2]
        found[match[1]] = _value(text.strip())
    return found


def _value(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ODataError(400, UNKNOWN_NAME, "A parameter of RetrieveMetadataChanges is not JSON.") from None


def _shown(context: Context, table: Table, query: Mapping[str, Any]) -> Definition:
    wanted = _object(query.get("Properties"), "Properties")
    shown = _with_properties(table_definition(table), wanted)
    parts = parts_of(context.store.schema, table)
    every = wanted.get("AllProperties") is True
    for name, made in parts.items():
        inner = query.get(_QUERIES[name])
        if inner is None and not every and name not in (wanted.get("PropertyNames") or []):
            continue
        part = _object(inner, _QUERIES[name])
        shown[name] = [
            _with_properties(_with_choices(table, definition), _object(part.get("Properties"), "Properties"))
            for definition in made()
            if _fits(part.get("Criteria"), definition)
        ]
    return shown


def _with_choices(table: Table, definition: Definition) -> Definition:
    column = table.columns.get(definition["LogicalName"]) if "AttributeType" in definition else None
    if column is None or column.type not in _CHOICES:
        return definition
    return {**definition, "OptionSet": option_set(table, column)}


def _with_properties(definition: Definition, wanted: Mapping[str, Any]) -> Definition:
    if not wanted or wanted.get("AllProperties") is True:
        return dict(definition)
    names = wanted.get("PropertyNames") or []
    if not isinstance(names, list):
        raise bad_property("'PropertyNames' must be a list")
    return {name: value for name, value in definition.items() if name in names or name in _ALWAYS}


def _fits(criteria: Any, definition: Definition) -> bool:
    """Whether a definition fulfils a MetadataFilterExpression."""
    if criteria is None:
        return True
    expression = _object(criteria, "Criteria")
    results = [_holds(condition, definition) for condition in _list(expression, "Conditions")]
    results += [_fits(inner, definition) for inner in _list(expression, "Filters")]
    if not results:
        return True
    return any(results) if expression.get("FilterOperator") == "Or" else all(results)


def _holds(given: Any, definition: Definition) -> bool:
    condition = _object(given, "Conditions")
    name, operator = condition.get("PropertyName"), condition.get("ConditionOperator")
    if not isinstance(operator, str) or operator not in _OPERATORS:
        raise bad_property(f"'ConditionOperator' must be one of {', '.join(_OPERATORS)}")
    if name not in definition:
        raise bad_property(f"'{name}' is no property of the metadata")
    value = definition[name]
    if isinstance(value, dict) and "Value" in value:
        value = value["Value"]
    wanted = condition.get("Value")
    if isinstance(wanted, dict):
        wanted = wanted.get("Value")
    try:
        return _OPERATORS[operator](value, wanted)
    except TypeError:
        raise bad_property(f"the value for '{name}' does not fit {operator}") from None


def _same(value: Any, wanted: Any) -> bool:
    """Whether a value is the wanted one, which .NET clients send as text."""
    return bool(value == wanted) or (wanted is not None and str(value).lower() == str(wanted).lower())


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_property(f"'{name}' must be an object")
    return value


def _list(expression: Mapping[str, Any], name: str) -> list[Any]:
    found = expression.get(name) or []
    if not isinstance(found, list):
        raise bad_property(f"'{name}' must be a list")
    return found
