"""SQL queries on the sample company, compiled and run."""

from __future__ import annotations

from datetime import UTC, datetime

from crm_sandbox.opening import open_store
from crm_sandbox.queries.sql import Asker
from crm_sandbox.queries.sql_statement import compile_sql

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def opened():
    """A store in which an account has a parent; closed at the end."""
    store = open_store(seed=1, now=lambda: NOW, accounts=200, path=None, tables=[])
    table = store.schema["account"]
    first, second = (row["accountid"] for row in store.rows("SELECT accountid FROM account LIMIT 2"))
    store.update(table, second, {"parentaccountid": first})
    yield store
    store.close()


def compiled(store, text):
    asker = Asker(NOW, "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")
    return compile_sql(text, store.schema, asker)


def selected(store, text, *page):
    query = compiled(store, text)
    return [
        {column.name: row[column.position] for column in query.columns} for row in query.rows(store, *page)
    ]


def names(store, condition):
    return [row["name"] for row in selected(store, f"SELECT name FROM account WHERE {condition}")]
