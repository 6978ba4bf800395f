"""The port of handlers to the CRM."""

from __future__ import annotations

from collections.abc import Iterable

from crm_server.gateway.reads import Reads
from crm_server.gateway.reconciling import reconcile
from crm_server.gateway.session import Session
from crm_server.gateway.undoing import Undoing
from crm_server.gateway.writes import Writes
from crm_tools.changes import Change
from crm_tools.operations import Create, Delete, Fetch, Page, Preview, Query, Row, Undone, Update, Write


class Gateway:
    """The port of one call: :class:`crm_tools.operations.CrmPort`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reads = Reads(session)
        self._writes = Writes(session, self._reads)
        self._undoing = Undoing(session, self._reads, self._writes)

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
        await reconcile(self._session)
        return await self._writes.create(create)

    async def update(self, update: Update) -> Row:
        """The changed row."""
        await reconcile(self._session)
        return await self._writes.update(update)

    async def delete(self, delete: Delete) -> None:
        """Deletes the row."""
        await reconcile(self._session)
        await self._writes.delete(delete)

    async def preview(self, write: Write) -> Preview:
        """What the write would change and send; nothing is changed."""
        return await self._writes.preview(write)

    async def changes(self, most: int, record: str | None = None) -> tuple[Change, ...]:
        """The caller's last changes, newest first, with the values that may be read."""
        return await self._undoing.changes(most, record)

    async def undo(self, change_id: str, *, dry_run: bool = False) -> Undone:
        """Takes a change of the caller back, or says what that would change."""
        return await self._undoing.undo(change_id, dry_run=dry_run)

    def record_url(self, table: str, key: str) -> str:
        """Address of the row's form in the model-driven app.

        https://learn.microsoft.com/power-apps/developer/model-driven-apps/open-forms-views-dialogs-reports-url
        """
        return f"{self._session.crm.address}/main.aspx?pagetype=entityrecord&etn={table}&id={key}"
