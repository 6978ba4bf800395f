"""What budgets, journal and audit add to a write: the two transactions on SQLite, against two bare ones.

uv run --no-dev python bench/journal.py
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import anyio

from crm_server.policy.judging import Judgement
from crm_server.policy.model import Decision, Limits, Outcome, Policy
from crm_server.state import State, open_state
from crm_tools.changes import Change, ChangeState
from crm_tools.operations import Action

GOAL_MILLISECONDS = 2.0
TIMES = 1_000
WARM_UP = 50


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        state = open_state(None, Path(folder), None, lambda: datetime.now(UTC))
        p50, p95 = anyio.run(journaled, state)
        state.close()
        bare, _ = bare_commits(Path(folder) / "bare.db")
    print(f"a write's two transactions   p50 {p50:5.2f} ms   p95 {p95:5.2f} ms")
    print(f"two bare commits of a row    p50 {bare:5.2f} ms   ratio {p50 / bare:.1f}")
    print(f"added to a write: {p50:.2f} ms (goal: at most {GOAL_MILLISECONDS:.0f})")
    return 0 if p50 <= GOAL_MILLISECONDS else 1


async def journaled(state: State) -> tuple[float, float]:
    """Milliseconds to begin a write and to end it."""
    policy = Policy("limited", (), Limits(writes_per_minute=1_000_000, records_per_day=1_000_000), {})
    judgement = Judgement(Decision(Outcome.ALLOWED, (), ""), ())
    taken = []
    for number in range(TIMES + WARM_UP):
        change = Change(
            "ann", "update_lead", Action.UPDATE, "lead", f"{number}", {"subject": "b"}, {"subject": "a"}
        )
        started = time.perf_counter()
        begun = await state.begin_write(policy, change, "", lambda _spent: judgement, {"caller": "ann"})
        await state.end_write(begun.change, ChangeState.DONE)
        taken.append((time.perf_counter() - started) * 1000)
    return percentiles(taken[WARM_UP:])


def bare_commits(path: Path) -> tuple[float, float]:
    """Milliseconds for two commits of one row each, kept as safely."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body TEXT)")
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        for _ in range(2):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO rows (body) VALUES ('a body of some length')")
            connection.execute("COMMIT")
        taken.append((time.perf_counter() - started) * 1000)
    connection.close()
    return percentiles(taken)


def percentiles(taken: list[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    taken.sort()
    return taken[len(taken) // 2], taken[len(taken) * 95 // 100]


if __name__ == "__main__":
    sys.exit(main())
