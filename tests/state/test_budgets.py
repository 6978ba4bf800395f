"""Budgets: what was used counts for all processes, in sliding windows, and never one over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crm_server.policy.model import Limits
from crm_server.state import State
from crm_tools.errors import PolicyDeniedError
from crm_tools.operations import Action
from tests.state.conftest import Clock
from tests.state.writing import change, limited, write

pytestmark = pytest.mark.anyio
Open = Callable[..., State]

PROCESSES, LIMIT, TRIES = 8, 20, 10
_WRITER = f"""
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from crm_server.state import open_state
from crm_tools.errors import PolicyDeniedError
from tests.state.writing import change, limited, write

async def main():
    moment = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
    state = open_state(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[2]) / "state.key", lambda: moment)
    print("ready", flush=True)
    sys.stdin.readline()
    done = 0
    for _ in range({TRIES}):
        try:
            await write(state, limited(writes_per_minute={LIMIT}), change())
            done += 1
        except PolicyDeniedError:
            pass
    state.close()
    print(done)

asyncio.run(main())
"""


def test_eight_processes_on_one_budget_never_write_one_over(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, url, str(tmp_path)]
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
        for _ in range(PROCESSES)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    done = [int(writer.communicate(timeout=120)[0]) for writer in writers]
    assert sum(done) == LIMIT


async def test_what_was_used_frees_when_it_leaves_the_window(open_: Open, clock: Clock) -> None:
    state, policy = open_(), limited(writes_per_minute=2)
    await write(state, policy, change())
    clock.pass_(timedelta(seconds=30))
    await write(state, policy, change())
    with pytest.raises(PolicyDeniedError):
        await write(state, policy, change())
    spent = await state.spent(policy, "ann", Action.UPDATE, None)
    assert spent.everyone["writes_per_minute"].frees == clock.now + timedelta(seconds=30)
    clock.pass_(timedelta(seconds=30))
    await write(state, policy, change())
    with pytest.raises(PolicyDeniedError):
        await write(state, policy, change())


async def test_each_caller_has_limits_of_their_own(open_: Open) -> None:
    state = open_()
    policy = replace(limited(), each_caller=Limits(deletes_per_day=1))
    await write(state, policy, change("ann", Action.DELETE))
    with pytest.raises(PolicyDeniedError):
        await write(state, policy, change("ann", Action.DELETE))
    await write(state, policy, change("bob", Action.DELETE))
    await write(state, policy, change("ann", Action.UPDATE))


async def test_records_are_counted_once_however_often_they_change(open_: Open) -> None:
    state, policy = open_(), limited(records_per_day=2)
    for record in ("a", "b", "a", "b"):
        await write(state, policy, change(record=record))
    with pytest.raises(PolicyDeniedError):
        await write(state, policy, change(record="c"))


async def test_what_was_refused_uses_nothing_up(open_: Open) -> None:
    state = open_()
    with pytest.raises(PolicyDeniedError):
        await write(state, limited(writes_per_minute=0), change())
    spent = await state.spent(limited(writes_per_minute=5), "ann", Action.UPDATE, None)
    assert spent.everyone["writes_per_minute"].amount == 0
