"""What there is: tables, their columns, and who one is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables
from crm_tools.tables import CHOICE_TYPES, Column, ColumnType, Table
from crm_tools.wording import table_named

Arguments = Mapping[str, Any]
_LABELS_SHOWN = 40


async def list_tables(_arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """The tables of which something may be read, with their labels and entity sets."""
    shown = [
        {"name": table.name, "label": table.label, "primary_column": table.primary_name}
        for table in tables.values()
        if not table.is_internal and port.readable(table.name, (table.key,))
    ]
    return {"tables": shown}


async def describe_table(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """The columns of a table that may be read or set: types, lengths, labels, choices, what is required."""
    table = table_named(arguments["table"], tables)
    readable = frozenset(port.readable(table.name, table.columns))
    settable = frozenset(port.settable(table.name, table.columns))
    columns = [
        _described(column, table, settable)
        for column in table.columns.values()
        if column.name in readable or (column.name in settable and _when_set(column, table) != "no")
    ]
    answer: dict[str, Any] = {"table": table.name, "label": table.label, "entity_set": table.entity_set}
    if table.note:
        answer["note"] = table.note
    answer["columns"] = columns
    lists = {name: item.table for name, item in table.relationships.items()} | dict(table.many_to_many)
    if lists:
        answer["lists"] = lists
    return answer


def _described(column: Column, table: Table, settable: frozenset[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": column.short_name,
        "label": column.label,
        "type": _kind(column),
        "set": _when_set(column, table) if column.name in settable else "no",
    }
    if column.required or column.name in table.create_needs:
        facts["required"] = True
    if column.max_length is not None:
        facts["max"] = column.max_length
    if column.type in CHOICE_TYPES or column.type is ColumnType.MULTI_SELECT:
        labels = [choice.label for choice in column.choices]
        facts["choices"] = labels[:_LABELS_SHOWN]
    return facts


def _kind(column: Column) -> str:
    if column.type is ColumnType.LOOKUP:
        return f"lookup to {' or '.join(column.targets)}"
    return column.type.value


def _when_set(column: Column, table: Table) -> str:
    if column.name == table.key:
        return "no"
    if column.type is ColumnType.LOOKUP:
        ways = [item for item in table.navigations.values() if item.column == column.name and item.writable]
        return "yes" if ways or column.short_name == "ownerid" else "no"
    if column.on_create and column.on_update:
        return "yes"
    return "on create" if column.on_create else "on update" if column.on_update else "no"


async def whoami(_arguments: Arguments, _tables: Tables, port: CrmPort) -> dict[str, Any]:
    """User, roles, environment, what the policy allows and what is left of its limits."""
    standing = await port.standing()
    allowed: dict[tuple[tuple[str, tuple[str, ...]], ...], list[str]] = {}
    for table, actions in standing.allowed.items():
        allowed.setdefault(tuple(actions.items()), []).append(table)
    told: dict[str, Any] = {
        "user": standing.user,
        "environment": {
            "organization": standing.organization,
            "kind": standing.kind,
            "address": standing.address,
        },
        "policy": standing.policy,
        "may": [
            {"tables": names, **{name: list(actions) for name, actions in kinds}}
            for kinds, names in allowed.items()
        ],
        "time_zone": standing.time_zone,
        "now": f"{port.now():%Y-%m-%dT%H:%M%z}",
    }
    if standing.caller != "local":
        told["caller"] = standing.caller
    if standing.roles:
        told["roles"] = list(standing.roles)
    if standing.limits:
        told["limits"] = list(standing.limits)
    return told
