"""A replica is stopped for longer than the database waits for it, and goes on: nothing is doubled.

So does a machine that sleeps, or a container that gets no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import anyio
import pytest

from crm_server.state import chain, open_state
from tests.interaction.connecting import ERAS, Era
from tests.replicas.clients import Tally, worker
from tests.replicas.counting import check_budget, check_writes, kept, leads_of
from tests.replicas.deployment import NO_PATIENCE, Deployment, Replica, deployed
from tests.replicas.loading import in_thread
from tests.replicas.moments import freeze_when_it_has_written, freeze_when_it_holds_the_lock
from tests.state.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio
CALLERS = tuple(f"frozen{number}" for number in range(3))
IN_ALL = 280  # Less than the preset allows in a minute.
POLICY = f"""
extends = "full-access"

[limits]
writes_per_day = {IN_ALL}
"""
TOLD = {"done", "denied_by_policy", "state_unavailable"}


@pytest.fixture
def deployment(postgresql: PostgreSQL, crm: str) -> Iterator[Deployment]:
    with deployed(postgresql, crm, CALLERS, POLICY, NO_PATIENCE) as deployment:
        yield deployment


class Pace:
    """How much may be done elsewhere, so that the budget is not used up before all has happened."""

    def __init__(self) -> None:
        self._turns = anyio.Semaphore(0)

    def grant(self, turns: int) -> None:
        for _ in range(turns):
            self._turns.release()

    async def turn(self) -> None:
        await self._turns.acquire()


async def work(
    deployment: Deployment, replica: Replica, caller: str, era: Era, tally: Tally, pace: Pace | None
) -> None:
    """Create and change at one replica until the budget is used up, whatever else is told."""
    name = f"{deployment.mark}-{replica.name}-{caller}-{era}"
    async with worker(replica.endpoint, name, caller, era, tally) as one:
        number = 0
        while not tally.answers["denied_by_policy"]:
            if pace is not None:
                await pace.turn()
            number += 1
            assert number <= IN_ALL, "nobody was refused"
            if (key := await one.create(number)) is not None:
                await one.change(key)


async def test_a_replica_that_was_stopped_for_long_doubles_nothing_and_the_others_go_on(
    deployment: Deployment,
) -> None:
    frozen, *others = deployment.replicas
    there, elsewhere, pace = Tally(), Tally(), Pace()
    with anyio.fail_after(240):
        async with anyio.create_task_group() as tasks:
            for replica in deployment.replicas:
                for caller in CALLERS:
                    for era in ERAS:
                        is_there = replica is frozen
                        tally = there if is_there else elsewhere
                        paced = None if is_there else pace
                        tasks.start_soon(work, deployment, replica, caller, era, tally, paced)
            await there.until_more(6)
            for freeze in (freeze_when_it_holds_the_lock, freeze_when_it_has_written):
                pace.grant(4)
                await in_thread(freeze, deployment, frozen)
                told, enough = there.answered, elsewhere.answered + 12
                pace.grant(12)
                await in_thread(wait_until_it_has_lost_its_place, deployment, frozen)
                pace.grant(12)
                await elsewhere.until(lambda enough=enough: elsewhere.answered >= enough)
                assert there.answered <= told + len(CALLERS) * len(ERAS)
                frozen.thaw()
                await there.until_more(6)
            pace.grant(2 * IN_ALL)
    said = [*elsewhere.messages, *(line for other in others for line in other.log)]
    assert any("is held by another process" in words for words in said)
    check(deployment, there, elsewhere)
    await check_audit(deployment)


def wait_until_it_has_lost_its_place(deployment: Deployment, frozen: Replica) -> None:
    """Until PostgreSQL has ended what it was at."""
    with deployment.connected() as state:
        while state.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND state = 'idle in transaction'",
            (frozen.name,),
        ).fetchone():
            state.execute("SELECT pg_sleep(0.05)")


def check(deployment: Deployment, there: Tally, elsewhere: Tally) -> None:
    """What all were told is what there is."""
    state, leads = kept(deployment), leads_of(deployment)
    both = Tally(
        created={**there.created, **elsewhere.created},
        changed={**there.changed, **elsewhere.changed},
        names={**there.names, **elsewhere.names},
    )
    assert {*there.answers, *elsewhere.answers} <= TOLD, (there.messages, elsewhere.messages)
    check_writes(both, leads)
    check_budget(state, IN_ALL)
    assert {(change.state, change.error) for change in state.changes} == {("done", None)}
    done = [told for told in (*both.created.values(), *both.changed.values()) if told == "done"]
    assert len(done) == IN_ALL


async def check_audit(deployment: Deployment) -> None:
    state = open_state(deployment.database, deployment.folder, deployment.key, lambda: datetime.now(UTC))
    found = await chain.verify(state.run)
    assert found.broken is None, found.problem
    state.close()
