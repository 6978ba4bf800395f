"""Replicas whose clocks differ count by the same one: that of the server that they share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_server.state import State, open_state
from crm_tools.errors import PolicyDeniedError
from tests.state.postgresql import PostgreSQL
from tests.state.writing import change, limited, write

pytestmark = pytest.mark.anyio
Replica = Callable[[float], State]
OFF = [pytest.param(50.0, id="ahead"), pytest.param(-50.0, id="behind")]


@pytest.fixture
def replica(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[Replica]:
    """Opens a state on a machine whose clock is off by so many seconds."""
    url = postgresql.database()
    opened: list[State] = []

    def open_one(off: float) -> State:
        state = open_state(
            url, tmp_path, tmp_path / "state.key", lambda: datetime.now(UTC) + timedelta(seconds=off)
        )
        state._store.clock = lambda: time.time() + off
        opened.append(state)
        return state

    yield open_one
    for state in opened:
        state.close()


@pytest.mark.parametrize("off", OFF)
async def test_a_limit_of_a_minute_holds_between_replicas_whose_clocks_differ(
    replica: Replica, off: float
) -> None:
    right, wrong = replica(0), replica(off)
    policy = limited(writes_per_minute=4)
    for state in (right, wrong, right, wrong):
        await write(state, policy, change())
    for state in (right, wrong):
        with pytest.raises(PolicyDeniedError):
            await write(state, policy, change())
        spent = await state.spent(policy, "ann", change().action, None)
        frees = spent.everyone["writes_per_minute"].frees
        assert frees is not None
        assert abs((frees - datetime.now(UTC)).total_seconds() - 60) < 30


@pytest.mark.parametrize("off", OFF)
async def test_the_log_says_that_a_clock_is_off_and_when_it_is_right_again(
    replica: Replica, off: float, capsys: pytest.CaptureFixture[str]
) -> None:
    state = replica(off)
    for _ in range(3):
        await state.check()
    assert "".join(capsys.readouterr()).count("clock_set") == 1
    assert abs(state.now() - datetime.now(UTC)) < timedelta(seconds=10)
    state._store.clock = time.time
    for _ in range(3):
        await state.check()
    assert "".join(capsys.readouterr()).count("clock_set") == 1
    assert state._store.behind == timedelta(0)


async def test_a_clock_that_is_right_is_used_as_it_is(
    replica: Replica, capsys: pytest.CaptureFixture[str]
) -> None:
    state = replica(0)
    await state.check()
    assert state._store.behind == timedelta(0)
    assert "clock_set" not in "".join(capsys.readouterr())


def test_a_file_has_no_clock_of_its_own(tmp_path: Path) -> None:
    moment = datetime(2026, 5, 4, tzinfo=UTC)
    with closing(open_state(None, tmp_path, None, lambda: moment)) as state:
        found: Any = state.now()
        assert found == moment
