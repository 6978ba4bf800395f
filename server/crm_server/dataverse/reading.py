"""Reads, on as few trips as is faster: what would have to wait for its turn travels together in one batch.

A read that can leave leaves by itself, since the parts of a batch are answered one after the other.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import anyio

from crm_server.dataverse.batching import LONGEST_PART_ADDRESS, answers_in, batch_of
from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse, unreadable
from crm_server.dataverse.sender import API_PATH, TOO_MANY, UNAVAILABLE, Sender
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
    error: UnavailableError | None = None
    leads: bool = False


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
        if not self._sender.pacer.busy(callers.name()):
            return await self._alone(request)
        return await self._together(_Read(request), callers.name())

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
        batch = [read]
        departed = False

        def depart() -> CrmRequest:
            nonlocal departed
            if not departed:
                departed = True
                queue = self._queues[caller]
                batch.extend(queue.popleft() for _ in range(min(len(queue), MOST_PARTS - 1)))
                self._hand_over(caller)
            return read.request if len(batch) == 1 else batch_of([one.request for one in batch], API_PATH)

        try:
            response = await self._sender.send(depart, self._sender.deadline())
            answers = [response] if len(batch) == 1 else _answers(response, len(batch))
            for one, answer in zip(batch, answers, strict=True):
                one.answer = answer
        except UnavailableError as error:
            for one in batch:
                one.error = error
        except UpstreamError:
            # What is too large in one batch need not be too large for each.
            if len(batch) == 1:
                raise
        finally:
            # Also when this read is given up: the others then go by themselves.
            if not departed:
                self._hand_over(caller)
            for one in batch[1:]:
                one.done.set()

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
