"""A row at its address: get, update, upsert, delete, with conditions on its version.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/perform-conditional-operations-using-web-api
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from crm_sandbox.addresses import RowKey
from crm_sandbox.errors import DUPLICATE_KEY, VERSION_MISMATCH, ODataError
from crm_sandbox.messages import Answer, no_method
from crm_sandbox.queries.options import read_options, shape_of
from crm_sandbox.records.writer import refuse_alone
from crm_sandbox.representing import etag
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.model import Table
from crm_sandbox.session import Privilege
from crm_sandbox.store import Row


class RowResource:
    """A row of a table."""

    def __init__(self, context: Context, table: Table) -> None:
        self._context = context
        self._request = context.request
        self._table = table

    def answer(self, key: RowKey) -> Answer:
        """The answer to a request for the row that a key names."""
        match self._request.method:
            case "GET":
                return self.get(key.get(self._context.store))
            case "PATCH":
                return self._upsert(key)
            case "DELETE":
                return self._delete(key)
        raise no_method(self._request.method)

    def get(self, row: Row) -> Answer:
        """The row, or 304 if the client has this version of it."""
        self._context.may_read(self._table)
        reading = read_options(self._request.options, one_row=True)
        headers = {"ETag": etag(row)}
        # Annotations and related rows may have changed without the row.
        bare = not reading.expand and not self._request.annotations
        if self._request.headers.get("if-none-match") == etag(row) and bare:
            return Answer(304, None, headers)
        return self._shown(row, 200, headers)

    def get_related(self, key: str | None) -> Answer:
        """The row that a lookup leads to; 204 where it leads nowhere."""
        row = self._context.store.find(self._table, key) if key else None
        return Answer(204) if row is None else self.get(row)

    def reference(self, row: Row) -> Answer:
        """The address of the row."""
        if self._request.method != "GET":
            raise no_method(self._request.method)
        self._context.may_read(self._table)
        return Answer(
            200,
            {
                "@odata.context": f"{self._request.root}$metadata#$ref",
                "@odata.id": self._context.address(self._table, row[self._table.key]),
            },
        )

    def created(self, key: str) -> Answer:
        """The answer to a create: 204, or 201 with the row where it is asked for."""
        return self._saved(key, 201)

    def _upsert(self, key: RowKey) -> Answer:
        read_options(self._request.options, one_row=True)  # refused before anything is written
        body = self._request.json()
        row = key.find(self._context.store)
        # An upsert by alternate key is answered with the address that it was sent to.
        address = None if key.guid is not None else self._sent_to()
        if row is None and "if-match" not in self._request.headers:
            # What the body says of an alternate key counts; a primary key is the address's.
            named = {**_wired(self._table, key), **body}
            if key.guid is not None:
                named[self._table.key] = key.guid
            return self._saved(self._context.writer.create(self._table, named), 201, address)
        row = self._matching(key)
        known = _wired(self._table, key)
        changes = {name: value for name, value in body.items() if name not in known}
        self._context.writer.update(self._table, row, changes)
        return self._saved(row[self._table.key], 200, address)

    def _sent_to(self) -> str:
        """The address of the request, encoded again: a key holds any text, and a header does not."""
        return self._request.root + quote(self._request.path, safe="/(),='")

    def _delete(self, key: RowKey) -> Answer:
        refuse_alone(self._table, Privilege.DELETE)
        row = self._matching(key)
        self._context.deleter.delete(self._table, row[self._table.key])
        return Answer(204)

    def _matching(self, key: RowKey) -> Row:
        """The row, if it is in the version that the request's conditions ask for."""
        row = key.get(self._context.store)
        wanted, unwanted = (self._request.headers.get(name) for name in ("if-match", "if-none-match"))
        if unwanted == "*":
            raise ODataError(412, DUPLICATE_KEY, "A record with matching key values already exists.")
        if wanted not in (None, "*", etag(row)):
            raise ODataError(
                412,
                VERSION_MISMATCH,
                "The version of the existing record doesn't match the RowVersion property provided.",
            )
        return row

    def _saved(self, key: str, status: int, address: str | None = None) -> Answer:
        address = address or self._context.address(self._table, key)
        if not self._request.wants_row:
            return Answer(204, None, {"OData-EntityId": address}, row_address=address)
        row = self._context.store.find(self._table, key)
        if row is None:  # the same transaction wrote it
            raise AssertionError(key)
        shown = self._shown(row, status, {"ETag": etag(row)}, "return")
        return replace(shown, row_address=address)

    def _shown(self, row: Row, status: int, headers: dict[str, str], *applied: str) -> Answer:
        reading = read_options(self._request.options, one_row=True)
        if self._request.method == "PATCH" and status == 200:
            # The data of an update shows no related rows.
            reading = replace(reading, expand=())
        shape = f"{self._table.entity_set}{shape_of(reading)}"
        content = {"@odata.context": f"{self._request.root}$metadata#{shape}/$entity"}
        content |= self._context.reader.one(self._table, row, reading)
        return Answer(
            status, content, {**headers, **self._request.applied(*applied, "odata.include-annotations")}
        )


def _wired(table: Table, key: RowKey) -> dict[str, object]:
    """The values of an alternate key as a body has them."""
    return {table.columns[name].wire: value for name, value in key.columns.items()}
