"""Duplicate detection, by the rules that a new organisation has published.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/manage-duplicate-detection-create-update
"""

from __future__ import annotations

from crm_sandbox.errors import DUPLICATE_FOUND, ODataError
from crm_sandbox.schema.model import Table
from crm_sandbox.store import Row, Store, fold, quoted

# https://learn.microsoft.com/power-platform/admin/set-up-duplicate-detection-rules-keep-data-clean
_RULES = {
    "account": (("name",), ("emailaddress1",)),
    "contact": (("firstname", "lastname"), ("emailaddress1",)),
    "lead": (("emailaddress1",),),
}


def find_duplicate(store: Store, table: Table, row: Row) -> None:
    """Check a new row against the rules of its table.

    Raises:
        ODataError: 412 0x80040333, a rule finds a row that is the same.
    """
    for columns in _RULES.get(table.name, ()):
        values = [fold(row.get(column)) for column in columns]
        if any(value is None for value in values):
            continue
        where = " AND ".join(f"fold({quoted(column)}) = ?" for column in columns)
        sql = f"SELECT 1 FROM {quoted(table.name)} WHERE {where} AND {quoted(table.key)} <> ? LIMIT 1"  # noqa: S608 - names of the schema
        if store.rows(sql, [*values, row[table.key]]):
            raise ODataError(
                412,
                DUPLICATE_FOUND,
                "A record was not created or updated because a duplicate of the current record "
                "already exists.",
            )
