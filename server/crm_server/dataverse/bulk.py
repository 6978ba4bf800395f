"""Many rows created or changed: in chunks, several under way, and of each row it is known what became of it.

A created row has a key made from the job and its number, so a job that goes on after a crash finds the rows
it made. Dataverse takes a chunk whole or not at all; one that it refuses is sent again as a batch of single
writes, which names the rows at fault. After an unclear outcome the rows are looked at before any is sent
again.
https://learn.microsoft.com/power-apps/developer/data-platform/bulk-operations
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid5

import anyio

from crm_server.dataverse.batching import answers_in, batch_of
from crm_server.dataverse.joblog import JobLog, Refused
from crm_server.dataverse.reading import Reading
from crm_server.dataverse.requests import build, multiple, rows_of
from crm_server.dataverse.responses import CrmResponse, error_from, parse_page
from crm_server.dataverse.sender import API_PATH, TOO_MANY, UNAVAILABLE, Sender, UnclearError, checked
from crm_server.dataverse.writing import is_as_wanted
from crm_tools.errors import InputError, UnreadableAnswerError, UpstreamError
from crm_tools.operations import Create, Row, Update
from crm_tools.tables import Table

CHUNK = 200
"""Rows of one request; Microsoft advises 100 to 1,000 for standard tables."""
AT_ONCE = 8
"""Chunks under way at the same time; the pacer of the sender may let in fewer."""
_REFUSES_ALL = frozenset({401, 403, 404, 501})

Write = Create | Update


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come: rows done, refused, and so far open (not sent, or with an unclear outcome)."""

    done: int
    refused: int
    open: int


@dataclass
class Result:
    """What a job came to. ``open`` holds the numbers of rows of which it is not known, with the reason."""

    done: int = 0
    refused: list[Refused] = field(default_factory=list)
    open: dict[int, UpstreamError] = field(default_factory=dict)

    @property
    def progress(self) -> Progress:
        """The result as numbers."""
        return Progress(self.done, len(self.refused), len(self.open))


Report = Callable[[Progress], Awaitable[None]]


def key_of(job: UUID, number: int) -> str:
    """The key of the row that a job creates from the row of this number of its source."""
    return str(uuid5(job, str(number)))


@dataclass
class _Chunk:
    """Rows by their numbers. What is settled leaves ``pending``."""

    pending: dict[int, Write]
    looked_at: bool
    singly: bool = False
    done: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def settle(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            del self.pending[number]
            self.done.append(number)

    def refuse(self, number: int, error: UpstreamError) -> None:
        del self.pending[number]
        self.refused.append(Refused(number, error.code, error.message, error.crm_code))


class Bulk:
    """Writes many rows of one environment."""

    def __init__(self, sender: Sender, reading: Reading, tables: Mapping[str, Table]) -> None:
        self._sender = sender
        self._reading = reading
        self._tables = tables

    async def run(
        self, writes: Iterable[Write], log: JobLog | None = None, report: Report | None = None
    ) -> Result:
        """Carry out writes of one table and of one kind, numbered from 0 as they come.

        ``writes`` is read as it is needed. ``log`` keeps what became of the rows, and leaves out those that
        are settled already. Cancelled, it stops; what was under way is looked at when the job goes on.

        A row about the record of an earlier row is refused, since which of them came last would be chance.

        Raises:
            InputError: The rows are of several tables or kinds; what was under way before was finished.
        """
        result = Result(refused=list(log.refused) if log else [])
        result.done = log.settled - len(result.refused) if log else 0
        resumed = log is not None and log.resumed
        turns = anyio.Semaphore(AT_ONCE)
        problem: InputError | None = None

        async def carry_out(chunk: _Chunk) -> None:
            try:
                await self._chunk(chunk, result)
            finally:
                turns.release()
            if log is not None:
                log.settle(chunk.done, chunk.refused)
            result.done += len(chunk.done)
            result.refused += chunk.refused
            if report is not None:
                await report(result.progress)

        async with anyio.create_task_group() as tasks:
            try:
                for chunk in _chunks(writes, log, looked_at=not resumed):
                    await turns.acquire()
                    tasks.start_soon(carry_out, chunk)
            except InputError as error:  # Kept out of the group, which would wrap it.
                problem = error
        if problem is not None:
            raise problem
        return result

    async def _chunk(self, chunk: _Chunk, result: Result) -> None:
        """Settle the rows of a chunk, or say of which it is open."""
        deadline, attempt = self._sender.deadline(), 0
        try:
            while chunk.pending:
                try:
                    again = await self._step(chunk, deadline)
                except (UnclearError, UnreadableAnswerError) as error:
                    chunk.looked_at = False
                    again = error
                if again is not None:
                    attempt += 1
                    await self._sender.wait(attempt, deadline, again)
        except UpstreamError as error:
            result.open |= dict.fromkeys(chunk.pending, error)

    async def _step(self, chunk: _Chunk, deadline: float) -> UpstreamError | None:
        """Look at what is pending, or send it; an error says that some of it has to be sent again later."""
        if not chunk.looked_at:
            await self._look(chunk)
            return None
        writes = list(chunk.pending.values())
        if chunk.singly:
            request = batch_of([build(_only(write), self._tables) for write in writes], API_PATH)
            return _settle_each(
                chunk, _confirmed(await self._sender.send(request, deadline), parts=len(writes))
            )
        response = _confirmed(await self._sender.send(multiple(_alike(writes), self._tables), deadline))
        if response.status < 300:
            chunk.settle(list(chunk.pending))
        elif response.status in _REFUSES_ALL and not _is_about_a_row(response):
            raise error_from(response)
        else:
            # One of them is at fault, or was created by an earlier try after all.
            chunk.singly = True
            chunk.looked_at = False
        return None

    async def _look(self, chunk: _Chunk) -> None:
        """Settle the rows that are there as they are wanted."""
        chunk.looked_at = True
        there = await self._there(list(chunk.pending.values()))
        for number, write in list(chunk.pending.items()):
            row = there.get(write.key)
            if isinstance(write, Create):
                if row is not None:
                    chunk.settle([number])
            elif row is not None and is_as_wanted(row, write):
                chunk.settle([number])

    async def _there(self, writes: Sequence[Write]) -> Mapping[str, Row]:
        table = self._tables[writes[0].table]
        columns = {
            name
            for write in writes
            if isinstance(write, Update)
            for name in (*write.values, *(item.column for item in write.bindings))
        }
        request = rows_of(table, [write.key for write in writes], sorted(columns), self._tables)
        rows = parse_page(checked(await self._reading.read(request))).rows
        return {str(row[table.key]).lower(): row for row in rows}


def _chunks(writes: Iterable[Write], log: JobLog | None, *, looked_at: bool) -> Iterator[_Chunk]:
    """The rows that are not settled yet, so many at a time."""
    seen: set[int] = set()
    kinds: set[tuple[type[Write], str]] = set()
    chunk = _Chunk({}, looked_at)
    for number, write in enumerate(writes):
        kinds.add((type(write), write.table))
        if len(kinds) > 1:
            raise InputError("A bulk job is about one table, and either creates rows or changes them.")
        key = UUID(write.key)
        if log is not None and log.is_settled(number):
            pass
        elif key.int in seen:
            chunk.refused.append(Refused(number, InputError.code, _TWICE))
        else:
            chunk.pending[number] = replace(write, key=str(key), returning=())
        seen.add(key.int)
        if len(chunk.pending) == CHUNK:
            yield chunk
            chunk = _Chunk({}, looked_at)
    if chunk.pending or chunk.refused:
        yield chunk


_TWICE = "An earlier row is about the same record. Give each record once."


def _alike(writes: Sequence[Write]) -> Sequence[Create] | Sequence[Update]:
    """The same writes, which are all of one kind."""
    creates = [write for write in writes if isinstance(write, Create)]
    return creates or [write for write in writes if isinstance(write, Update)]


def _only(write: Write) -> Write:
    """A single write of a batch; whatever version the row has, it is changed and never created."""
    return replace(write, etag=None) if isinstance(write, Update) else write


def _confirmed(response: CrmResponse, parts: int | None = None) -> CrmResponse:
    """The answer, if it is one that Dataverse gives to such a request.

    Raises:
        UnclearError: Something in between answered with a success of its own.
    """
    if not 200 <= response.status < 300 or (parts is None and response.status == 204):
        return response
    try:
        found = len(answers_in(response)) == parts if parts is not None else b'"Ids"' in response.body
    except ValueError:
        found = False
    if not found:
        raise UnclearError(
            "Something between this server and the CRM answered for it. Whether the rows were written is "
            "unknown.",
            status=response.status,
        )
    return response


def _settle_each(chunk: _Chunk, response: CrmResponse) -> UpstreamError | None:
    """Settle each row by its part of a batch's answer."""
    if not 200 <= response.status < 300:
        raise error_from(response)
    again: UpstreamError | None = None
    for number, answer in zip(list(chunk.pending), answers_in(response), strict=True):
        if answer.status < 300:
            chunk.settle([number])
        elif answer.status == TOO_MANY or answer.status in UNAVAILABLE:
            again = error_from(answer)
            chunk.looked_at = False
        else:
            chunk.refuse(number, error_from(answer))
    return again


def _is_about_a_row(response: CrmResponse) -> bool:
    """Whether a refusal is of a row of the chunk, such as one that is not there, and not of the request."""
    return response.status == 404 and error_from(response).crm_code not in (None, "0x80060888", "0x8006088a")
