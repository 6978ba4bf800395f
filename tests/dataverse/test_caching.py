"""What holds for a while is asked for once, however many want it at the same moment."""

from __future__ import annotations

import anyio
import pytest

from crm_server.dataverse.caching import Cache

pytestmark = pytest.mark.anyio


class Source:
    """Loads numbers, one more each time; waits, fails or both as it is told."""

    def __init__(self) -> None:
        self.loaded = 0
        self.go = anyio.Event()
        self.go.set()
        self.fails = False
        self.now = 0.0

    async def load(self) -> int:
        self.loaded += 1
        number = self.loaded
        await self.go.wait()
        if self.fails:
            raise ValueError(number)
        return number

    def clock(self) -> float:
        return self.now


def made(most: int = 10) -> tuple[Cache[str, int], Source]:
    source = Source()
    return Cache(60.0, most, source.clock), source


async def settle() -> None:
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def test_a_value_is_kept_until_it_is_too_old() -> None:
    cache, source = made()
    assert [await cache.get("a", source.load) for _ in range(3)] == [1, 1, 1]
    assert await cache.get("b", source.load) == 2
    source.now = 59.0
    assert await cache.get("a", source.load) == 1
    source.now = 60.0
    assert await cache.get("a", source.load) == 3


async def test_what_is_forgotten_is_loaded_again() -> None:
    cache, source = made()
    await cache.get("a", source.load)
    cache.forget()
    assert await cache.get("a", source.load) == 2


async def test_many_that_ask_at_once_share_one_answer() -> None:
    cache, source = made()
    source.go = anyio.Event()
    found: list[int] = []

    async def ask() -> None:
        found.append(await cache.get("a", source.load))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)
        await settle()
        source.go.set()
    assert found == [1] * 10


async def test_many_that_ask_at_once_share_one_failure_which_is_not_kept() -> None:
    cache, source = made()
    source.go, source.fails = anyio.Event(), True
    found: list[int] = []

    async def ask() -> None:
        try:
            await cache.get("a", source.load)
        except ValueError as error:
            found.append(error.args[0])

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
        await settle()
        source.go.set()
    assert found == [1] * 5
    source.fails = False
    assert await cache.get("a", source.load) == 2


async def test_when_whoever_loads_gives_up_the_next_one_loads() -> None:
    cache, source = made()
    source.go = anyio.Event()
    found: list[int] = []
    scope = anyio.CancelScope()

    async def first() -> None:
        with scope:
            await cache.get("a", source.load)

    async def other() -> None:
        found.append(await cache.get("a", source.load))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await settle()
        tasks.start_soon(other)
        await settle()
        scope.cancel()
        source.go.set()
    assert found == [2]


async def test_no_more_is_kept_than_told_and_what_was_used_last_stays() -> None:
    cache, source = made(most=2)
    for key in ("a", "b", "a", "c", "a"):
        await cache.get(key, source.load)
    assert source.loaded == 3
    await cache.get("b", source.load)
    assert source.loaded == 4
