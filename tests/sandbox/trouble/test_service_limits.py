"""The service protection limits."""

from __future__ import annotations

import math
from datetime import timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sandbox.trouble import Limits, Trouble
from crm_sandbox.trouble.limits import Admission, Limiter, Refusal
from tests.sandbox.trouble.small_crm import Clock, SmallCrm, client_of

pytestmark = pytest.mark.anyio
BURST = "x-ms-ratelimit-burst-remaining-xrm-requests"
TIME = "x-ms-ratelimit-time-remaining-xrm-requests"


def limited(clock, app=None, **limits):
    def caller_of(scope):
        return dict(scope["headers"]).get(b"user", b"somebody").decode()

    app = SmallCrm() if app is None else app
    return Trouble(app, limits=Limits(**limits), now=clock, sleep=clock.sleep, caller_of=caller_of)


def error(answer):
    content = answer.json()["error"]
    return answer.status_code, content["code"], content["message"]


async def test_a_request_too_many_is_refused_until_the_oldest_has_left_the_window():
    clock = Clock()
    async with client_of(limited(clock, requests=2)) as client:
        assert (await client.get("rows")).status_code == 200
        clock.forward(100.5)
        assert (await client.get("rows")).status_code == 200
        clock.forward(50)
        refused = await client.get("rows")
        assert error(refused) == (
            429,
            "0x80072322",
            "Number of requests exceeded the limit of 2 over time window of 300 seconds.",
        )
        assert refused.headers["retry-after"] == "150"
        clock.forward(149)
        assert (await client.get("rows")).headers["retry-after"] == "1"
        clock.forward(1)
        assert (await client.get("rows")).status_code == 200


async def test_execution_time_adds_up_and_is_refused_with_its_own_code():
    clock = Clock()

    async def busy(scope, receive, send):
        await clock.sleep(500)
        await SmallCrm()(scope, receive, send)

    async with client_of(limited(clock, busy, window_seconds=3000)) as client:
        assert (await client.get("rows")).headers[TIME] == "1,200.00"
        assert (await client.get("rows")).headers[TIME] == "700.00"
        assert (await client.get("rows")).headers[TIME] == "200.00"
        refused = await client.get("rows")
        message = (
            "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds "
            "over time window of 3000 seconds. Decrease number of concurrent requests or reduce the "
            "duration of requests and try again later."
        )
        assert error(refused) == (429, "0x80072321", message)
        assert refused.headers[TIME] == "0.00"
        assert refused.headers["retry-after"] == "2000"
        clock.forward(2000)
        assert (await client.get("rows")).status_code == 200


async def test_requests_at_the_same_time_are_limited_and_free_their_place_when_they_end():
    clock, gate = Clock(), anyio.Event()

    async def waiting(scope, receive, send):
        await gate.wait()
        await SmallCrm()(scope, receive, send)

    statuses = []

    async def ask(client):
        statuses.append((await client.get("rows")).status_code)

    async with client_of(limited(clock, waiting, concurrent=2)) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, client)
            tasks.start_soon(ask, client)
            await anyio.wait_all_tasks_blocked()
            refused = await client.get("rows")
            assert error(refused) == (
                429,
                "0x80072326",
                "Number of concurrent requests exceeded the limit of 2.",
            )
            assert refused.headers["retry-after"] == "1"
            gate.set()
        assert statuses == [200, 200]
        assert (await client.get("rows")).status_code == 200


async def test_a_request_that_fails_frees_its_place():
    async def broken(scope, receive, send):
        raise RuntimeError

    async with client_of(limited(Clock(), broken, concurrent=1), raise_app_exceptions=False) as client:
        assert [(await client.get("rows")).status_code for _ in range(3)] == [500, 500, 500]


async def test_every_answer_says_what_is_left():
    async with client_of(limited(Clock())) as client:
        answer = await client.get("rows")
        assert (answer.headers[BURST], answer.headers[TIME]) == ("5999", "1,200.00")
        assert (await client.get("rows")).headers[BURST] == "5998"


async def test_each_user_has_limits_of_their_own():
    async with client_of(limited(Clock(), requests=1)) as client:
        assert (await client.get("rows", headers={"user": "ann"})).status_code == 200
        assert (await client.get("rows", headers={"user": "ben"})).status_code == 200
        assert (await client.get("rows", headers={"user": "ann"})).status_code == 429


async def test_only_the_web_api_is_limited():
    async with client_of(limited(Clock(), requests=1)) as client:
        for path in ("/api/search/v2.0/query", "/common/oauth2/token", "/"):
            answer = await client.get(f"http://crm.test{path}")
            assert answer.status_code == 200
            assert BURST not in answer.headers
        assert (await client.get("rows")).status_code == 200


async def test_a_refused_request_never_reaches_the_application_and_costs_nothing():
    clock, crm = Clock(), SmallCrm()
    async with client_of(limited(clock, crm, requests=1)) as client:
        for number in range(5):
            await client.post("rows", json={"number": number})
        assert crm.rows == [{"number": 0}]
        clock.forward(300)
        assert (await client.post("rows", json={"number": 5})).status_code == 201


def test_without_options_the_documented_limits_hold():
    clock = Clock()
    limiter = Limiter(Limits(), clock)
    running = [limiter.admit("ann") for _ in range(53)]
    assert [type(each) for each in running] == [Admission] * 52 + [Refusal]
    assert running[-1].message == "Number of concurrent requests exceeded the limit of 52."
    for admission in running[:-1]:
        admission.release()
    for _ in range(6000 - 52):
        limiter.admit("ann").release()
    refused = limiter.admit("ann")
    assert refused.message == "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
    assert refused.retry_after == 300


def test_of_two_limits_the_one_that_lasts_longer_is_named():
    clock = Clock()
    limiter = Limiter(Limits(requests=1, concurrent=1), clock)
    assert isinstance(limiter.admit("ann"), Admission)
    assert limiter.admit("ann").code == "0x80072322"


def test_a_clock_that_is_set_back_gives_no_time_away_and_breaks_nothing():
    clock = Clock()
    limiter = Limiter(Limits(requests=1), clock)
    admission = limiter.admit("ann")
    clock.forward(-1000)
    admission.release()
    assert limiter.used()["ann"] == {"requests": 1, "execution_seconds": 0, "concurrent": 0}
    assert limiter.admit("ann").retry_after == 300


def test_users_who_ask_for_nothing_any_more_are_forgotten():
    clock = Clock()
    limiter = Limiter(Limits(), clock)
    for number in range(100):
        limiter.admit(f"user {number}").release()
    clock.forward(300)
    running = limiter.admit("ann")
    assert set(limiter.used()) == {"ann"}
    clock.forward(1000)
    assert limiter.used()["ann"]["concurrent"] == 1
    running.release()
    clock.forward(300)
    assert limiter.used() == {}


@pytest.mark.parametrize("name", ["requests", "execution_seconds", "concurrent", "window_seconds"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_a_limit_that_is_no_number_above_zero_is_refused(name, value):
    with pytest.raises(ValueError, match=f"The limit {name} must be a number above zero"):
        Limits(**{name: value})


GAPS = st.lists(st.floats(0, 20).map(lambda seconds: timedelta(seconds=seconds)), max_size=80)


@given(GAPS, st.integers(1, 6), st.floats(0.01, 30))
def test_no_window_ever_holds_more_requests_than_the_limit(gaps, most, window):
    clock = Clock()
    limiter = Limiter(Limits(requests=most, window_seconds=window), clock)
    admitted = []
    for gap in gaps:
        clock.time += gap
        admission = limiter.admit("ann")
        if isinstance(admission, Admission):
            admission.release()
            admitted.append(clock.time)
    width = timedelta(seconds=window)
    for first in admitted:
        assert sum(first <= moment < first + width for moment in admitted) <= most


@given(GAPS, st.lists(st.floats(0, 9), min_size=80, max_size=80), st.integers(1, 6), st.floats(0.01, 30))
def test_a_request_after_retry_after_passes_and_one_a_second_earlier_does_not(gaps, durations, most, window):
    clock = Clock()
    limiter = Limiter(Limits(requests=most, execution_seconds=10, window_seconds=window), clock)
    for gap, duration in zip(gaps, durations, strict=False):
        clock.time += gap
        admission = limiter.admit("ann")
        if isinstance(admission, Refusal):
            assert admission.retry_after >= 1
            clock.forward(admission.retry_after - 1)
            assert isinstance(limiter.admit("ann"), Refusal)
            clock.forward(1)
            admission = limiter.admit("ann")
        assert isinstance(admission, Admission)
        clock.forward(duration)
        admission.release()
