"""Reads the API description, the one home of operations and columns.

``load()`` parses ``dynamics365.openapi.yaml`` once per process and returns frozen values. The vendor keys
are explained in the description's own ``info.description``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from crm_tools.tables import Choice, Column, ColumnType, Navigation, Relationship, Table

DESCRIPTION_FILE = "dynamics365.openapi.yaml"
_BIND_SUFFIX = "@odata.bind"


class Verb(StrEnum):
    """What an operation of the description does to a table."""

    LIST = "list"
    GET = "get"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One operation of the description: ``listAccounts`` is GET on ``/accounts``."""

    operation_id: str
    verb: Verb
    method: str
    path: str
    table: str
    summary: str


@dataclass(frozen=True, slots=True)
class ApiDescription:
    """The tables by logical name and the operations by operationId, in the order of the file."""

    tables: Mapping[str, Table]
    operations: Mapping[str, ApiOperation]


def document() -> dict[str, Any]:
    """The description as parsed YAML."""
    text = files("crm_tools").joinpath(DESCRIPTION_FILE).read_text(encoding="utf-8")
    # The C loader parses the file in a tenth of the time; wheels of PyYAML bring it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    parsed: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 - both loaders are safe loaders
    return parsed


@cache
def load() -> ApiDescription:
    """Tables and operations of the description.

    Raises:
        KeyError: The description lacks a vendor key; it is a defect of this package, not of the caller.
    """
    doc = document()
    schemas: Mapping[str, Mapping[str, Any]] = doc["components"]["schemas"]
    tables = {
        schema["x-table"]["name"]: _table(schema, schemas)
        for schema in schemas.values()
        if "x-table" in schema
    }
    by_entity_set = {table.entity_set: table for table in tables.values()}
    operations = {
        operation["operationId"]: _operation(path, method, operation, by_entity_set)
        for path, item in doc["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
    return ApiDescription(tables, operations)


def _operation(
    path: str, method: str, operation: Mapping[str, Any], by_entity_set: Mapping[str, Table]
) -> ApiOperation:
    entity_set, _, key = path.removeprefix("/").partition("(")
    verb = {
        ("get", False): Verb.LIST,
        ("post", False): Verb.CREATE,
        ("get", True): Verb.GET,
        ("patch", True): Verb.UPDATE,
        ("delete", True): Verb.DELETE,
    }[method, bool(key)]
    return ApiOperation(
        operation_id=operation["operationId"],
        verb=verb,
        method=method.upper(),
        path=path,
        table=by_entity_set[entity_set].name,
        summary=operation["summary"],
    )


def _table(schema: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]) -> Table:
    facts = schema["x-table"]
    columns: dict[str, Column] = {}
    navigations: dict[str, Navigation] = {}
    for name, fact in schema["properties"].items():
        if name.endswith(_BIND_SUFFIX):
            navigation = _navigation(name.removesuffix(_BIND_SUFFIX), fact)
            navigations[navigation.name] = navigation
        else:
            columns[name] = _column(name, fact, schemas)
    for column in columns.values():
        _add_read_only_navigation(column, navigations)
    return Table(
        name=facts["name"],
        entity_set=facts["entitySet"],
        key=facts["key"],
        primary_name=facts["primaryName"],
        label=schema["title"],
        columns=columns,
        navigations=navigations,
        relationships={
            name: Relationship(name, fact["table"], fact["lookup"], fact["onDelete"] == "cascade")
            for name, fact in schema["x-relationships"].items()
        },
        concise=tuple(schema["x-concise"]),
        create_needs=tuple(schema["x-create-needs"]),
    )


def _navigation(name: str, fact: Mapping[str, Any]) -> Navigation:
    lookup = fact["x-lookup"]
    return Navigation(name, lookup["column"], lookup["table"], fact["title"])


def _add_read_only_navigation(column: Column, navigations: dict[str, Navigation]) -> None:
    """Give a lookup with one target that no body may bind a navigation for reading only."""
    if column.lookup is None or any(nav.column == column.name for nav in navigations.values()):
        return
    if len(column.targets) == 1:
        navigations[column.lookup] = Navigation(
            column.lookup, column.name, column.targets[0], column.label, writable=False
        )


def _column(name: str, fact: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]) -> Column:
    # A column that can be empty names its choices beside null.
    reference = fact.get("$ref") or fact.get("anyOf", [{}])[0].get("$ref")
    choices = schemas[reference.rpartition("/")[2]]["oneOf"] if reference else []
    lookup = fact.get("x-lookup", {})
    set_on = [] if fact.get("readOnly") else fact.get("x-set-on", ["create", "update"])
    return Column(
        name=name,
        type=ColumnType(fact["x-type"]),
        label=fact["title"],
        max_length=fact.get("maxLength"),
        minimum=fact.get("minimum"),
        maximum=fact.get("maximum"),
        required=fact.get("x-required", False),
        on_create="create" in set_on,
        on_update="update" in set_on,
        choices=tuple(Choice(item["const"], item["title"], item.get("x-state")) for item in choices),
        lookup=lookup.get("name"),
        targets=tuple(lookup.get("tables", ())),
    )
