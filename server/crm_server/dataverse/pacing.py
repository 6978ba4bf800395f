"""How many requests may be under way: fewer after a 429, more while all goes well, fair between callers.

Dataverse counts for each user, so each caller with an identity of its own has a lane of its own: a pause of
one is no pause of the others.
https://learn.microsoft.com/power-apps/developer/data-platform/api-limits#how-to-maximize-throughput
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

MOST = 52
"""Requests that Dataverse takes from one user at the same time."""
MOST_TOGETHER = 4 * MOST
"""Requests of all callers at the same time, and so connections."""
FIRST = 16
_MOST_IDLE = 256
"""Lanes that are remembered though nobody is in them."""

REQUESTS_LEFT = "x-ms-ratelimit-burst-remaining-xrm-requests"
SECONDS_LEFT = "x-ms-ratelimit-time-remaining-xrm-requests"
HINT = "x-ms-dop-hint"
"""How many requests at a time the environment advises.

https://learn.microsoft.com/power-apps/developer/data-platform/send-parallel-requests
"""


@dataclass
class _Lane:
    """The requests of one caller. ``ceiling`` is what the rest of the allowance lets be under way."""

    limit: float
    ceiling: float = float(MOST)
    under_way: int = 0
    paused_until: float = 0.0
    waiting: deque[anyio.Event] = field(default_factory=deque)

    @property
    def most(self) -> int:
        return int(max(1.0, min(self.limit, self.ceiling)))

    @property
    def free(self) -> bool:
        return self.under_way < self.most

    @property
    def idle(self) -> bool:
        return not self.under_way and not self.waiting


class Pacer:
    """Lets requests through. ``clock`` and ``sleep`` are given by tests."""

    def __init__(
        self,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        first: int = FIRST,
        most_together: int = MOST_TOGETHER,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._first = float(first)
        self._most_together = most_together
        self._under_way = 0
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        """In the order in which they get free turns: who has just had one comes last."""

    def limit(self, caller: str) -> int:
        """How many of the caller's requests may be under way now."""
        return self._lane(caller).most

    def busy(self, caller: str) -> bool:
        """Whether a request of the caller would have to wait for its turn."""
        lane = self._lane(caller)
        return bool(lane.waiting) or not lane.free or self._under_way >= self._most_together

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Wait for a turn of the caller's; inside, a request is under way."""
        lane = self._lane(caller)
        await self._enter(caller, lane)
        try:
            await self._pause(lane)
            yield
        finally:
            self._left(lane)

    def throttled(self, caller: str, seconds: float) -> None:
        """A 429 came: half as many from now on, and the caller sends nothing before it is over."""
        lane = self._lane(caller)
        lane.limit = max(1.0, lane.limit / 2)
        lane.paused_until = max(lane.paused_until, self._clock() + seconds)

    def answered(self, caller: str, headers: Mapping[str, str]) -> None:
        """A request was taken: one more for each round of answers, and fewer as the allowance runs out.

        The headers say how many requests and how many seconds of execution are left of the five minutes, and
        how many at a time the environment advises.
        """
        lane = self._lane(caller)
        lane.limit = min(float(MOST), lane.limit + 1 / lane.limit)
        requests, seconds = _number(headers.get(REQUESTS_LEFT)), _number(headers.get(SECONDS_LEFT))
        # A tenth of what is left: the last hundred requests go ten, five, one at a time.
        lane.ceiling = min(float(MOST), requests / 10, seconds, _number(headers.get(HINT)))
        self._let_in()

    async def _enter(self, caller: str, lane: _Lane) -> None:
        if not self.busy(caller):
            self._admit(caller, lane)
            return
        turn = anyio.Event()
        lane.waiting.append(turn)
        try:
            await turn.wait()
        except BaseException:
            # Who stops waiting gives the place back, or the turn that has just come.
            if turn.is_set():
                self._left(lane)
            else:
                lane.waiting.remove(turn)
            raise

    def _admit(self, caller: str, lane: _Lane) -> None:
        lane.under_way += 1
        self._under_way += 1
        self._lanes.move_to_end(caller)

    def _left(self, lane: _Lane) -> None:
        lane.under_way -= 1
        self._under_way -= 1
        self._let_in()

    def _let_in(self) -> None:
        """Give free turns to the callers that wait, one each in their order."""
        while self._under_way < self._most_together:
            ready = next(
                ((name, lane) for name, lane in self._lanes.items() if lane.waiting and lane.free), None
            )
            if ready is None:
                return
            self._admit(*ready)
            ready[1].waiting.popleft().set()

    def _lane(self, caller: str) -> _Lane:
        if caller not in self._lanes:
            self._forget_idle()
            self._lanes[caller] = _Lane(self._first)
        return self._lanes[caller]

    def _forget_idle(self) -> None:
        """Callers come and go; what is known of those who have gone longest is dropped."""
        for name in [name for name, lane in self._lanes.items() if lane.idle][:-_MOST_IDLE]:
            del self._lanes[name]

    async def _pause(self, lane: _Lane) -> None:
        left = lane.paused_until - self._clock()
        if left > 0:
            await self._sleep(left)


def _number(text: str | None) -> float:
    """What a header says is left; without limit where it says nothing. Thousands have a comma."""
    try:
        return float((text or "").replace(",", ""))
    except ValueError:
        return float("inf")
