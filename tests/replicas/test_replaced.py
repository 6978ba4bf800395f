"""Replicas are started anew one after the other, and the key is rotated, while calls run: none is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from crm_server.state.keys import Keys
from tests.replicas.clients import Tally, Worker, worker
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


async def test_a_key_that_is_rotated_and_older_ones_that_are_forgotten_lose_no_call(
    deployment: Deployment,
) -> None:
    async with under_load(deployment, CALLERS) as load, at_each(deployment, load.tally) as (one, other, anew):
        key, another = await one.create(1), await one.create(2)
        cursor = await one.read()
        assert key is not None
        assert another is not None
        assert cursor is not None
        question = await one.ask_to_delete(key)

        for _ in range(2):
            await in_thread(deployment.command, "state", "rotate-key")
            await load.tally.until_more(20)
        for anybody in (one, other, anew):
            await anybody.read_on(cursor)
        await other.agree_to_delete(key, question)
        check_signer(deployment)

        # It knows the newest key from its start, and the others have to know it by now.
        await in_thread(deployment.replicas[-1].stop)
        await in_thread(deployment.replicas[-1].start)
        cursor = await anew.read()
        assert cursor is not None
        await one.read_on(cursor)
        await other.agree_to_delete(another, await anew.ask_to_delete(another))

        await in_thread(deployment.command, "state", "forget-keys")
        await load.tally.until_more(20)
        check_signer(deployment)
    assert load.tally.deleted == {key: ["done"], another: ["done"]}
    assert len(Keys(deployment.key).all) == 1
    check_no_call_was_lost(load)


@asynccontextmanager
async def at_each(deployment: Deployment, tally: Tally) -> AsyncIterator[list[Worker]]:
    """A client at each replica, all of the same caller."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                worker(replica.endpoint, f"{deployment.mark}-{replica.name}", CALLERS[0], "auto", tally)
            )
            for replica in deployment.replicas
        ]


def check_signer(deployment: Deployment) -> None:
    """What was last signed is signed with the newest key, so all replicas have it."""
    with deployment.connected() as state:
        found = state.execute("SELECT value FROM facts WHERE name = 'audit_signer'").fetchone()
    assert found == (Keys(deployment.key).newest.public,)
