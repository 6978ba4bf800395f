"""The port of handlers to the CRM."""

from __future__ import annotations

from collections.abc import Iterable

from crm_server.gateway.reads import Reads
from crm_server.gateway.session import Session
from crm_server.gateway.writes import Writes
from crm_tools.operations import Create, Delete, Fetch, Page, Preview, Query, Row, Update, Write


class Gateway:
    """The port of one call: :class:`crm_tools.operations.CrmPort`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reads = Reads(session)
        self._writes = Writes(session, self._reads)

    def readable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be read; none when the table may not."""
        return self._session.readable(table, columns)

    async def query(self, query: Query) -> Page:
        """Rows that match, at most as many as the policy lets one read return."""
        return await self._reads.query(query)

    async def next_page(self, table: str, cursor: str) -> Page:
        """The page a cursor leads to; the policy is asked anew."""
        return await self._reads.next_page(table, cursor)

    async def fetch(self, fetch: Fetch) -> Row:
        """One row."""
        return await self._reads.fetch(fetch)

    async def create(self, create: Create) -> Row:
        """The created row."""
        return await self._writes.create(create)

    async def update(self, update: Update) -> Row:
        """The changed row."""
        return await self._writes.update(update)

    async def delete(self, delete: Delete) -> None:
        """Deletes the row."""
        await self._writes.delete(delete)

    async def preview(self, write: Write) -> Preview:
        """What the write would change and send; nothing is changed."""
        return await self._writes.preview(write)

    def record_url(self, table: str, key: str) -> str:
        """Address of the row's form in the model-driven app.

        https://learn.microsoft.com/power-apps/developer/model-driven-apps/open-forms-views-dialogs-reports-url
        """
        return f"{self._session.crm.address}/main.aspx?pagetype=entityrecord&etn={table}&id={key}"
