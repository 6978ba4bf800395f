"""Opens a store: an empty one is filled with the sample company, a file that exists is used as it is."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from crm_sandbox.callers import FIRST_USER
from crm_sandbox.schema.keeping import restore_tables
from crm_sandbox.schema.loading import load_schema
from crm_sandbox.schema.model import Schema
from crm_sandbox.store import Store


class StoreFileError(ValueError):
    """A file that the sandbox cannot use; the text says why."""


_templates: dict[tuple[int, int, str], bytes] = {}
"""Filled databases of this process, by seed, size and tables: making one takes longer than copying it."""

_LARGEST_TEMPLATE = 1_000


def open_store(
    *,
    seed: int,
    now: Callable[[], datetime] | None,
    accounts: int,
    path: Path | None,
    tables: Iterable[Path],
) -> Store:
    """A store with the sample company in it.

    Raises:
        TableFileError: A table file cannot be used.
        StoreFileError: The file is none of the sandbox's, or its tables are others.
    """
    schema = load_schema(tables)
    clock = now or (lambda: datetime.now(UTC))
    if path is not None:
        return _open_file(schema, clock, path, seed, accounts)
    store = Store(schema, clock)
    if accounts > _LARGEST_TEMPLATE:
        fill_store(store, seed, accounts)
        return store
    key = (seed, accounts, _fingerprint(schema))
    if key not in _templates:
        fill_store(store, seed, accounts)
        _templates[key] = store.connection.serialize()
    else:
        store.connection.deserialize(_templates[key])
    return store


def _open_file(schema: Schema, now: Callable[[], datetime], path: Path, seed: int, accounts: int) -> Store:
    if not path.exists() or path.stat().st_size == 0:
        _make_file(schema, now, path, seed, accounts)
    known = _fingerprint_in(path)
    if known != _fingerprint(schema):
        raise StoreFileError(
            f"{path}: the file was made with other tables; start with the table files it was made with, "
            "or with another file"
        )
    store = Store(schema, now, path)
    restore_tables(store)
    return store


def _make_file(schema: Schema, now: Callable[[], datetime], path: Path, seed: int, accounts: int) -> None:
    """Fill a file beside the wanted one and then rename it: one that is half made is never opened."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    store = Store(schema, now, unfinished)
    store.write_without_journal()
    fill_store(store, seed, accounts)
    store.remember("schema", _fingerprint(schema))
    store.close()
    unfinished.replace(path)


def _fingerprint_in(path: Path) -> str:
    """What a file says of its tables. It is only read, since it may be somebody else's."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            found = connection.execute("SELECT value FROM sandbox_state WHERE name = 'schema'").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise StoreFileError(f"{path}: not a file of the sandbox: {error}") from None
    return str(found[0]) if found else ""


def fill_store(store: Store, seed: int, accounts: int) -> None:
    """Put tables, the sample company and indexes into an empty store."""
    from crm_sandbox.company import fill

    store.create_tables()
    fill(store, seed, accounts)
    store.create_indexes()
    ((first,),) = store.connection.execute(
        "SELECT systemuserid FROM systemuser ORDER BY fullname LIMIT 1"
    ).fetchall()
    store.remember(FIRST_USER, first)


def _fingerprint(schema: Schema) -> str:
    facts = sorted((name, repr(table)) for name, table in schema.tables.items())
    return hashlib.sha256(repr(facts).encode()).hexdigest()
