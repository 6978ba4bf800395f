"""The state of a store, kept under names and brought back.

A sandbox in memory keeps its snapshots in memory; one in a file keeps each in a file beside it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

from crm_sandbox.schema.keeping import forget_tables, restore_tables
from crm_sandbox.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Snapshots:
    """Snapshots of one store. ``refill`` puts the first data into an empty store."""

    def __init__(self, store: Store, path: Path | None, refill: Callable[[Store], None]) -> None:
        self._store = store
        self._path = path
        self._refill = refill
        self._kept: dict[str, sqlite3.Connection] = {}

    def reset(self) -> None:
        """Bring back the first data."""
        forget_tables(self._store)
        self._store.clear()
        self._refill(self._store)

    def take(self, name: str) -> None:
        """Keep the present state under a name; an earlier one of that name is gone.

        Raises:
            ValueError: The name is none.
        """
        _check(name)
        target = self._kept.pop(name, None) or self._connect(name, new=True)
        self._store.connection.backup(target)
        self._kept[name] = target

    def restore(self, name: str) -> None:
        """Bring back the state of a name.

        Raises:
            ValueError: The name is none.
            LookupError: There is no snapshot of that name.
        """
        _check(name)
        source = self._kept.get(name) or self._connect(name, new=False)
        source.backup(self._store.connection)
        self._kept[name] = source
        restore_tables(self._store)

    def close(self) -> None:
        """Let go of the snapshots; those in files stay."""
        for connection in self._kept.values():
            connection.close()

    def _connect(self, name: str, *, new: bool) -> sqlite3.Connection:
        if self._path is None:
            if not new:
                raise LookupError(f"there is no snapshot '{name}'")
            return sqlite3.connect(":memory:", check_same_thread=False)
        file = self._path.with_name(f"{self._path.name}.{name}.snapshot")
        if not new and not file.exists():
            raise LookupError(f"there is no snapshot '{name}'")
        return sqlite3.connect(file, check_same_thread=False)


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("a snapshot's name has 1 to 40 small letters, digits and hyphens")
