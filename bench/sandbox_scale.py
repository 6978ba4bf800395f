"""The sandbox with a million accounts, against itself with ten thousand.

    uv run --no-dev python bench/sandbox_scale.py [--accounts N] [--file crm.sqlite]

A file that exists is used as it is; without ``--file`` one is made in a temporary folder.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

REFERENCE = 10_000
CALLS = 300
MAKING_GOAL, START_GOAL, P50_GOAL_MS, MEMORY_GOAL_MIB = 180.0, 2.0, 10.0, 300.0
API = "/api/data/v9.2/"
FILTER = quote("address1_city eq 'Seattle' and statecode eq 0")
PAGE = f"accounts?$select=name,revenue,address1_city&$orderby=revenue%20desc&$filter={FILTER}"


@dataclass(frozen=True)
class Figures:
    """What was measured of one size. Times in seconds; memory in MiB, at its highest."""

    start: float
    by_key: float
    page: float
    memory: float


class Serving:
    """A sandbox process, ready to answer."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def get(self, path: str, **headers: str) -> dict[str, object]:
        """A JSON answer."""
        self._connection.request("GET", API + path, headers=headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"{path}: {answer.status} {content[:300]!r}")
        found: dict[str, object] = json.loads(content)
        return found

    def memory(self) -> float:
        """The most memory that the process has had."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024


@contextmanager
def serving(file: Path, accounts: int) -> Iterator[Serving]:
    """The sandbox on a file, from the moment at which it listens."""
    command = [sys.executable, "-m", "crm_server", "sandbox", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--file", str(file), "--rows", str(accounts)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        ready = process.stderr.readline()
        port = int(ready.split()[-1].split("/api/")[0].rpartition(":")[2])
        yield Serving(process, port)
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stderr.close()


def make(file: Path, accounts: int) -> tuple[float, float]:
    """Make the file; the seconds and the memory that it took."""
    began = time.perf_counter()
    with serving(file, accounts) as crm:
        crm.get("WhoAmI")
        return time.perf_counter() - began, crm.memory()


def measure(file: Path, accounts: int) -> Figures:
    """Start on a file that exists, and ask it."""
    began = time.perf_counter()
    with serving(file, accounts) as crm:
        crm.get("WhoAmI")
        start = time.perf_counter() - began
        keys = _some_keys(crm)
        chances = random.Random(7)  # noqa: S311 - which rows are asked for is no secret
        by_key = _p50(lambda: crm.get(f"accounts({chances.choice(keys)})"))
        page = _p50(lambda: crm.get(PAGE, Prefer="odata.maxpagesize=50"))
        return Figures(start, by_key, page, crm.memory())


def _some_keys(crm: Serving) -> list[str]:
    """Keys from all over the table: each letter that a key can begin with."""
    keys = []
    for digit in "0123456789abcdef":
        condition = quote(f"accountid ge {digit}0000000-0000-0000-0000-000000000000")
        rows = crm.get(f"accounts?$select=accountid&$filter={condition}&$top=20&$orderby=accountid")["value"]
        assert isinstance(rows, list)
        keys += [str(row["accountid"]) for row in rows]
    return keys


def _p50(call: Callable[[], object]) -> float:
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _line(name: str, value: float, unit: str, goal: float, reference: float | None = None) -> bool:
    compared = "" if reference is None else f"{reference:10.2f} {unit:3} {value / reference:6.2f}"
    verdict = "met" if value <= goal else "MISSED"
    print(f"{name:32} {value:10.2f} {unit:3} {compared:22} at most {goal:g}: {verdict}")
    return value <= goal


def main() -> int:
    """Measure, print, and say by the exit code whether every goal is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = chosen.file or Path(folder) / "large.sqlite"
        met = []
        print(f"{'':32} {chosen.accounts:>10,}     {REFERENCE:>10,}      ratio  goal")
        if not file.exists():
            making, memory = make(file, chosen.accounts)
            met.append(_line("making the rows", making, "s", MAKING_GOAL))
            met.append(_line("memory while making them", memory, "MiB", MEMORY_GOAL_MIB))
        small = Path(folder) / "small.sqlite"
        make(small, REFERENCE)
        few, many = measure(small, REFERENCE), measure(file, chosen.accounts)
        met += [
            _line("start from the file", many.start, "s", START_GOAL, few.start),
            _line("get by id, p50", many.by_key * 1000, "ms", P50_GOAL_MS, few.by_key * 1000),
            _line("filtered, sorted page of 50, p50", many.page * 1000, "ms", P50_GOAL_MS, few.page * 1000),
            _line("memory while serving", many.memory, "MiB", MEMORY_GOAL_MIB, few.memory),
        ]
        print(f"size of the file: {file.stat().st_size / 2**20:,.0f} MiB")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
