"""How many calls are under way, of each caller and in all; more wait for a turn, still more are refused."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from crm_server.authorization.resource import refuse
from crm_server.log import get_logger
from crm_server.sign_in.callers import SCOPE_KEY, Caller
from crm_server.tracing import WAITED_KEY
from crm_server.web.bodies import RETRY_SECONDS
from crm_server.web.messages import ASKED_KEY, Asked, is_stream

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_log = get_logger("http")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Calls under way of one caller and in all, calls that wait for a turn, and how long they wait.

    ``streams`` are those of one caller on which news are waited for.
    """

    of_caller: int = 8
    in_all: int = 64
    waiting: int = 256
    wait_seconds: float = 10.0
    streams: int = 32


@dataclass
class Load:
    """How much is under way, and how much was turned away, for whoever watches."""

    running: int = 0
    waiting: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Turns:
    """Lets calls through in turn, and so many streams of a caller; lists and pings pass at once."""

    def __init__(self, app: ASGIApp, bounds: Bounds, load: Load) -> None:
        self._app = app
        self._bounds = bounds
        self._load = load
        self._turns = anyio.Semaphore(bounds.in_all)
        self._calls: Counter[str] = Counter()
        self._streams: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        asked = scope.get(ASKED_KEY, Asked())
        caller = scope.get(SCOPE_KEY)
        name = caller.key if isinstance(caller, Caller) else ""
        if asked.is_call:
            message = f"You have {self._bounds.of_caller} calls under way already. Wait for one of them."
            with _counted(self._calls, name, self._bounds.of_caller) as fits:
                if fits:
                    await self._in_turn(scope, receive, send)
                else:
                    await self._turn_away(send, 429, "too_many_calls", message)
        elif is_stream(scope):
            message = f"You have {self._bounds.streams} streams open already. End one of them."
            with _counted(self._streams, name, self._bounds.streams) as fits:
                if fits:
                    await self._app(scope, receive, send)
                else:
                    await self._turn_away(send, 429, "too_many_streams", message)
        else:
            await self._app(scope, receive, send)

    async def _in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        came = time.perf_counter()
        if not await self._turn():
            await self._turn_away(send, 503, "busy", "The server has more calls than it can take. Try again.")
            return
        scope[WAITED_KEY] = time.perf_counter() - came
        self._load.running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._load.running -= 1
            self._turns.release()

    async def _turn(self) -> bool:
        """Whether the call may go on now, or after a wait."""
        try:
            self._turns.acquire_nowait()
        except anyio.WouldBlock:
            pass
        else:
            return True
        if self._load.waiting >= self._bounds.waiting:
            return False
        self._load.waiting += 1
        try:
            with anyio.move_on_after(self._bounds.wait_seconds):
                await self._turns.acquire()
                return True
        finally:
            self._load.waiting -= 1
        return False

    async def _turn_away(self, send: Send, status: int, code: str, message: str) -> None:
        self._load.refused[code] += 1
        _log.warning("call_turned_away", reason=code)
        await refuse(send, status, code, message, [("retry-after", RETRY_SECONDS)])


@contextmanager
def _counted(running: Counter[str], name: str, most: int) -> Iterator[bool]:
    """Whether one more of this caller fits; if so it is counted inside. Callers without a name always fit."""
    if name and running[name] >= most:
        yield False
        return
    running[name] += 1
    try:
        yield True
    finally:
        running[name] -= 1
        if not running[name]:
            del running[name]
