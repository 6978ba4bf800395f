"""1,000 creates, 1,000 updates, 200 deletes while the network misbehaves: is any doubled, lost, told wrongly?

    uv run --no-dev python bench/bad_days.py [--seed N] [--creates N]

The embedded CRM runs as a process of its own with a script of faults on every kind of request: 429, 502, 503
and 504, before and after the row was stored, dropped connections, answers that are cut off or no JSON.
Afterwards it is started again without faults and asked what there is.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx

from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.sender import Sender
from crm_tools.description import load
from crm_tools.errors import UpstreamError
from crm_tools.operations import Create, Delete, Update
from hosted import root_of, sandbox

AT_ONCE = 8
FAULTS = (
    ("throttle", "retry_after = 1", 0.04),
    ("bad_gateway", "", 0.03),
    ("unavailable", "", 0.03),
    ("unavailable", "stored = true", 0.04),
    ("gateway_timeout", "stored = true", 0.03),
    ("drop", "", 0.03),
    ("drop", "stored = true", 0.04),
    ("truncate", "", 0.03),
    ("not_json", "", 0.02),
)
ROWS = "leads?$select=leadid,lastname,jobtitle&$filter=companyname%20eq%20'Bad%20day'"
Job = Callable[[], Awaitable[None]]


def script(seed: int) -> str:
    """The faults as the sandbox reads them: each strikes a share of the requests."""
    parts = [f'[[faults]]\nwhat = "{what}"\nshare = {share}\n{more}' for what, more, share in FAULTS]
    return "\n\n".join([f"seed = {seed}", *parts])


@contextmanager
def stored(file: Path, *more: str) -> Iterator[str]:
    """The embedded CRM on a file; yields its root address."""
    with sandbox("--rows", "10", "--file", str(file), *more) as ready:
        yield root_of(ready)


class Run:
    """What was asked for and what was told of it. A row of which anything stayed unclear counts as that."""

    def __init__(self, client: DataverseClient, seed: int) -> None:
        self._client = client
        self.chances = random.Random(seed)  # noqa: S311 - which rows change is no secret
        self.told: Counter[str] = Counter()
        self.names: dict[str, str] = {}
        self.titles: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.unclear: set[str] = set()

    async def create(self, number: int) -> None:
        """Create a lead with a name of its own."""
        key, name = str(UUID(int=self.chances.getrandbits(128), version=4)), f"Lead {number}"
        values = {"lastname": name, "companyname": "Bad day"}
        create = Create("lead", key, values, returning=("leadid",))
        if await self._told("created", key, self._client.create(create)):
            self.names[key] = name

    async def update(self, key: str, number: int) -> None:
        """Give a lead a title of its own."""
        update = Update("lead", key, {"jobtitle": f"Title {number}"})
        if await self._told("updated", key, self._client.update(update)):
            self.titles[key] = f"Title {number}"

    async def delete(self, key: str) -> None:
        """Delete a lead."""
        if await self._told("deleted", key, self._client.delete(Delete("lead", key))):
            self.deleted.add(key)

    async def _told(self, what: str, key: str, work: Awaitable[object]) -> bool:
        try:
            await work
        except UpstreamError as error:
            self.told[f"not {what}, as told ({error.code})"] += 1
            self.unclear.add(key)
            return False
        self.told[what] += 1
        return True

    def wrong(self, rows: list[dict[str, Any]]) -> dict[str, int]:
        """How often what there is differs from what was told."""
        there = {row["leadid"]: row for row in rows}
        sure = {key for key in self.names if key not in self.unclear}
        left = sure - self.deleted
        return {
            "doubled": sum(count - 1 for count in Counter(row["lastname"] for row in rows).values()),
            "lost": len([key for key in left if key not in there]),
            "wrongly told as deleted": len([key for key in self.deleted if key in there]),
            "wrongly told as updated": len(
                [key for key in left if key in there and there[key]["jobtitle"] != self.titles.get(key)]
            ),
        }


async def in_parallel(jobs: Iterable[Job]) -> None:
    """Run jobs, so many at once."""
    turns = anyio.Semaphore(AT_ONCE)

    async def one(job: Job) -> None:
        async with turns:
            await job()

    async with anyio.create_task_group() as tasks:
        for job in jobs:
            tasks.start_soon(one, job)


async def misbehave(address: str, seed: int, creates: int) -> Run:
    """Create, update and delete through the client as the server has it, but for waits that are shorter."""

    async def shortly(seconds: float) -> None:
        await anyio.sleep(seconds / 100)

    client = DataverseClient(
        Sender(address, sleep=shortly, clock=lambda: time.monotonic() * 100), load().tables
    )
    run = Run(client, seed)
    await in_parallel(partial(run.create, number) for number in range(creates))
    keys = sorted(run.names)
    await in_parallel(partial(run.update, key, number) for number, key in enumerate(keys))
    gone = run.chances.sample(keys, len(keys) // 5)
    await in_parallel(partial(run.delete, key) for key in gone)
    await client.aclose()
    return run


def main() -> int:
    """Run, print, and say by the exit code whether anything went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--creates", type=int, default=1_000)
    chosen = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file, faults = Path(folder) / "crm.sqlite", Path(folder) / "faults.toml"
        faults.write_text(script(chosen.seed), encoding="utf-8")
        with stored(file, "--faults", str(faults)) as address:
            run = anyio.run(misbehave, address, chosen.seed, chosen.creates)
        with stored(file) as address:
            rows = httpx.get(f"{address}/api/data/v9.2/{ROWS}", timeout=60).json()["value"]
    for what, count in sorted(run.told.items()):
        print(f"{what:45} {count:6,}")
    wrong = run.wrong(rows)
    for what, count in wrong.items():
        print(f"{what:45} {count:6,}   {'ok' if count == 0 else 'WRONG'}")
    print(f"in {time.perf_counter() - began:.1f} s, seed {chosen.seed}")
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
