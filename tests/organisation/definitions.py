"""Definitions of tables and columns as an environment could have them, written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crm_server.dataverse.metadata import ColumnDefinition, TableDefinition
from crm_tools.tables import Choice


def column(name: str, kind: str = "String", **facts: Any) -> ColumnDefinition:
    """A custom column that can be read and written; ``kind`` is Dataverse's name of its type."""
    usual = ColumnDefinition(
        name, name, f"{kind}Type", "None", on_create=True, on_update=True, readable=True, custom=True
    )
    return replace(usual, **facts)


def lookup(name: str, *targets: str, **facts: Any) -> ColumnDefinition:
    """A lookup with a navigation property for each table that it leads to."""
    ways = {target: f"{name}_{target}" if len(targets) > 1 else name for target in targets}
    return column(name, "Lookup", targets=targets, navigations=ways, **facts)


def choices(*labels: str) -> tuple[Choice, ...]:
    """Options with these labels, counted from 1."""
    return tuple(Choice(number, label) for number, label in enumerate(labels, 1))


def table(
    *columns: ColumnDefinition, primary: str | None = "new_name", name: str = "new_thing"
) -> TableDefinition:
    """A table of the organisation's own with these columns, its key among them."""
    key = column(f"{name}id", "Uniqueidentifier", required="SystemRequired", on_update=False, custom=False)
    return TableDefinition(
        name=name,
        entity_set=f"{name}s",
        key=key.name,
        primary_name=primary,
        label="Thing",
        plural_label="Things",
        is_custom=True,
        ownership="UserOwned",
        columns={item.name: item for item in (key, *columns)},
    )
