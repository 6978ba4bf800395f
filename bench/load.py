"""Calls a second and p99 over streamable HTTP, against a bare server that makes the same HTTP request.

    uv run --no-dev python bench/load.py                            # throughput, at 32 and 256 clients
    uv run --no-dev python bench/load.py --memory 10000 100000      # memory after so many calls

Each server in turn has a core to itself; the clients and a stand-in for the CRM share the other one. Ours is
set up as for a team: each client has a token of its own, and policy, budgets, audit (SQLite), log, metrics
and limits are on. The bare one knows nobody, and hands on what it gets.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from clients import ERAS, Peer, calls
from hosted import root_of, sandbox
from recorded import recorded

GOAL = 0.6
MOST_GROWTH = 1.10
CLIENTS = (32, 256)
FILTER = "address1_city eq 'Seattle' and statecode eq 0"
COLUMNS = "accountid,name,revenue,numberofemployees,telephone1,emailaddress1,address1_city,statecode"
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs, and its process."""

    peer: Peer
    pid: int


def main() -> int:
    options = _options()
    cores = sorted(os.sched_getaffinity(0))
    server_core, other_core = cores[0], cores[-1]
    os.sched_setaffinity(0, {other_core})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        root = stack.enter_context(recorded(root_of(stack.enter_context(sandbox())), other_core))
        ours = stack.enter_context(_ours(root, folder, max(options.clients), server_core))
        if options.memory:
            return _memory(ours, options.memory)
        bare = stack.enter_context(_bare(root, folder, server_core))
        return _throughput(ours, bare, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, nargs="+", default=list(CLIENTS))
    parser.add_argument("--calls", type=int, default=2_000, help="calls of a round")
    parser.add_argument("--rounds", type=int, default=3, help="of each server, in turn; the best counts")
    parser.add_argument("--memory", type=int, nargs=2, metavar="CALLS", help="compare after so many calls")
    return parser.parse_args()


def _throughput(ours: Served, bare: Served, options: argparse.Namespace) -> int:
    ratios = []
    for version in ERAS:
        for clients in options.clients:
            for server in (ours, bare):
                _round(server, version, clients, max(clients, options.calls // 4))
            rounds = [
                (_round(ours, version, clients, options.calls), _round(bare, version, clients, options.calls))
                for _ in range(options.rounds)
            ]
            best = [max(each, key=lambda one: one.rate) for each in zip(*rounds, strict=True)]
            ratios.append(best[0].rate / best[1].rate)
            print(f"{version}, {clients} clients: ratio {ratios[-1]:.2f} (goal: at least {GOAL})")
            for server, one in zip((ours, bare), best, strict=True):
                print(
                    f"  {server.peer.name} {one.rate:6,.0f} calls a second, p50 {one.p50 * 1000:6,.1f} ms, "
                    f"p99 {one.p99 * 1000:6,.1f} ms, {one.cpu * 1000:5.2f} ms of CPU each",
                    flush=True,
                )
    return 0 if min(ratios) >= GOAL else 1


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to: calls a second, and seconds of a call."""

    rate: float
    p50: float
    p99: float
    cpu: float


def _round(server: Served, version: str, clients: int, count: int) -> Round:
    before = _cpu(server.pid)
    seconds, taken = uvloop.run(calls(server.peer, version, clients, count))
    cpu = _cpu(server.pid) - before
    taken.sort()
    return Round(count / seconds, taken[count // 2], taken[int(count * 0.99)], cpu / count)


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(ours: Served, counts: list[int]) -> int:
    done, resident = 0, []
    version = next(iter(ERAS))
    for count in counts:
        seconds, _ = uvloop.run(calls(ours.peer, version, 32, count - done))
        resident.append(_resident(ours.pid))
        rate = (count - done) / seconds
        print(f"after {count:7,} calls {resident[-1] / 1024:6.1f} MiB ({rate:,.0f} a second)", flush=True)
        done = count
    growth = resident[-1] / resident[0]
    print(f"growth {growth:.3f} (goal: at most {MOST_GROWTH})")
    return 0 if growth <= MOST_GROWTH else 1


def _resident(pid: int) -> int:
    """KiB of memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


@contextmanager
def _ours(root: str, folder: Path, clients: int, core: int) -> Iterator[Served]:
    tokens = [secrets.token_urlsafe(32) for _ in range(clients)]
    callers = folder / "callers.toml"
    callers.write_text(
        "".join(
            f'[caller-{number}]\nsha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n'
            for number, token in enumerate(tokens)
        )
    )
    environ = {
        "DYNAMICS_URL": root,
        "DYNAMICS_AUTH": "none",
        "DYNAMICS_STATE": str(folder / "state.db"),
        "DYNAMICS_CALLERS_FILE": str(callers),
        "DYNAMICS_PUBLIC_URL": "http://127.0.0.1",
        "DYNAMICS_METRICS": "true",
    }
    command = ["-m", "crm_server", "serve", "--transport", "http", "--port", "0"]
    arguments = {"select": COLUMNS.split(","), "filter": FILTER, "orderby": "revenue desc", "top": 20}
    with _server(command, environ, core, folder / "ours.log") as (address, pid):
        yield Served(Peer("ours", address, "list_accounts", arguments, tokens), pid)


@contextmanager
def _bare(root: str, folder: Path, core: int) -> Iterator[Served]:
    query = f"$select={COLUMNS}&$filter={FILTER.replace(' ', '%20')}&$orderby=revenue%20desc"
    environ = {"BARE_URL": f"{root}/api/data/v9.2/accounts?{query}", "BARE_HTTP": "true"}
    with _server([str(HERE / "bare_server.py")], environ, core, folder / "bare.log") as (address, pid):
        yield Served(Peer("bare", address, "list_accounts", {}), pid)


@contextmanager
def _server(
    command: list[str], environ: Mapping[str, str], core: int, log: Path
) -> Iterator[tuple[str, int]]:
    """A server on a core; yields its address and its process id. What it logs goes to a file."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DYNAMICS_")}
    with log.open("w") as said:
        process = subprocess.Popen([sys.executable, *command], env={**clean, **environ}, stderr=said)
    try:
        os.sched_setaffinity(process.pid, {core})
        yield _address(process, log), process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("Ready at "):
                return line.removeprefix("Ready at ")
        time.sleep(0.05)
    raise RuntimeError(log.read_text())


if __name__ == "__main__":
    sys.exit(main())
