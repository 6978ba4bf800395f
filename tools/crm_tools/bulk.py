"""Writes of many rows, as values: a job, its rows, and what is told of each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha1
from typing import Any
from uuid import UUID

from crm_tools.errors import CrmError
from crm_tools.operations import Access, Action, Binding


@dataclass(frozen=True, slots=True)
class BulkRow:
    """What one row is given. ``key`` is the row to change; a new row has none, the job derives it."""

    values: Mapping[str, Any]
    bindings: tuple[Binding, ...] = ()
    key: str | None = None


@dataclass(frozen=True)
class BulkJob:
    """Rows of one table to be created or updated.

    ``id`` is a GUID that stays the same however often the job is taken up again; ``source`` is a fingerprint
    of what the rows are read from, so that it is taken up with the same rows. ``columns`` are the wire names
    that its rows may set; a row that sets another one is refused. With ``most_refused`` the job stops when
    more rows than that are refused. ``facts`` are what a human is shown who has to agree.
    """

    id: str
    table: str
    action: Action
    source: str
    columns: frozenset[str]
    total: int | None = None
    most_refused: int | None = None
    facts: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What the journal calls it."""
        return self.id

    @property
    def written(self) -> Mapping[str, Any]:
        """No column of one record: how many rows, for the journal."""
        return {"rows": self.total}

    def accesses(self) -> tuple[Access, ...]:
        """What a policy has to allow: a job of many rows, and the write of each."""
        return (
            Access(Action.BULK, self.table, writes=self.columns),
            Access(self.action, self.table, writes=self.columns),
        )

    def key_of(self, number: int) -> str:
        """The key of a new row, by its number: the same each time, so that the row is recognised.

        The job's version 5 UUID (RFC 9562) of the number, made in a fifth of the time of ``uuid5``.
        """
        digest = bytearray(sha1(self._namespace + str(number).encode(), usedforsecurity=False).digest()[:16])
        digest[6] = digest[6] & 0x0F | 0x50
        digest[8] = digest[8] & 0x3F | 0x80
        text = digest.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    @cached_property
    def _namespace(self) -> bytes:
        return UUID(self.id).bytes


@dataclass(frozen=True, slots=True)
class BulkJudged:
    """What a policy says to a job: the rows (by place, from 0) that it denies, and if a human is asked."""

    denied: Mapping[int, CrmError]
    needs_approval: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is not sent, and why. ``number`` is the one that people know it by."""

    number: int
    why: str


@dataclass(frozen=True)
class Prepared:
    """A job that was shown and may be carried out: exactly these rows.

    ``numbers`` are those by which people know the rows, such as the lines of a file; ``file`` is the file
    that they come from, if any.
    """

    job: BulkJob
    rows: tuple[BulkRow, ...]
    numbers: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    file: str | None = None


class Outcome(StrEnum):
    """What became of a row."""

    DONE = "done"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    """It was sent, the answer was lost, and the CRM could not be asked."""


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of the row with this number; the first is 1. ``error`` says why it is not done."""

    number: int
    key: str
    outcome: Outcome
    error: CrmError | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How many rows have which outcome. ``total`` is None when nobody knows it."""

    done: int = 0
    refused: int = 0
    unclear: int = 0
    total: int | None = None


class Ending(StrEnum):
    """How a run of a job ended."""

    COMPLETE = "complete"
    CANCELLED = "cancelled"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What a run of a job came to. Rows without an outcome are found or sent when it is taken up again.

    ``error`` says why it stopped.
    """

    progress: Progress
    ending: Ending
    error: CrmError | None = None


@dataclass(frozen=True, slots=True)
class BulkDone:
    """What a job came to, with the outcomes of this run and the refusals of all runs."""

    prepared: Prepared
    result: BulkResult
    outcomes: tuple[RowOutcome, ...]
    refused: tuple[RowOutcome, ...]
