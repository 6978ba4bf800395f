"""Clients of both eras that call without a pause, none of whose calls may be lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from tests.interaction.connecting import ERAS, Era
from tests.replicas.clients import Tally, worker
from tests.replicas.counting import check_writes, kept, leads_of
from tests.replicas.deployment import Deployment

T = TypeVar("T")


@dataclass
class Load:
    """Who calls, and what they are told."""

    deployment: Deployment
    tally: Tally = field(default_factory=Tally)
    over: anyio.Event = field(default_factory=anyio.Event)

    async def work(self, name: str, caller: str, era: Era) -> None:
        """Read, create and change until it is over."""
        async with worker(self.deployment.address, name, caller, era, self.tally) as one:
            number = 0
            while not self.over.is_set():
                number += 1
                if (cursor := await one.read()) is not None:
                    await one.read_on(cursor)
                if (key := await one.create(number)) is not None:
                    await one.change(key)


@asynccontextmanager
async def under_load(deployment: Deployment, callers: Sequence[str]) -> AsyncIterator[Load]:
    """A client of each era for each caller; all have ended after the block."""
    load = Load(deployment)
    async with anyio.create_task_group() as tasks:
        for caller in callers:
            for era in ERAS:
                tasks.start_soon(load.work, f"{deployment.mark}-{caller}-{era}", caller, era)
        await load.tally.until_more(len(callers) * 4)
        yield load
        load.over.set()


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Do something that takes its time."""
    return await anyio.to_thread.run_sync(work, *arguments)


def check_no_call_was_lost(load: Load) -> None:
    """Each call was answered as it should be, each write is done once, and the audit has all of it."""
    tally = load.tally
    assert tally.answers.keys() == {"done"}, (tally.answers, tally.messages)
    assert tally.statuses.keys() <= {200, 202}
    assert load.deployment.errors() == []
    state, leads = kept(load.deployment), leads_of(load.deployment)
    check_writes(tally, leads)
    assert leads.keys() == tally.created.keys() - {tally.names[key] for key in tally.deleted}
    assert {change.state for change in state.changes} == {"done"}
    assert len(state.changes) == len(tally.created) + len(tally.changed) + len(tally.deleted)
    assert state.ends == Counter(change.id for change in state.changes)
    assert state.calls == tally.answered
