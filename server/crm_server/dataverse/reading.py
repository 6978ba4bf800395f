"""Reads, on as few trips as is faster: what would have to wait for its turn travels together in one batch.

A read that can leave leaves by itself, since the parts of a batch are answered one after the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from crm_server.dataverse.batching import LONGEST_PART_ADDRESS, answers_in, batch_of
from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse, unreadable
from crm_server.dataverse.sender import API_PATH, TOO_MANY, UNAVAILABLE, LateRead, Sender
from crm_server.dataverse.spans import note
from crm_server.sign_in import callers
from crm_tools.errors import InputError, UnavailableError, UpstreamError

MOST_PARTS = 20
LONGEST_ADDRESS = 8_000
"""Characters of an address that proxies and gateways let pass; Dataverse itself takes 32,768."""
SUCCESS = 200
REFUSES_ALL = frozenset({401, 403})


@dataclass(eq=False)
class _Read:
    """A read that waits. When it is ``done`` it has an answer or an error, or leads, or is sent by itself."""

    request: CrmRequest
    done: anyio.Event = field(default_factory=anyio.Event)
    answer: CrmResponse | None = None
    error: UpstreamError | None = None
    leads: bool = False


@dataclass
class _Batch:
    """Reads that travel together; the first leads, and is there before the batch departs."""

    reads: list[_Read]
    departed: bool = False

    def take_from(self, queue: deque[_Read]) -> None:
        """Depart, with those who wait."""
        self.departed = True
        self.reads += [queue.popleft() for _ in range(min(len(queue), MOST_PARTS - 1))]

    def request(self) -> CrmRequest:
        if len(self.reads) == 1:
            return self.reads[0].request
        note("crm.batched", reads=len(self.reads))
        return batch_of([read.request for read in self.reads], API_PATH)

    def arrived(self, response: CrmResponse) -> None:
        """Give each read its answer; those that get none are sent by themselves."""
        answers = [response] if len(self.reads) == 1 else _answers(response, len(self.reads))
        for read, answer in zip(self.reads, answers, strict=True):
            read.answer = answer

    def failed(self, error: UpstreamError) -> None:
        """The CRM is away for all of them; but what is too large together need not be so by itself."""
        if isinstance(error, UnavailableError) or len(self.reads) == 1:
            for read in self.reads:
                read.error = error

    def tell(self) -> None:
        for read in self.reads:
            read.done.set()


class Reading:
    """Sends the reads of one environment."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._queues: dict[str, deque[_Read]] = {}
        """By caller, the reads that wait behind one that leads; no queue, no leader."""

    async def read(self, request: CrmRequest) -> CrmResponse:
        """The answer to a read, successful or not.

        Raises:
            InputError: The question is longer than Dataverse takes.
            UpstreamError: As :meth:`Sender.send`.
        """
        if len(request.path) + len(self._sender.base_url) + len(API_PATH) > LONGEST_ADDRESS:
            return await self._in_a_batch_of_its_own(request)
        if not self._sender.pacer.busy(callers.key()):
            return await self._alone(request)
        return await self._together(_Read(request), callers.key())

    async def together(self, requests: Sequence[CrmRequest]) -> list[CrmResponse]:
        """The answers to reads that belong together, on one trip, successful or not.

        Raises:
            UpstreamError: As :meth:`Sender.send`.
        """
        response = await self._alone(batch_of(requests, API_PATH))
        answers = _answers(response, len(requests))
        return [
            answer if answer is not None else await self._alone(request)
            for request, answer in zip(requests, answers, strict=True)
        ]

    async def _alone(self, request: CrmRequest) -> CrmResponse:
        return await self._sender.send(request, self._sender.deadline())

    async def _in_a_batch_of_its_own(self, request: CrmRequest) -> CrmResponse:
        if len(request.path) + len(API_PATH) > LONGEST_PART_ADDRESS:
            raise InputError(
                f"The question is longer than the CRM takes ({LONGEST_PART_ADDRESS:,} characters). "
                "Shorten the filter, or ask in several parts."
            )
        response = await self._alone(batch_of([request], API_PATH))
        if response.status != SUCCESS:
            return response
        try:
            (answer,) = answers_in(response)
        except ValueError:
            raise unreadable(response) from None
        return answer

    async def _together(self, read: _Read, caller: str) -> CrmResponse:
        """Lead a batch, or wait behind the read that will."""
        if caller in self._queues:
            await self._follow(read, caller)
        else:
            self._queues[caller] = deque()
            read.leads = True
        if read.leads:
            await self._lead(read, caller)
        if read.error is not None:
            raise read.error
        return read.answer if read.answer is not None else await self._alone(read.request)

    async def _follow(self, read: _Read, caller: str) -> None:
        queue = self._queues[caller]
        queue.append(read)
        try:
            await read.done.wait()
        except BaseException:
            if read in queue:
                queue.remove(read)
            elif read.leads:
                self._hand_over(caller)
            raise

    async def _lead(self, read: _Read, caller: str) -> None:
        """Wait for a turn, take along who waits by then, and tell them."""
        batch = _Batch([read])

        def depart() -> CrmRequest:
            if not batch.departed:
                batch.take_from(self._queues[caller])
                self._hand_over(caller)
            return batch.request()

        try:
            batch.arrived(await self._sender.send(LateRead(read.request, depart), self._sender.deadline()))
        except UpstreamError as error:
            batch.failed(error)
        finally:
            # Also when this read is given up: the others then go by themselves.
            if not batch.departed:
                self._hand_over(caller)
            batch.tell()

    def _hand_over(self, caller: str) -> None:
        """The next that waits leads, or nobody does."""
        queue = self._queues[caller]
        if not queue:
            del self._queues[caller]
            return
        following = queue.popleft()
        following.leads = True
        following.done.set()


def _answers(response: CrmResponse, parts: int) -> list[CrmResponse | None]:
    """The answer of each part; None for one that is to be asked again by itself."""
    if response.status in REFUSES_ALL:
        return [response] * parts
    try:
        answers = answers_in(response) if response.status == SUCCESS else []
    except ValueError:
        answers = []
    if len(answers) != parts:
        return [None] * parts
    return [None if answer.status in {TOO_MANY, *UNAVAILABLE} else answer for answer in answers]
