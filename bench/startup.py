"""Time from process start to the answered tools/list, against a bare low-level SDK server."""

from __future__ import annotations

import statistics
import sys
import time

from stdio_peer import HERE, Peer, report

RUNS = 9
GOAL = 1.35


def start_up(*arguments: str) -> float:
    started = time.perf_counter()
    with Peer(*arguments) as peer:
        assert peer.request("tools/list", {})["tools"]
        return time.perf_counter() - started


def main() -> int:
    ours = ("-m", "crm_server", "serve", "--sandbox")
    bare = (str(HERE / "bare_server.py"),)
    start_up(*ours), start_up(*bare)  # fills the file cache and the byte code cache
    pairs = [(start_up(*ours), start_up(*bare)) for _ in range(RUNS)]
    return report(
        f"start to answered tools/list, median of {RUNS}",
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        GOAL,
    )


if __name__ == "__main__":
    sys.exit(main())
