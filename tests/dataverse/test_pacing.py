"""How many requests are under way: as many as the CRM takes, fairly shared, and never a stampede."""

from __future__ import annotations

import anyio
import pytest

from crm_server.dataverse.pacing import FIRST, HINT, MOST, REQUESTS_LEFT, SECONDS_LEFT, Pacer

pytestmark = pytest.mark.anyio


class Time:
    """A clock that is moved by hand; who sleeps is kept until it is."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.awake = anyio.Event()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.awake.wait()
        self.now = max(self.now, seconds)


def pacer(first: int = FIRST) -> tuple[Pacer, Time]:
    time = Time()
    return Pacer(time, time.sleep, first), time


class Crowd:
    """Requests that are under way until they are let go."""

    def __init__(self, pacer: Pacer) -> None:
        self.pacer = pacer
        self.order: list[str] = []
        self.most = 0
        self.inside = 0
        self.go = anyio.Event()

    async def request(self, caller: str) -> None:
        async with self.pacer.turn(caller):
            self.order.append(caller)
            self.inside += 1
            self.most = max(self.most, self.inside)
            await self.go.wait()
            self.inside -= 1


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def test_no_more_requests_are_under_way_than_the_limit() -> None:
    paced, _ = pacer()
    crowd = Crowd(paced)
    async with anyio.create_task_group() as tasks:
        for _ in range(60):
            tasks.start_soon(crowd.request, "")
        await settle()
        assert crowd.inside == FIRST
        crowd.go.set()
    assert (crowd.most, len(crowd.order)) == (FIRST, 60)


async def test_the_limit_grows_with_every_round_of_answers_up_to_what_the_crm_takes() -> None:
    paced, _ = pacer()
    for _ in range(FIRST + 1):
        paced.answered("", {})
    assert paced.limit("") == FIRST + 1
    for _ in range(5_000):
        paced.answered("", {})
    assert paced.limit("") == MOST


async def test_a_429_halves_the_limit_and_pauses_the_caller() -> None:
    paced, time = pacer(8)
    paced.throttled("", 5)
    assert paced.limit("") == 4
    crowd = Crowd(paced)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(crowd.request, "")
        await settle()
        assert crowd.inside == 0
        assert time.slept == [5, 5, 5, 5]
        crowd.go.set()
        time.awake.set()
    assert crowd.most <= 4
    for _ in range(10):
        paced.throttled("", 1)
    assert paced.limit("") == 1


async def test_callers_take_turns_so_that_one_with_many_requests_holds_up_nobody() -> None:
    paced = Pacer(Time(), anyio.sleep, most_together=1)
    crowd = Crowd(paced)
    async with anyio.create_task_group() as tasks:
        for caller in ("many", "many", "many", "many", "one", "two"):
            tasks.start_soon(crowd.request, caller)
            await settle()
        crowd.go.set()
    assert crowd.order == ["many", "many", "one", "two", "many", "many"]


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    paced = Pacer(Time(), anyio.sleep, most_together=1)
    crowd = Crowd(paced)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(crowd.request, "first")
        await settle()
        with anyio.move_on_after(0):
            await crowd.request("gone")
        tasks.start_soon(crowd.request, "next")
        await settle()
        crowd.go.set()
    assert crowd.order == ["first", "next"]
    async with paced.turn("after"):
        pass


async def test_a_request_that_is_cancelled_gives_its_turn_back() -> None:
    paced, _ = pacer(1)
    crowd = Crowd(paced)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(crowd.request, "cancelled")
        await settle()
        tasks.cancel_scope.cancel()
    async with paced.turn("next"):
        assert paced.limit("") == 1


async def test_a_pause_of_one_caller_is_none_of_the_others() -> None:
    paced, time = pacer()
    paced.throttled("a", 60)
    crowd = Crowd(paced)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(crowd.request, "a")
        tasks.start_soon(crowd.request, "b")
        await settle()
        assert crowd.order == ["b"]
        assert time.slept == [60]
        crowd.go.set()
        time.awake.set()
    assert crowd.order == ["b", "a"]


async def test_callers_together_have_a_limit_too() -> None:
    paced = Pacer(Time(), anyio.sleep, most_together=5)
    crowd = Crowd(paced)
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(crowd.request, f"caller {number % 4}")
        await settle()
        assert crowd.inside == 5
        crowd.go.set()
    assert crowd.most == 5
    assert len(crowd.order) == 20


@pytest.mark.parametrize(
    ("requests", "seconds", "limit"),
    [
        ("5999", "1,200.00", MOST),
        ("120", "1,200.00", 12),
        ("9", "1,200.00", 1),
        ("0", "0.00", 1),
        ("5999", "7.50", 7),
        ("many", "", MOST),
    ],
)
async def test_less_is_under_way_as_the_allowance_runs_out(requests: str, seconds: str, limit: int) -> None:
    paced, _ = pacer(MOST)
    paced.answered("", {REQUESTS_LEFT: requests, SECONDS_LEFT: seconds})
    assert paced.limit("") == limit
    paced.answered("", {REQUESTS_LEFT: "5999", SECONDS_LEFT: "1,200.00"})
    assert paced.limit("") == MOST


@pytest.mark.parametrize(("hint", "limit"), [("10", 10), ("0", 1), ("100", MOST), ("none", MOST), ("", MOST)])
async def test_no_more_is_under_way_than_the_environment_advises(hint: str, limit: int) -> None:
    paced, _ = pacer(MOST)
    paced.answered("", {HINT: hint})
    assert paced.limit("") == limit


async def test_callers_who_have_gone_are_forgotten_and_those_who_wait_are_not() -> None:
    paced, _ = pacer(1)
    crowd = Crowd(paced)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(crowd.request, "here")
        tasks.start_soon(crowd.request, "here")
        await settle()
        paced.throttled("gone", 1)
        paced.answered("gone", {REQUESTS_LEFT: "1"})
        for number in range(1_000):
            async with paced.turn(f"caller {number}"):
                pass
        crowd.go.set()
    assert crowd.order == ["here", "here"]
    assert not paced.busy("gone")
