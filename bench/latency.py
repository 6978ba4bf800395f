"""p50 of list_accounts over stdio, against a bare server that makes the same HTTP request."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stdio_peer import HERE, Peer, report

CALLS = 400
WARM_UP = 40
GOAL = 1.5
FILTER = "address1_city eq 'Seattle' and statecode eq 0"
COLUMNS = "accountid,name,revenue,numberofemployees,telephone1,emailaddress1,address1_city,statecode"


@contextmanager
def sandbox() -> Iterator[str]:
    """The embedded CRM as a process of its own; yields its root address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_server", "sandbox", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        ready = process.stderr.readline()
        yield ready.split()[-1].partition("/api/")[0]
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stderr.close()


def main() -> int:
    with sandbox() as root:
        query = f"$select={COLUMNS}&$filter={FILTER.replace(' ', '%20')}&$orderby=revenue%20desc"
        bare = Peer(str(HERE / "bare_server.py"), env={"BARE_URL": f"{root}/api/data/v9.2/accounts?{query}"})
        ours = Peer(
            *("-m", "crm_server", "serve"),
            env={"DYNAMICS_URL": root, "DYNAMICS_AUTH": "none", "DYNAMICS_LOG_LEVEL": "warning"},
        )
        arguments = {"select": COLUMNS.split(","), "filter": FILTER, "orderby": "revenue desc", "top": 20}
        with bare, ours:
            times: dict[Peer, list[float]] = {ours: [], bare: []}
            for _ in range(WARM_UP + CALLS):
                for peer, taken in times.items():
                    started = time.perf_counter()
                    peer.call("list_accounts", arguments if peer is ours else {})
                    taken.append(time.perf_counter() - started)
        p50 = {peer: statistics.median(taken[WARM_UP:]) for peer, taken in times.items()}
        return report(f"list_accounts over stdio, p50 of {CALLS}", p50[ours], p50[bare], GOAL)


if __name__ == "__main__":
    sys.exit(main())
