"""Deletes, with what they take along, unlink, or are refused for.

https://learn.microsoft.com/power-apps/developer/data-platform/configure-entity-relationship-cascading-behavior
"""

from __future__ import annotations

from crm_sandbox.errors import ASSOCIATED, READ_ONLY_TABLE, ODataError
from crm_sandbox.records.writer import lookup_values
from crm_sandbox.schema.base_columns import VERSION
from crm_sandbox.schema.model import ManyToOne, OnDelete, Table
from crm_sandbox.session import Privilege, Session
from crm_sandbox.store import Store, quoted

_NEVER = frozenset({"systemuser", "businessunit"})


class RowDeleter:
    """Deletes rows for one request."""

    def __init__(self, store: Store, session: Session) -> None:
        self._store = store
        self._schema = store.schema
        self._session = session

    def delete(self, table: Table, key: str) -> None:
        """Remove a row and what cascades from it; other rows that refer to it lose their link.

        Raises:
            ODataError: 405, a row that refers to it forbids it; 403, the caller lacks the privilege;
                400, rows of the table cannot be deleted.
        """
        if table.is_read_only or table.name in _NEVER:
            raise ODataError(
                400, READ_ONLY_TABLE, f"The 'Delete' method does not support entities of type '{table.name}'."
            )
        self._session.caller.require(Privilege.DELETE, table)
        self._remove(table, key, set())

    def _remove(self, table: Table, key: str, going: set[tuple[str, str]]) -> None:
        # Rows can refer to each other in a circle; each goes once.
        if (table.name, key) in going:
            return
        going.add((table.name, key))
        for lookup in self._schema.incoming(table).values():
            related = self._schema[lookup.table]
            if related.is_read_only:
                continue
            for child in self._referring(related, lookup, key):
                self._treat(related, lookup, child, going)
        for many in table.many_to_many.values():
            self._store.connection.execute(
                f"DELETE FROM {quoted(many.intersect)} WHERE {quoted(many.column)} = ?",  # noqa: S608 - names of the schema
                [key],
            )
        self._store.delete(table, key)

    def _referring(self, related: Table, lookup: ManyToOne, key: str) -> list[str]:
        sql = (
            f"SELECT {quoted(related.key)} AS child FROM {quoted(related.name)} "  # noqa: S608 - names of the schema
            f"WHERE {quoted(lookup.column)} = ?"
        )
        return [row["child"] for row in self._store.rows(sql, [key])]

    def _treat(self, related: Table, lookup: ManyToOne, child: str, going: set[tuple[str, str]]) -> None:
        match lookup.on_delete:
            case OnDelete.CASCADE:
                self._remove(related, child, going)
            case OnDelete.UNLINK:
                values = lookup_values(related, lookup, None)
                self._store.update(related, child, {**values, VERSION: self._store.next_version()})
            case OnDelete.RESTRICT:
                raise ODataError(
                    405,
                    ASSOCIATED,
                    "The object you tried to delete is associated with another object and cannot be deleted.",
                )
