"""p50 of list_accounts over stdio, against a bare server that makes the same HTTP request."""

from __future__ import annotations

import statistics
import sys
import time

from hosted import root_of, sandbox
from stdio_peer import HERE, Peer, report

CALLS = 400
WARM_UP = 40
GOAL = 1.5
FILTER = "address1_city eq 'Seattle' and statecode eq 0"
COLUMNS = "accountid,name,revenue,numberofemployees,telephone1,emailaddress1,address1_city,statecode"


def main() -> int:
    with sandbox() as ready:
        root = root_of(ready)
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
