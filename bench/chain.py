"""Events of the audit that replicas chain together a second, against bare inserts under the same lock.

    uv run python bench/chain.py --database postgresql://crm@127.0.0.1/empty

One process after another, then several at once, each with a transaction for each event: more replicas do not
raise the sum, because the chain is one. The database has to be empty; ``--processes 1 2 4`` says how many.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import anyio
import psycopg

from crm_server.state import audit, open_state

EVENTS = 500
GOAL = 0.1
LOCK = "SELECT pg_advisory_xact_lock(1)"
EVENT = {
    "kind": "call",
    "caller": "6a0c9b1e-0000-4000-8000-000000000001@contoso",
    "tool": "list_accounts",
    "action": "read",
    "table": "account",
    "ids": [f"6a0c9b1e-0000-4000-8000-{number:012}" for number in range(20)],
    "outcome": "ok",
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", required=True, help="the address of an empty PostgreSQL database")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--as-one", metavar="KEY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_one:
        anyio.run(chained, options.database, Path(options.as_one))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "state.key"
        anyio.run(opened, options.database, key)
        bare = EVENTS / bare_inserts(options.database)
        print(f"bare inserts under a lock, one process  {bare:6.0f} a second")
        ratios = []
        for processes in options.processes:
            rate = processes * EVENTS / at_once(processes, options.database, key)
            ratios.append(rate / bare)
            found = f"{rate:6.0f} a second   ratio {rate / bare:.2f}"
            print(f"events of the audit, processes: {processes}        {found}")
    print(f"the worst ratio: {min(ratios):.2f} (goal: at least {GOAL})")
    return 0 if min(ratios) >= GOAL else 1


def at_once(processes: int, database: str, key: Path) -> float:
    """Seconds from the moment at which all processes are ready until all have chained their events."""
    command = [sys.executable, __file__, "--database", database, "--as-one", str(key)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    started = time.perf_counter()
    for process in running:
        assert process.stdin is not None
        process.stdin.close()
    for process in running:
        if process.wait() != 0:
            raise SystemExit("A process could not chain its events; see above.")
    return time.perf_counter() - started


async def opened(database: str, key: Path) -> None:
    """Make the tables and the key."""
    state = open_state(database, key.parent, key, lambda: datetime.now(UTC))
    await state.has_read("nobody")
    state.close()


async def chained(database: str, key: Path) -> None:
    """Chain events, each in a transaction of its own, from the moment at which stdin ends."""
    state = open_state(database, key.parent, key, lambda: datetime.now(UTC))
    await state.has_read("nobody")
    print("ready", flush=True)
    sys.stdin.read()
    for _ in range(EVENTS):
        await state.run(lambda connection, keys: audit.append(connection, keys, EVENT, datetime.now(UTC)))
    state.close()


def bare_inserts(database: str) -> float:
    """Seconds for as many rows of the same length, each in a transaction under a lock as an event is."""
    body = str(EVENT)
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, body TEXT)")
        connection.commit()
        started = time.perf_counter()
        for number in range(EVENTS):
            connection.execute(LOCK)
            connection.execute("INSERT INTO bare VALUES (%s, %s)", (number, body))
            connection.commit()
        seconds = time.perf_counter() - started
        connection.execute("DROP TABLE bare")
        connection.commit()
    return seconds


if __name__ == "__main__":
    sys.exit(main())
