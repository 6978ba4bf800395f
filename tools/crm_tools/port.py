"""The port through which handlers reach the CRM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crm_tools.acts import Act
from crm_tools.bulk import BulkDone, BulkJob, BulkJudged, BulkRow, Prepared
from crm_tools.changes import Change
from crm_tools.errors import CrmError
from crm_tools.insight_operations import Aggregate, Search
from crm_tools.operations import (
    Create,
    Delete,
    Fetch,
    Page,
    Preview,
    Query,
    Row,
    Undone,
    Update,
    Write,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Who the caller is, where, and what is allowed.

    ``allowed`` holds for each table the actions that are ``allowed`` and those that ``ask`` a human first;
    ``limits`` says in words what is left of each limit on writes.
    """

    user: str
    caller: str
    roles: tuple[str, ...]
    organization: str
    kind: str
    address: str
    policy: str
    allowed: Mapping[str, Mapping[str, tuple[str, ...]]]
    limits: tuple[str, ...]
    time_zone: str


class CrmPort(Protocol):
    """The only way from a handler to the CRM. Any method may raise a :class:`~crm_tools.errors.CrmError`."""

    def readable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that the policy lets the caller read, in the order given."""
        ...

    async def query(self, query: Query) -> Page:
        """Rows that match."""
        ...

    def usable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that may be read whole, and so filtered and sorted by."""
        ...

    def settable(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that the policy lets the caller set, when a row is made or changed."""
        ...

    def now(self) -> datetime:
        """The present moment, in the time zone of those who ask."""
        ...

    async def together(self, queries: Sequence[Query]) -> list[Page | CrmError]:
        """The first page of each query, on one trip; a query that is denied or fails is its error."""
        ...

    async def totals(self, aggregates: Sequence[Aggregate]) -> list[tuple[Row, ...]]:
        """The groups of each question, on one trip."""
        ...

    async def search(self, searches: Sequence[Search]) -> list[tuple[str, str]] | None:
        """Table and key of what is found, best first; None where the CRM does not offer search."""
        ...

    async def act(self, act: Act) -> Mapping[str, str]:
        """Carries it out; the keys of what it made, by table."""
        ...

    async def standing(self) -> Standing:
        """Who the caller is, where, and what is allowed."""
        ...

    async def next_page(self, table: str, cursor: str) -> Page:
        """The page that a cursor leads to; its query is the one the cursor was made for."""
        ...

    async def fetch(self, fetch: Fetch) -> Row:
        """One row."""
        ...

    async def create(self, create: Create) -> Row:
        """The created row: at least its key, and the ``returning`` columns that may be read."""
        ...

    async def update(self, update: Update) -> Row:
        """The changed row: at least its key, and the ``returning`` columns that may be read."""
        ...

    async def delete(self, delete: Delete) -> None:
        """Deletes the row."""
        ...

    async def preview(self, write: Write | Act) -> Preview:
        """What the write would change and send, after the policy has allowed it."""
        ...

    async def changes(self, most: int, record: str | None = None) -> tuple[Change, ...]:
        """The caller's last changes, newest first, with the values that may be read."""
        ...

    async def undo(self, change_id: str, *, dry_run: bool = False) -> Undone:
        """Takes a change of the caller back, or says what that would change."""
        ...

    async def judge_bulk(self, job: BulkJob, rows: Sequence[BulkRow]) -> BulkJudged:
        """What the policy says to a job and to each of its rows; nothing is sent."""
        ...

    async def keep_bulk(self, prepared: Prepared) -> str | None:
        """Keeps a job that was shown; a sentence if the caller has carried the same one out before."""
        ...

    async def bulk(self, job_id: str) -> BulkDone:
        """Carries out a job that was kept; one that was interrupted goes on where it was."""
        ...

    async def tell(self, done: float, total: float | None, words: str) -> None:
        """Tells the client how far the call is, if it wants to know."""
        ...

    async def read_file(self, name: str) -> bytes:
        """The content of a file in the folder that the administrator allows."""
        ...

    async def write_file(self, name: str, content: bytes, *, replace: bool = False) -> None:
        """Writes a new file into that folder, or with ``replace`` in place of the one that is there."""
        ...

    def record_url(self, table: str, key: str) -> str:
        """A link that opens the row in the CRM's own user interface."""
        ...
