"""Columns whose value discloses another column's: hiding the one has to hide the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crm_tools.tables import ColumnType, Table

_COMPUTED = {"fullname": frozenset({"firstname", "lastname"})}
"""Read-only columns that Dataverse writes together from others.

https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/contact, and .../lead
"""
_TABLES_WITH_COMPUTED_NAMES = frozenset({"contact", "lead"})


def disclosed(table: Table) -> Mapping[str, frozenset[str]]:
    """Column -> the columns that can be read off it.

    ``fullname`` of contacts and leads holds the first and the last name; a status reason belongs to one
    state. The reverse does not hold: a first name does not tell the full name.
    """
    found = dict(_COMPUTED) if table.name in _TABLES_WITH_COMPUTED_NAMES else {}
    states = frozenset(name for name, column in table.columns.items() if column.type is ColumnType.STATE)
    for name, column in table.columns.items():
        if column.type is ColumnType.STATUS and states:
            found[name] = states
    return {name: parts for name, parts in found.items() if name in table.columns}


def with_disclosing(table: Table, hidden: Iterable[str]) -> frozenset[str]:
    """The hidden columns (wire names) and those that would disclose one of them."""
    hidden = frozenset(hidden)
    return hidden | {name for name, parts in disclosed(table).items() if parts & hidden}
