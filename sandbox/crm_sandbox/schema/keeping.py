"""What requests changed of the tables, kept with the rows: a file opens with the tables it was left with."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter

from crm_sandbox.schema.model import Table
from crm_sandbox.store import Store

_CHANGED = "changed tables"


@cache
def _tables() -> TypeAdapter[dict[str, Table]]:
    return TypeAdapter(dict[str, Table])


def keep_tables(store: Store) -> None:
    """Keep the tables that are not as they were at the start. No table of the start can be removed."""
    first = store.schema.first
    changed = {name: table for name, table in store.schema.tables.items() if table is not first.get(name)}
    store.remember(_CHANGED, _tables().dump_json(changed).decode())


def restore_tables(store: Store) -> None:
    """Bring the schema to what the store has: the tables of the start and what :func:`keep_tables` kept."""
    store.schema.go_back_to()
    kept = store.remembered(_CHANGED)
    if kept is not None:
        store.schema.put(*_tables().validate_json(kept).values())


def forget_tables(store: Store) -> None:
    """Go back to the tables of the start."""
    store.schema.go_back_to()
    store.forget(_CHANGED)
