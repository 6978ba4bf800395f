"""The rows behind a collection-valued navigation property: ``accounts(id)/contact_customer_accounts``."""

from __future__ import annotations

from crm_sandbox.addresses import row_key
from crm_sandbox.coverage import Missing
from crm_sandbox.errors import bad_property, missing_row, not_here
from crm_sandbox.messages import Answer, no_method
from crm_sandbox.queries.options import read_options
from crm_sandbox.queries.sql import Condition
from crm_sandbox.resources.context import Context
from crm_sandbox.resources.sets import list_answer
from crm_sandbox.schema.model import Table
from crm_sandbox.store import Row

_BOM = b"\xef\xbb\xbf"


class CollectionResource:
    """The rows that a row has in one of its collections."""

    def __init__(self, context: Context, table: Table, row: Row, name: str) -> None:
        self._context = context
        self._request = context.request
        self._table = table
        self._key: str = row[table.key]
        self._name = name
        self._target, self._within = context.reader.collection(table, name, self._key)

    def answer(self) -> Answer:
        """The answer to a request for the collection."""
        match self._request.method:
            case "GET":
                return self._list()
            case "POST":
                self._context.writer.create_in_collection(
                    self._table, self._key, self._name, self._request.json()
                )
                return Answer(204)
            case "PUT" if self._target.name == "activityparty":
                return self._replace()
        raise no_method(self._request.method)

    def _replace(self) -> Answer:
        """Put other parties in the place of an activity's.

        https://learn.microsoft.com/power-apps/developer/data-platform/webapi/associate-disassociate-entities-using-web-api
        """
        parties = self._request.json().get("value")
        if not isinstance(parties, list) or not all(isinstance(party, dict) for party in parties):
            raise bad_property("'value' takes an array of parties")
        for key in self._context.reader.keys(self._target, read_options({}), self._within):
            self._context.deleter.delete(self._target, key)
        for party in parties:
            self._context.writer.create_in_collection(self._table, self._key, self._name, party)
        return Answer(204)

    def count(self) -> Answer:
        """The number of rows as plain text."""
        self._context.may_read(self._target)
        total = self._context.reader.count(self._target, read_options(self._request.options), self._within)
        return Answer(200, _BOM + str(total).encode(), content_type="text/plain")

    def member(self, key_text: str) -> tuple[Table, Row]:
        """A row of the collection by its key.

        Raises:
            ODataError: 404, the collection does not hold it.
        """
        row = row_key(self._target, key_text, self._request.aliases).get(self._context.store)
        key = row[self._target.key]
        same = Condition(f'(t."{self._target.key}" = ?)', (key,))
        both = Condition(f"({self._within.sql} AND {same.sql})", (*self._within.values, *same.values))
        if not self._context.reader.keys(self._target, read_options({}), both):
            raise missing_row(self._target.name, key)
        return self._target, row

    def _list(self) -> Answer:
        self._context.may_read(self._table)
        self._context.may_read(self._target)
        if not self._request.options.keys().isdisjoint({"savedQuery", "userQuery"}):
            raise not_here(Missing.SAVED_QUERIES)
        reading = read_options(self._request.options)
        found = self._context.reader.page(self._target, reading, self._request.page_size, self._within)
        path = f"{self._table.entity_set}({self._key})/{self._name}"
        return list_answer(self._request, self._target.entity_set, path, found)
