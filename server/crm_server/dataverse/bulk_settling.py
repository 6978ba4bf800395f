"""Rows of a bulk job, each brought to an outcome.

On a standard table Dataverse carries a whole request out or none of it, and its error does not say which row
is at fault. So what is refused is sent again in ten parts, down to single rows.
https://learn.microsoft.com/power-apps/developer/data-platform/bulk-operations

After an unclear outcome the rows are looked at before anything is sent again: new rows by the keys that the
job gave them, changed ones by their values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from crm_server.dataverse.bulk_rows import NumberedWrite
from crm_server.dataverse.requests import (
    CrmRequest,
    build,
    create_multiple,
    next_page,
    rows_with_keys,
    update_multiple,
)
from crm_server.dataverse.responses import (
    DUPLICATE_KEY,
    CrmResponse,
    crm_code,
    error_from,
    parse_page,
    parse_row,
    request_id,
)
from crm_server.dataverse.sender import Sender, UnclearError, checked
from crm_server.dataverse.writing import NO_CONTENT, confirmed, is_as_wanted
from crm_tools.bulk import Outcome, RowOutcome
from crm_tools.errors import (
    CrmError,
    NotFoundError,
    SignInError,
    ThrottledError,
    UnavailableError,
    UnreadableAnswerError,
    UpstreamError,
)
from crm_tools.operations import Create, Row, Update
from crm_tools.tables import Table

AT_ONCE = 8
"""Requests of one job that are under way at the same time."""
PARTS = 10
LOOKED_AT_ONCE = 200
"""Keys in one question, so that its address stays below 10 KB."""
PAUSES = 12
LONGEST_PAUSE = 600.0
"""Service protection counts over five minutes, so a pause may be longer than a call's deadline."""
_SLICE = 5.0

Writes = Sequence[NumberedWrite]


@dataclass
class Course:
    """Whether a run goes on. ``error`` says why it does not, unless it was cancelled.

    ``most_rows`` is how many rows a chunk has from now on; ``left`` counts rows that stayed without outcome.
    """

    most_rows: int
    cancel: anyio.Event
    error: CrmError | None = None
    left: int = 0

    @property
    def stopping(self) -> bool:
        """Whether nothing more may be written."""
        return self.error is not None or self.cancel.is_set()

    def stop(self, error: CrmError) -> None:
        """Write nothing more, for this reason."""
        self.error = self.error or error


@dataclass
class Settling:
    """Settles the rows of one chunk; ``outcomes`` holds what is known of them."""

    sender: Sender
    tables: Mapping[str, Table]
    course: Course
    turns: anyio.Semaphore
    outcomes: dict[int, RowOutcome] = field(default_factory=dict)

    async def settle(self, writes: Writes, *, sent_before: bool) -> None:
        """Bring the rows to an outcome, as far as the run is not stopped.

        What says nothing of the rows (no sign-in, no connection, throttled for long) stops the run.
        """
        try:
            if sent_before:
                writes = await self._left_after_looking(writes)
            await self._send_until_clear(writes, sent_before)
        except UpstreamError as error:
            self.course.stop(error)

    async def _send_until_clear(self, writes: Writes, sent_before: bool) -> None:
        attempt = 0
        while writes and not self.course.stopping:
            attempt += 1
            try:
                refusal = await self._send(writes)
            except UnclearError:
                sent_before = True
                writes = await self._left_after_looking(writes)
                if writes and attempt > 1 and len(writes) > 1:
                    # Perhaps it is more than the CRM can do in its time.
                    self.course.most_rows = min(self.course.most_rows, max(PARTS, _part_of(writes)))
                    await self._send_in_parts(writes, sent_before)
                    return
                if writes:
                    await self.sender.wait(attempt, self.sender.deadline(), _not_carried_out())
                continue
            if refusal is None:
                self._tell(writes, Outcome.DONE)
                return
            left = await self._left_after_refusal(writes, refusal, sent_before)
            if len(left) == len(writes) == 1:
                self._tell(writes, Outcome.REFUSED, refusal)
                return
            if len(left) == len(writes):
                await self._send_in_parts(writes, sent_before)
                return
            writes = left

    async def _send_in_parts(self, writes: Writes, sent_before: bool) -> None:
        async def part(some: Writes) -> None:
            # A part that cannot go on must not cancel the others, which are under way.
            try:
                await self._send_until_clear(some, sent_before)
            except UpstreamError as error:
                self.course.stop(error)

        size = _part_of(writes)
        async with anyio.create_task_group() as tasks:
            for start in range(0, len(writes), size):
                tasks.start_soon(part, writes[start : start + size])

    async def _send(self, writes: Writes) -> UpstreamError | None:
        """Why the CRM refuses the rows, or None when it has carried all of them out.

        Raises:
            UnclearError: Nobody knows whether they were carried out.
            UpstreamError: The answer says nothing of the rows; none was carried out.
        """
        answer = await self._ask(_request(writes, self.tables))
        if 200 <= answer.status < 300:
            _check_success(answer, writes)
            return None
        error = error_from(answer)
        if isinstance(error, SignInError | UnreadableAnswerError):
            raise error
        if answer.status >= 500 and crm_code(answer) is None:
            raise UnclearError(error.message, status=answer.status, request_id=request_id(answer))
        return error

    async def _left_after_refusal(self, writes: Writes, refusal: UpstreamError, sent_before: bool) -> Writes:
        """The rows without those whose presence or absence is the reason of a refusal."""
        if isinstance(refusal, NotFoundError) and isinstance(writes[0].write, Update):
            found = await self._look(writes, ())
            missing = [item for item in writes if item.write.key not in found]
            self._tell(missing, Outcome.REFUSED, _no_such_row())
            return [item for item in writes if item.write.key in found]
        if refusal.crm_code == DUPLICATE_KEY and isinstance(writes[0].write, Create):
            found = await self._look(writes, ())
            there = [item for item in writes if item.write.key in found]
            # An earlier try may have been carried out after it had been looked for.
            if sent_before:
                self._tell(there, Outcome.DONE)
            else:
                self._tell(there, Outcome.REFUSED, refusal)
            return [item for item in writes if item.write.key not in found]
        return writes

    async def _left_after_looking(self, writes: Writes) -> Writes:
        """The rows that are still to be sent, after a request of which nobody knows what became.

        Raises:
            UnclearError: The CRM cannot be asked either; the rows are unclear.
        """
        columns = {column for item in writes for column in _written(item.write)}
        try:
            found = await self._look(writes, columns if isinstance(writes[0].write, Update) else ())
        except UpstreamError:
            self._tell(writes, Outcome.UNCLEAR, _unclear())
            raise _unclear() from None
        left = []
        for item in writes:
            row = found.get(item.write.key)
            if isinstance(item.write, Update) and row is None:
                self._tell([item], Outcome.REFUSED, _no_such_row())
            elif row is None or (isinstance(item.write, Update) and not is_as_wanted(row, item.write)):
                left.append(item)
            else:
                self._tell([item], Outcome.DONE)
        return left

    async def _look(self, writes: Writes, columns: Iterable[str]) -> dict[str, Row]:
        """Those of the rows that exist, by their keys."""
        table = self.tables[writes[0].write.table]
        select = sorted({table.key, *columns})
        found: dict[str, Row] = {}
        for start in range(0, len(writes), LOOKED_AT_ONCE):
            keys = [item.write.key for item in writes[start : start + LOOKED_AT_ONCE]]
            request = rows_with_keys(table, keys, select)
            while True:
                page = parse_page(checked(await self._ask(request)))
                found |= {str(row.get(table.key)).lower(): row for row in page.rows}
                if page.next_link is None:
                    break
                request = next_page(page.next_link, LOOKED_AT_ONCE)
        return found

    async def _ask(self, request: CrmRequest) -> CrmResponse:
        """The answer to a request, after the pauses that the CRM asks for.

        Raises:
            UpstreamError: As :meth:`Sender.send`.
        """
        pauses = 0
        while True:
            try:
                async with self.turns:
                    return await self.sender.send(request, self.sender.deadline())
            except ThrottledError as throttled:
                pauses += 1
                seconds = throttled.retry_after or 60.0
                if pauses > PAUSES or seconds > LONGEST_PAUSE or not await self._pause(seconds):
                    raise

    async def _pause(self, seconds: float) -> bool:
        """Wait; False when the run was stopped meanwhile."""
        until = self.sender.clock() + seconds
        while not self.course.stopping and (left := until - self.sender.clock()) > 0:
            await self.sender.sleep(min(left, _SLICE))
        return not self.course.stopping

    def _tell(self, writes: Writes, outcome: Outcome, error: CrmError | None = None) -> None:
        for item in writes:
            self.outcomes[item.number] = RowOutcome(item.number, item.write.key, outcome, error)


def _request(writes: Writes, tables: Mapping[str, Table]) -> CrmRequest:
    """A message for many rows; a single one goes alone, as some tables have no such message."""
    if len(writes) == 1:
        return build(writes[0].write, tables)
    creates = [item.write for item in writes if isinstance(item.write, Create)]
    updates = [item.write for item in writes if isinstance(item.write, Update)]
    return create_multiple(creates, tables) if creates else update_multiple(updates, tables)


def _check_success(answer: CrmResponse, writes: Writes) -> None:
    """See that a success is one that Dataverse gives.

    Raises:
        UnclearError: It is something else.
    """
    confirmed(answer)
    if isinstance(writes[0].write, Update):
        return
    if len(writes) == 1:
        named = answer.status == NO_CONTENT
    else:
        keys = parse_row(answer).get("Ids") if answer.body else None
        wanted = [item.write.key for item in writes]
        named = isinstance(keys, list) and [str(item).lower() for item in keys] == wanted
    if not named:
        raise UnclearError("The CRM's answer does not name the rows that were created.")


def _written(write: Create | Update) -> Iterable[str]:
    return (*write.values, *(item.column for item in write.bindings))


def _part_of(writes: Writes) -> int:
    return -(-len(writes) // PARTS)


def _no_such_row() -> NotFoundError:
    return NotFoundError("The CRM has no record with this id. Nothing was changed, and none was created.")


def _unclear() -> UnclearError:
    return UnclearError(
        "Whether the record was written is unknown, and the CRM cannot be asked. Take the job up again "
        "later: it looks at such records before it sends anything."
    )


def _not_carried_out() -> UnavailableError:
    return UnavailableError(
        "The CRM does not carry requests out at the moment. Take the job up again later: it goes on with "
        "the rows that have no outcome."
    )
