"""Turns: which requests wait for one, for how long, how many may wait, and that each is given back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from crm_server.sign_in.callers import SCOPE_KEY, Caller
from crm_server.web.messages import ASKED_KEY, Asked
from crm_server.web.turns import Bounds, Load, Turns

pytestmark = pytest.mark.anyio
CALLS = ("tools/call", "resources/read", "completion/complete", "prompts/get")


class Desk:
    """Calls of callers, which last until they are let go."""

    def __init__(self, **bounds: Any) -> None:
        self.load = Load()
        self.under_way = 0
        self.breaks = False
        self.let_go = anyio.Event()
        self._turns = Turns(self._work, Bounds(**bounds), self.load)

    async def _work(self, _scope: Any, _receive: Any, send: Any) -> None:
        if self.breaks:
            raise LookupError
        self.under_way += 1
        try:
            await self.let_go.wait()
        finally:
            self.under_way -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def call(self, who: str = "ann", method: str = "tools/call") -> tuple[int, dict[bytes, bytes]]:
        """The status and the headers of the answer."""
        found: list[Any] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                found.append((message["status"], dict(message["headers"])))

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        scope = {
            "type": "http",
            "method": "POST",
            ASKED_KEY: Asked(method, "a name"),
            SCOPE_KEY: Caller(who, client="c", issuer="i"),
        }
        with anyio.fail_after(10):
            await self._turns(scope, receive, send)
        (answer,) = found
        return answer

    @asynccontextmanager
    async def running(self, who: str, calls: int = 1) -> AsyncIterator[None]:
        """While calls of somebody are under way or wait; they go on at the end."""
        async with anyio.create_task_group() as tasks:
            for _ in range(calls):
                tasks.start_soon(self.call, who)
            await anyio.wait_all_tasks_blocked()
            yield
            self.let_go.set()


@pytest.mark.parametrize("method", CALLS)
async def test_what_asks_the_crm_something_takes_a_turn(method: str) -> None:
    desk = Desk(in_all=1, waiting=0)
    async with desk.running("bob"):
        status, headers = await desk.call(method=method)
    assert status == 503
    assert int(headers[b"retry-after"]) > 0
    assert desk.load.refused == {"busy": 1}


@pytest.mark.parametrize("method", ["tools/list", "ping", "initialize", "notifications/cancelled", ""])
async def test_what_asks_it_nothing_passes_at_once(method: str) -> None:
    desk = Desk(in_all=1, of_caller=1, waiting=0)
    async with desk.running("ann"), anyio.create_task_group() as tasks:
        tasks.start_soon(desk.call, "ann", method)
        await anyio.wait_all_tasks_blocked()
        assert desk.under_way == 2
        desk.let_go.set()
    assert not desk.load.refused


async def test_one_caller_has_so_many_calls_under_way_and_others_have_theirs() -> None:
    desk = Desk(of_caller=2)
    async with desk.running("ann", 2), desk.running("bob", 2):
        assert desk.under_way == 4
        status, headers = await desk.call("ann")
        assert status == 429
        assert int(headers[b"retry-after"]) > 0
    assert desk.load.refused == {"too_many_calls": 1}


async def test_calls_that_wait_count_as_the_callers_own() -> None:
    desk = Desk(in_all=1, of_caller=2)
    async with desk.running("bob"), desk.running("ann", 2):
        assert (desk.load.running, desk.load.waiting) == (1, 2)
        assert (await desk.call("ann"))[0] == 429


async def test_more_than_may_wait_are_turned_away_at_once_and_those_who_wait_come_on() -> None:
    desk = Desk(in_all=1, waiting=2)
    async with desk.running("bob"), desk.running("eve", 2):
        assert (await desk.call())[0] == 503
    assert desk.load.refused == {"busy": 1}
    assert (await desk.call())[0] == 200


async def test_nobody_waits_longer_than_there_is_time() -> None:
    desk = Desk(in_all=1, wait_seconds=0)
    async with desk.running("bob"):
        assert (await desk.call())[0] == 503
        assert desk.load.waiting == 0


async def test_each_turn_is_given_back_also_by_a_call_that_breaks() -> None:
    desk = Desk(in_all=1, of_caller=1, waiting=0)
    desk.breaks = True
    for _ in range(2):
        with pytest.raises(LookupError):
            await desk.call()
    desk.breaks = False
    desk.let_go.set()
    assert [(await desk.call())[0] for _ in range(3)] == [200, 200, 200]
    assert (desk.load.running, desk.load.waiting) == (0, 0)
