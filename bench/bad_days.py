"""Writes while the network misbehaves: is any doubled, lost, told wrongly?

    uv run --no-dev python bench/bad_days.py [--seed N] [--creates N] [--bulk N]

1,000 creates, 1,000 updates and 200 deletes go alone; 2,000 rows are created and then changed in bulk, of
which one in a hundred is bad. A bulk job that stops is taken up again by its log.

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

from crm_server.dataverse.bulk import Bulk
from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.sender import Sender
from crm_tools.bulk import BulkJob, BulkRow, Ending, Outcome, RowOutcome
from crm_tools.description import load
from crm_tools.errors import UpstreamError
from crm_tools.operations import Action, Create, Delete, Update
from hosted import root_of, sandbox
from kept import kept_log

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
ROWS = "leads?$select=leadid,lastname,jobtitle&$filter=companyname%20eq%20"
Job = Callable[[], Awaitable[None]]


def script(seed: int) -> str:
    """The faults as the sandbox reads them: each strikes a share of the requests."""
    parts = [f'[[faults]]\nwhat = "{what}"\nshare = {share}\n{more}' for what, more, share in FAULTS]
    return "\n\n".join([f"seed = {seed}", *parts])


def rows_of(address: str, company: str) -> list[dict[str, Any]]:
    """The leads of a company; up to 5,000 come in one page."""
    found = httpx.get(f"{address}/api/data/v9.2/{ROWS}'{company}'", timeout=60).json()
    assert "@odata.nextLink" not in found
    rows: list[dict[str, Any]] = found["value"]
    return rows


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


def impatient(address: str) -> Sender:
    """A sender as the server has it, but for waits that are shorter."""

    async def shortly(seconds: float) -> None:
        await anyio.sleep(seconds / 100)

    return Sender(address, sleep=shortly, clock=lambda: time.monotonic() * 100)


async def misbehave(address: str, seed: int, creates: int) -> Run:
    """Create, update and delete through the client."""
    client = DataverseClient(impatient(address), load().tables)
    run = Run(client, seed)
    await in_parallel(partial(run.create, number) for number in range(creates))
    keys = sorted(run.names)
    await in_parallel(partial(run.update, key, number) for number, key in enumerate(keys))
    gone = run.chances.sample(keys, len(keys) // 5)
    await in_parallel(partial(run.delete, key) for key in gone)
    await client.aclose()
    return run


class BulkRun:
    """Jobs in chunks that are small, so that many requests are struck."""

    JOBS = tuple(
        BulkJob(str(UUID(int=number)), "lead", action, "the benchmark", frozenset(columns))
        for number, action, columns in (
            (1, Action.CREATE, ("lastname", "companyname")),
            (2, Action.UPDATE, ("lastname", "jobtitle")),
        )
    )

    def __init__(self, rows: int) -> None:
        self.count = rows
        self.told: dict[Action, dict[int, Outcome]] = {Action.CREATE: {}, Action.UPDATE: {}}
        self.runs = 0

    async def go(self, address: str, folder: Path) -> None:
        """Create the rows, then change them."""
        for job in self.JOBS:
            ending = None
            while ending is not Ending.COMPLETE:
                self.runs += 1
                ending = await self._once(address, job, folder / f"{job.action}.log")

    async def _once(self, address: str, job: BulkJob, path: Path) -> Ending:
        sender = impatient(address)
        told = self.told[job.action]

        def tell(outcomes: Iterable[RowOutcome]) -> None:
            told.update((item.number, item.outcome) for item in outcomes)

        bulk = Bulk(sender, load().tables, chunk_rows=20)
        async with kept_log(path, job) as log:
            result = await bulk.run(job, self._rows(job), log=log, tell=tell)
        await sender.aclose()
        return result.ending

    def _rows(self, job: BulkJob) -> Iterator[BulkRow]:
        for number in range(1, self.count + 1):
            too_long = {"lastname": "x" * 500} if number % 100 == 0 else {}
            if job.action is Action.CREATE:
                yield BulkRow({"lastname": f"Bulk {number}", "companyname": "Bad bulk"} | too_long)
            else:
                yield BulkRow({"jobtitle": f"Title {number}"}, key=self.JOBS[0].key_of(number))

    def wrong(self, rows: list[dict[str, Any]]) -> dict[str, int]:
        """How often what there is differs from what was told."""
        wanted = {number: number % 100 != 0 for number in range(1, self.count + 1)}
        there = {row["leadid"]: row for row in rows}
        keys = {number: self.JOBS[0].key_of(number) for number in wanted}
        return {
            "bulk: doubled": len(rows) - len({row["lastname"] for row in rows}),
            "bulk: lost": sum(good and keys[number] not in there for number, good in wanted.items()),
            "bulk: wrongly told": sum(
                (told.get(number) is Outcome.DONE) != good
                for told in self.told.values()
                for number, good in wanted.items()
            ),
            "bulk: wrongly changed": sum(
                good and there[keys[number]]["jobtitle"] != f"Title {number}"
                for number, good in wanted.items()
                if keys[number] in there
            ),
        }


def main() -> int:
    """Run, print, and say by the exit code whether anything went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--creates", type=int, default=1_000)
    parser.add_argument("--bulk", type=int, default=2_000)
    chosen = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file, faults = Path(folder) / "crm.sqlite", Path(folder) / "faults.toml"
        faults.write_text(script(chosen.seed), encoding="utf-8")
        with stored(file, "--faults", str(faults)) as address:
            run = anyio.run(misbehave, address, chosen.seed, chosen.creates)
            bulk = BulkRun(chosen.bulk)
            anyio.run(bulk.go, address, Path(folder))
        with stored(file) as address:
            wrong = run.wrong(rows_of(address, "Bad day")) | bulk.wrong(rows_of(address, "Bad bulk"))
    for what, count in sorted(run.told.items()):
        print(f"{what:45} {count:6,}")
    for action, told in bulk.told.items():
        for outcome, count in sorted(Counter(told.values()).items()):
            print(f"{f'bulk {action}: {outcome}':45} {count:6,}")
    print(f"{'bulk: runs of two jobs':45} {bulk.runs:6,}")
    for what, count in wrong.items():
        print(f"{what:45} {count:6,}   {'ok' if count == 0 else 'WRONG'}")
    print(f"in {time.perf_counter() - began:.1f} s, seed {chosen.seed}")
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
