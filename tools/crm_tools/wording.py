"""Tables and columns by the words people use: logical names, entity sets, labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crm_tools.errors import UnknownNameError
from crm_tools.tables import Column, Table


def table_named(name: str, tables: Mapping[str, Table]) -> Table:
    """The table of this logical name, entity set or label.

    Raises:
        UnknownNameError: No such table; says the closest.
    """
    folded = name.strip().casefold()
    known = [table for table in tables.values() if not table.is_internal]
    for table in known:
        if folded in (table.name, table.entity_set, table.label.casefold(), f"{table.label.casefold()}s"):
            return table
    raise UnknownNameError("table", name, [table.name for table in known])


def column_named(name: str, table: Table) -> Column:
    """The column of this wire name, of this lookup's own name, or with this label where only one has it.

    Raises:
        UnknownNameError: No such column, or several have the label; says the closest.
    """
    column = table.by_short_name.get(name.strip())
    if column is not None:
        return column
    folded = name.strip().casefold()
    labelled = [
        item
        for item in table.columns.values()
        if folded in (item.label.casefold(), item.short_name.casefold())
    ]
    if len(labelled) == 1:
        return labelled[0]
    if labelled:
        names = ", ".join(item.short_name for item in labelled)
        raise UnknownNameError(
            f"column of {table.name}", name, (), hint=f"Several columns have this label: {names}."
        )
    known = [word for item in table.columns.values() for word in (item.short_name, item.label)]
    raise UnknownNameError(f"column of {table.name}", name, known)


def columns_named(names: Iterable[str], table: Table) -> tuple[str, ...]:
    """Columns by their wire names, each once, in the order given.

    Raises:
        UnknownNameError: No such column; says the closest.
    """
    return tuple(dict.fromkeys(column_named(name, table).name for name in names))
