"""How many requests may be under way: fewer after a 429, more while all goes well, fair between callers.

https://learn.microsoft.com/power-apps/developer/data-platform/api-limits#how-to-maximize-throughput
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

MOST = 52
"""Requests that Dataverse takes from one user at the same time."""
FIRST = 16


class Pacer:
    """Lets requests through. ``clock`` and ``sleep`` are given by tests."""

    def __init__(
        self, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]], first: int = FIRST
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._limit = float(first)
        self._under_way = 0
        self._paused_until = 0.0
        self._waiting: OrderedDict[str, deque[anyio.Event]] = OrderedDict()

    @property
    def limit(self) -> int:
        """How many may be under way now."""
        return int(self._limit)

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Wait for a turn of the caller's; inside, a request is under way."""
        await self._enter(caller)
        try:
            await self._pause()
            yield
        finally:
            self._under_way -= 1
            self._let_in()

    def throttled(self, seconds: float) -> None:
        """A 429 came: half as many from now on, and nobody sends before it is over."""
        self._limit = max(1.0, self._limit / 2)
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def answered(self) -> None:
        """A request was taken: one more for each round of answers."""
        self._limit = min(float(MOST), self._limit + 1 / self._limit)
        self._let_in()

    async def _enter(self, caller: str) -> None:
        if self._under_way < self.limit and not self._waiting:
            self._under_way += 1
            return
        turn = anyio.Event()
        self._waiting.setdefault(caller, deque()).append(turn)
        try:
            await turn.wait()
        except BaseException:
            self._leave(caller, turn)
            raise

    def _leave(self, caller: str, turn: anyio.Event) -> None:
        """Who stops waiting gives the place back, or the turn that has just come."""
        if turn.is_set():
            self._under_way -= 1
            self._let_in()
            return
        self._waiting[caller].remove(turn)
        if not self._waiting[caller]:
            del self._waiting[caller]

    def _let_in(self) -> None:
        """Give free turns to the callers that wait, one each in their order."""
        while self._waiting and self._under_way < self.limit:
            caller, turns = next(iter(self._waiting.items()))
            turns.popleft().set()
            self._under_way += 1
            if turns:
                self._waiting.move_to_end(caller)
            else:
                del self._waiting[caller]

    async def _pause(self) -> None:
        left = self._paused_until - self._clock()
        if left > 0:
            await self._sleep(left)
