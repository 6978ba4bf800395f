"""Latency and jitter."""

from __future__ import annotations

import math

import pytest

from crm_sandbox.trouble import Limits
from tests.sandbox.trouble.small_crm import Clock, client_of, troubled

pytestmark = pytest.mark.anyio


async def waits(number, **options):
    clock = Clock()
    async with client_of(troubled(clock=clock, **options)) as client:
        for _ in range(number):
            await client.get("rows")
    return clock.slept


async def test_without_latency_nothing_waits():
    assert await waits(3) == []


async def test_each_request_waits_as_long():
    assert await waits(3, latency_ms=250) == [0.25, 0.25, 0.25]


async def test_jitter_is_different_each_time_and_the_same_for_a_seed():
    first = await waits(20, latency_ms=100, jitter_ms=50, seed=1)
    assert all(0.1 <= wait <= 0.15 for wait in first)
    assert len(set(first)) == 20
    assert await waits(20, latency_ms=100, jitter_ms=50, seed=1) == first
    assert await waits(20, latency_ms=100, jitter_ms=50, seed=2) != first


async def test_answers_made_by_faults_and_limits_are_as_late():
    clock = Clock()
    app = troubled({"what": "unavailable"}, clock=clock, latency_ms=100, limits=Limits(requests=1))
    async with client_of(app) as client:
        assert [(await client.get("rows")).status_code for _ in range(2)] == [503, 429]
    assert clock.slept == [0.1, 0.1]


async def test_latency_counts_as_execution_time():
    clock = Clock()
    app = troubled(clock=clock, latency_ms=600, limits=Limits(execution_seconds=1))
    async with client_of(app) as client:
        assert [(await client.get("rows")).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_a_latency_that_is_no_time_is_refused(value):
    with pytest.raises(ValueError, match="latency must be zero or more"):
        troubled(latency_ms=value)
    with pytest.raises(ValueError, match="jitter must be zero or more"):
        troubled(jitter_ms=value)
