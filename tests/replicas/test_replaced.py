"""Replicas are started anew one after the other, and the key is rotated, while calls run: none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import pytest

from crm_server.state.keys import Keys
from tests.replicas.clients import Tally, worker
from tests.replicas.deployment import Deployment, deployed
from tests.replicas.loading import check_no_call_was_lost, in_thread, under_load
from tests.state.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio
CALLERS = tuple(f"replaced{number}" for number in range(3))
ASK_BEFORE_DELETE = """
extends = "full-access"

[[rules]]
id = "ask-before-delete"
effect = "confirm"
actions = ["delete"]
tables = ["lead"]
"""


@pytest.fixture
def deployment(postgresql: PostgreSQL, crm: str) -> Iterator[Deployment]:
    with deployed(postgresql, crm, CALLERS, ASK_BEFORE_DELETE) as deployment:
        yield deployment


async def test_a_rolling_restart_loses_no_call(deployment: Deployment) -> None:
    async with under_load(deployment, CALLERS) as load:
        for replica in deployment.replicas:
            before = replica.pid
            await in_thread(replica.stop)
            assert replica.ended() == 0
            # The two others carry it alone for a while.
            await load.tally.until_more(20)
            await in_thread(replica.start)
            assert replica.pid != before
            await load.tally.until_more(20)
    check_no_call_was_lost(load)


@dataclass
class Human:
    """Someone who is asked before the key is rotated, and agrees after it."""

    is_asked: anyio.Event = field(default_factory=anyio.Event)
    may_agree: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self) -> None:
        self.is_asked.set()
        await self.may_agree.wait()


async def test_a_key_that_is_rotated_and_older_ones_that_are_forgotten_lose_no_call(
    deployment: Deployment,
) -> None:
    human = Human()
    async with (
        under_load(deployment, CALLERS) as load,
        worker(deployment.address, f"{deployment.mark}-asked", CALLERS[0], "auto", load.tally, human) as one,
        anyio.create_task_group() as tasks,
    ):
        key = await one.create(1)
        cursor = await one.read()
        assert key is not None
        assert cursor is not None
        tasks.start_soon(one.delete, key)
        await human.is_asked.wait()

        for _ in range(2):
            await in_thread(deployment.command, "state", "rotate-key")
            await load.tally.until_more(20)
        for replica in deployment.replicas:
            await read_on_there(replica.endpoint, cursor, load.tally)
        human.may_agree.set()
        await load.tally.until(lambda: load.tally.deleted.get(key) == ["done"])
        check_signer(deployment)

        await in_thread(deployment.command, "state", "forget-keys")
        await load.tally.until_more(20)
        check_signer(deployment)
    assert len(Keys(deployment.key).all) == 1
    check_no_call_was_lost(load)


async def read_on_there(address: str, cursor: str, tally: Tally) -> None:
    """Follow a cursor at one replica."""
    async with worker(address, "replaced-there", CALLERS[0], "auto", tally) as one:
        await one.read_on(cursor)


def check_signer(deployment: Deployment) -> None:
    """What was last signed is signed with the newest key, so all replicas have it."""
    with deployment.connected() as state:
        found = state.execute("SELECT value FROM facts WHERE name = 'audit_signer'").fetchone()
    assert found == (Keys(deployment.key).newest.public,)
