"""From the rows of a source to chunks that can be sent: numbered, checked, bounded."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import anyio.lowlevel

from crm_tools.bulk import BulkJob, BulkRow, Outcome, RowOutcome
from crm_tools.errors import InputError
from crm_tools.guids import is_guid
from crm_tools.operations import Action, Create, Update

MOST_BYTES = 4 * 1024 * 1024
"""Of one request's rows. Dataverse takes more, but has to be done with them in time."""

_ROWS_AT_A_STRETCH = 25
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
Rows = Iterable[BulkRow] | AsyncIterable[BulkRow]


@dataclass(frozen=True, slots=True)
class NumberedWrite:
    """A row as it is sent. ``number`` is its place in the source, from 1."""

    number: int
    write: Create | Update


@dataclass(slots=True)
class Chunk:
    """Rows that are sent in one request, and those of the same stretch that cannot be sent.

    ``sent_before`` says that an earlier run may have sent some of them.
    """

    writes: list[NumberedWrite] = field(default_factory=list)
    refused: list[RowOutcome] = field(default_factory=list)
    sent_before: bool = False
    size: int = 0

    def __len__(self) -> int:
        return len(self.writes) + len(self.refused)


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier runs know of a row: that it has an outcome, that it may have been sent."""

    settled: Callable[[int], bool]
    sent: Callable[[int], bool]


async def chunks_of(
    job: BulkJob, rows: Rows, known: Known, most_rows: Callable[[], int]
) -> AsyncGenerator[Chunk, None]:
    """The rows that have no outcome yet, in their order."""
    chunk = Chunk()
    with closing(_Keys()) as keys:
        async for number, row in _numbered(rows):
            try:
                write = _write(job, number, row)
                if isinstance(write, Update):
                    keys.claim(write.key, number)
                size = _size(row)
            except InputError as error:
                if not known.settled(number):
                    key = row.key or job.key_of(number)
                    chunk.refused.append(RowOutcome(number, key, Outcome.REFUSED, error))
            else:
                if known.settled(number):
                    continue
                if chunk.writes and chunk.size + size > MOST_BYTES:
                    yield chunk
                    chunk = Chunk()
                chunk.writes.append(NumberedWrite(number, write))
                chunk.size += size
                chunk.sent_before = chunk.sent_before or known.sent(number)
            if len(chunk) >= most_rows():
                yield chunk
                chunk = Chunk()
    if len(chunk):
        yield chunk


async def _numbered(rows: Rows) -> AsyncIterator[tuple[int, BulkRow]]:
    number = 0
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            number += 1
            yield number, row
        return
    for row in rows:
        number += 1
        if number % _ROWS_AT_A_STRETCH == 0:
            # Chunks that are made already are to be sent while the next ones are read.
            await anyio.lowlevel.checkpoint()
        yield number, row


def _write(job: BulkJob, number: int, row: BulkRow) -> Create | Update:
    """The write of a row.

    Raises:
        InputError: It has columns that the job does not name, or no usable id.
    """
    if not job.columns.issuperset(row.values) or not job.columns.issuperset(
        item.column for item in row.bindings
    ):
        raise InputError(
            "The row sets a column that the job was not given. Name every column when the job begins."
        )
    if job.action is Action.CREATE:
        return Create(job.table, job.key_of(number), row.values, row.bindings)
    if row.key is None or not is_guid(row.key):
        raise InputError("The row has no id of the record to change. Give a GUID; a list tool shows ids.")
    return Update(job.table, row.key.lower(), row.values, row.bindings)


def _size(row: BulkRow) -> int:
    """About how many bytes the row has in a request.

    Raises:
        InputError: A value cannot be sent.
    """
    try:
        size = sum(len(name) + 10 + _value_size(value) for name, value in row.values.items())
    except (TypeError, ValueError, RecursionError):
        raise InputError(
            "A value of the row cannot be sent: it is no text, number, true, false or null, or the text is "
            "no valid Unicode. Correct it and send the row again."
        ) from None
    return size + 200 * (1 + len(row.bindings))


def _value_size(value: Any) -> int:
    # Encoding every row to measure it would cost as much as sending it does.
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    if value is None or isinstance(value, int):
        return 20
    return len(_ENCODER.encode(value).encode())


class _Keys:
    """The keys that a job has met, on disk when they are many: a set of a million would not be small."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # a file of its own that has no name
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE met (key BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def claim(self, key: str, number: int) -> None:
        """Note a key.

        Raises:
            InputError: An earlier row has it.
        """
        met = UUID(key).bytes
        added = self._database.execute("INSERT OR IGNORE INTO met VALUES (?, ?)", (met, number))
        if added.rowcount:
            return
        (earlier,) = self._database.execute("SELECT number FROM met WHERE key = ?", (met,)).fetchone()
        raise InputError(
            f"Row {earlier} of this job changes the same record. Rows are not carried out in their order, so "
            "one job changes a record once: put both changes into one row."
        )

    def close(self) -> None:
        self._database.close()
