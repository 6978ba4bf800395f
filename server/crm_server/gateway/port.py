"""The port of handlers to the CRM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from crm_server.gateway.acts import Acts
from crm_server.gateway.bulk_jobs import BulkJobs
from crm_server.gateway.files import Files
from crm_server.gateway.insights import Insights
from crm_server.gateway.reads import Reads
from crm_server.gateway.reconciling import reconcile
from crm_server.gateway.session import Session
from crm_server.gateway.standing import standing_of
from crm_server.gateway.undoing import Undoing
from crm_server.gateway.writes import Writes
from crm_tools.acts import Act
from crm_tools.bulk import BulkDone, BulkJob, BulkJudged, BulkRow, Prepared
from crm_tools.changes import Change
from crm_tools.errors import CrmError
from crm_tools.insight_operations import Aggregate, Search
from crm_tools.operations import Create, Delete, Fetch, Page, Preview, Query, Row, Undone, Update, Write
from crm_tools.port import Standing


class Gateway:
    """The port of one call: :class:`crm_tools.port.CrmPort`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reads = Reads(session)
        self._writes = Writes(session, self._reads)
        self._acts = Acts(session, self._writes)
        self._insights = Insights(session)
        self._bulk = BulkJobs(session)
        self._files = Files(session.crm.files)
        self._undoing = Undoing(session, self._reads, self._writes, self._acts)

    def now(self) -> datetime:
        """The present moment in the time zone of those who ask."""
        return self._session.crm.now().astimezone(self._session.crm.zone)

    def readable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be read; none when the table may not."""
        return self._session.readable(table, columns)

    def usable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be read whole, and so filtered and sorted by."""
        return self._session.usable(table, columns)

    def settable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be set, if need be after a human was asked."""
        return self._session.settable(table, columns)

    async def query(self, query: Query) -> Page:
        """Rows that match, at most as many as the policy lets one read return."""
        return await self._reads.query(query)

    async def together(self, queries: Sequence[Query]) -> list[Page | CrmError]:
        """The first page of each query, on one trip; a query that is denied or fails is its error."""
        return await self._reads.together(queries)

    async def totals(self, aggregates: Sequence[Aggregate]) -> list[tuple[Row, ...]]:
        """The groups of each question, on one trip."""
        return await self._insights.totals(aggregates)

    async def search(self, searches: Sequence[Search]) -> list[tuple[str, str]] | None:
        """Table and key of what is found, best first; None where the CRM does not offer search."""
        return await self._insights.search(searches)

    async def act(self, act: Act) -> Mapping[str, str]:
        """Carries it out; the keys of what it made, by table."""
        await reconcile(self._session)
        return await self._acts.carry_out(act)

    async def standing(self) -> Standing:
        """Who the caller is, where, and what is allowed."""
        return await standing_of(self._session)

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

    async def preview(self, write: Write | Act) -> Preview:
        """What the write would change and send; nothing is changed."""
        return await self._writes.preview(write)

    async def changes(self, most: int, record: str | None = None) -> tuple[Change, ...]:
        """The caller's last changes, newest first, with the values that may be read."""
        return await self._undoing.changes(most, record)

    async def undo(self, change_id: str, *, dry_run: bool = False) -> Undone:
        """Takes a change of the caller back, or says what that would change."""
        return await self._undoing.undo(change_id, dry_run=dry_run)

    async def judge_bulk(self, job: BulkJob, rows: Sequence[BulkRow]) -> BulkJudged:
        """What the policy says to a job and to each of its rows; nothing is sent."""
        return await self._bulk.judge(job, rows)

    async def keep_bulk(self, prepared: Prepared) -> str | None:
        """Keeps a job that was shown; a sentence if the caller has carried the same one out before."""
        return await self._bulk.keep(prepared)

    async def bulk(self, job_id: str) -> BulkDone:
        """Carries out a job that was kept; one that was interrupted goes on where it was."""
        await reconcile(self._session)
        return await self._bulk.run(job_id)

    async def tell(self, done: float, total: float | None, words: str) -> None:
        """Tells the client how far the call is, if it wants to know."""
        await self._session.tell(done, total, words)

    async def read_file(self, name: str) -> bytes:
        """The content of a file in the folder that the administrator allows."""
        return await self._files.read(name)

    async def write_file(self, name: str, content: bytes, *, replace: bool = False) -> None:
        """Writes a new file into that folder, or with ``replace`` in place of the one that is there."""
        await self._files.write(name, content, replace=replace)

    def record_url(self, table: str, key: str) -> str:
        """Address of the row's form in the model-driven app.

        https://learn.microsoft.com/power-apps/developer/model-driven-apps/open-forms-views-dialogs-reports-url
        """
        return f"{self._session.crm.address}/main.aspx?pagetype=entityrecord&etn={table}&id={key}"
