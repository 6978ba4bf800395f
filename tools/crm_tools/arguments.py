"""From a tool's arguments to parts of an operation: names become wire names, labels become numbers.

The arguments have passed the tool's JSON Schema already; what is checked here is what a schema cannot say.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo
from typing import Any

from crm_tools.column_values import column_value
from crm_tools.errors import InputError, UnknownNameError
from crm_tools.guids import guid
from crm_tools.operations import Binding, Expansion, OrderBy
from crm_tools.tables import Navigation, Table

MOST_EXPANSIONS = 15
"""https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/join-tables"""


def wire_names(names: Iterable[str], table: Table) -> tuple[str, ...]:
    """Columns by their wire names, each once, in the order given.

    Raises:
        UnknownNameError: No such column; says the closest.
    """
    found: dict[str, None] = {}
    for name in names:
        column = table.by_short_name.get(name)
        if column is None:
            raise UnknownNameError(f"column of {table.name}", name, table.by_short_name)
        found[column.name] = None
    return tuple(found)


def order_by(
    text: str, table: Table, tables: Mapping[str, Table]
) -> tuple[tuple[OrderBy, ...], Mapping[str, frozenset[str]]]:
    """Sort keys, and the columns they name for each table.

    A lookup sorts by the primary name of the row it leads to, so that name counts as named too.

    Raises:
        InputError: Not of the form ``column``, ``column asc`` or ``column desc``.
        UnknownNameError: No such column or lookup.
    """
    keys: list[OrderBy] = []
    named: defaultdict[str, set[str]] = defaultdict(set)
    for part in text.split(","):
        match = re.fullmatch(r"\s*([\w/]+)(?:\s+(asc|desc))?\s*", part, re.IGNORECASE | re.ASCII)
        if match is None:
            raise InputError(
                "Argument orderby names columns, each followed by asc or desc and separated by commas, "
                f"such as '{table.primary_name} asc, createdon desc'."
            )
        path = _sort_path(match[1], table, tables, named)
        keys.append(OrderBy(path, descending=(match[2] or "").lower() == "desc"))
    return tuple(keys), {name: frozenset(columns) for name, columns in named.items()}


def _sort_path(
    path: str, table: Table, tables: Mapping[str, Table], named: defaultdict[str, set[str]]
) -> str:
    *lookups, last = path.split("/")
    written: list[str] = []
    for name in lookups:
        navigation = table.navigations.get(name)
        if navigation is None or navigation.table not in tables:
            readable = [nav.name for nav in table.navigations.values() if nav.table in tables]
            raise UnknownNameError(f"lookup of {table.name}", name, readable)
        named[table.name].add(navigation.column)
        written.append(name)
        table = tables[navigation.table]
    (column,) = wire_names([last], table)
    named[table.name].add(column)
    for target in table.columns[column].targets:
        if target in tables:
            named[target].add(tables[target].primary_name)
    return "/".join([*written, column])


def expansions(
    names: Iterable[str], table: Table, tables: Mapping[str, Table], concise: Mapping[str, tuple[str, ...]]
) -> tuple[Expansion, ...]:
    """Related rows to bring along, with the columns that ``concise`` lists for each table.

    Raises:
        UnknownNameError: No such lookup or relationship.
        InputError: More than 15.
    """
    found = [_expansion(name, table, tables, concise) for name in dict.fromkeys(names)]
    if len(found) > MOST_EXPANSIONS:
        raise InputError(f"Argument expand takes at most {MOST_EXPANSIONS} names.")
    return tuple(found)


def _expansion(
    name: str, table: Table, tables: Mapping[str, Table], concise: Mapping[str, tuple[str, ...]]
) -> Expansion:
    if relationship := table.relationships.get(name):
        related = tables[relationship.table]
        back = related.navigations[relationship.lookup].column
        columns = (related.key, *concise[related.name])
        return Expansion(name, related.name, tuple(dict.fromkeys(columns)), back, many=True)
    navigation = table.navigations.get(name)
    if navigation is None or navigation.table not in tables:
        raise UnknownNameError(f"relationship of {table.name}", name, expandable(table, tables))
    related = tables[navigation.table]
    columns = (related.key, *concise[related.name])
    return Expansion(name, related.name, tuple(dict.fromkeys(columns)), navigation.column, many=False)


def expandable(table: Table, tables: Mapping[str, Table]) -> tuple[str, ...]:
    """Names that ``expand`` takes: lookups to a described table, then relationships."""
    lookups = [navigation.name for navigation in table.navigations.values() if navigation.table in tables]
    return (*lookups, *table.relationships)


def values_and_bindings(
    given: Mapping[str, Any], table: Table, zone: tzinfo = UTC
) -> tuple[dict[str, Any], tuple[Binding, ...]]:
    """Columns to set and lookups to bind, from flat arguments.

    Raises:
        InputError: A value does not fit its column.
        UnknownNameError: No such choice; says the closest labels.
    """
    values: dict[str, Any] = {}
    bindings: list[Binding] = []
    for name, value in given.items():
        if navigation := table.navigations.get(name):
            bindings.append(_binding(navigation, value))
        else:
            values[name] = column_value(value, table.columns[name], zone)
    _refuse_two_for_one(bindings)
    return values, tuple(bindings)


def _binding(navigation: Navigation, value: object) -> Binding:
    key = None if value is None else guid(value, navigation.name)
    return Binding(navigation.name, navigation.column, navigation.table, key)


def _refuse_two_for_one(bindings: list[Binding]) -> None:
    seen: dict[str, str] = {}
    for binding in bindings:
        if binding.column in seen:
            raise InputError(
                f"Arguments {seen[binding.column]} and {binding.navigation} set the same lookup; "
                "give one of them."
            )
        seen[binding.column] = binding.navigation
