"""Rows that get a new owner together with the row above them.

https://learn.microsoft.com/power-apps/developer/data-platform/configure-entity-relationship-cascading-behavior
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_sandbox.schema.base_columns import MODIFIED, OWNER, VERSION
from crm_sandbox.schema.model import ManyToOne, Table
from crm_sandbox.session import Caller
from crm_sandbox.store import Store, quoted

_OWNING = (OWNER, f"{OWNER}.table", "owningbusinessunit")


def assign_below(store: Store, caller: Caller, table: Table, key: str, values: Mapping[str, Any]) -> None:
    """Give the rows below a row, and the rows below those, the owner that ``values`` give it."""
    owner = {name: values[name] for name in _OWNING} | {
        MODIFIED: store.timestamp(),
        "modifiedby": caller.user_id,
        "modifiedonbehalfby": caller.delegate_id,
    }
    # Rows can refer to each other in a circle; each gets its owner once.
    done = {(table.name, key)}
    waiting = [(table, key)]
    while waiting:
        above, its_key = waiting.pop()
        for lookup in store.schema.incoming(above).values():
            below = store.schema[lookup.table]
            if not lookup.assigns or below.is_read_only or OWNER not in below.columns:
                continue
            for child in _below(store, below, lookup, its_key):
                if (below.name, child) not in done:
                    done.add((below.name, child))
                    store.update(below, child, {**owner, VERSION: store.next_version()})
                    waiting.append((below, child))


def _below(store: Store, table: Table, lookup: ManyToOne, key: str) -> list[str]:
    sql = (
        f"SELECT {quoted(table.key)} AS child FROM {quoted(table.name)} "  # noqa: S608 - names of the schema
        f"WHERE {quoted(lookup.column)} = ?"
    )
    return [row["child"] for row in store.rows(sql, [key])]
