"""A replica is stopped for longer than the database waits for it, and goes on: nothing is doubled.

So does a machine that sleeps, or a container that gets no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import anyio
import pytest

from crm_server.state import audit, open_state
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


async def work(deployment: Deployment, replica: Replica, caller: str, era: Era, tally: Tally) -> None:
    """Create and change at one replica until the budget is used up, whatever else is told."""
    name = f"{deployment.mark}-{replica.name}-{caller}-{era}"
    async with worker(replica.endpoint, name, caller, era, tally) as one:
        number = 0
        while not tally.answers["denied_by_policy"]:
            number += 1
            if (key := await one.create(number)) is not None:
                await one.change(key)


async def test_a_replica_that_was_stopped_for_long_doubles_nothing_and_the_others_go_on(
    deployment: Deployment,
) -> None:
    frozen = deployment.replicas[0]
    there, elsewhere = Tally(), Tally()
    with anyio.fail_after(240):
        async with anyio.create_task_group() as tasks:
            for replica in deployment.replicas:
                # Few elsewhere, so that they do not use the budget up before all has happened.
                for caller in CALLERS if replica is frozen else CALLERS[:1]:
                    for era in ERAS:
                        tally = there if replica is frozen else elsewhere
                        tasks.start_soon(work, deployment, replica, caller, era, tally)
            await there.until_more(6)
            for freeze in (freeze_when_it_holds_the_lock, freeze_when_it_has_written):
                await in_thread(freeze, deployment, frozen)
                told, enough = there.answered, elsewhere.answered + 12
                await until_it_has_lost_its_place(deployment, frozen, elsewhere)
                await elsewhere.until(lambda enough=enough: elsewhere.answered >= enough)
                assert there.answered <= told + len(CALLERS) * len(ERAS)
                frozen.thaw()
                await it_goes_on(there)
    assert any("is held by another process" in message for message in elsewhere.messages)
    check(deployment, there, elsewhere)
    await check_audit(deployment)


async def it_goes_on(there: Tally) -> None:
    """Until it has done more, or is told that there is no more to do."""
    wanted = there.answers["done"] + 6
    await there.until(lambda: there.answers["done"] >= wanted or there.answers["denied_by_policy"] > 0)


async def until_it_has_lost_its_place(deployment: Deployment, frozen: Replica, elsewhere: Tally) -> None:
    """Until PostgreSQL has ended what it was at, and the others have done something."""
    with deployment.connected() as state:

        def has_lost_it() -> bool:
            found = state.execute(
                "SELECT 1 FROM pg_stat_activity "
                "WHERE application_name = %s AND state = 'idle in transaction'",
                (frozen.name,),
            )
            return found.fetchone() is None

        await elsewhere.until(has_lost_it)


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
    found = await state.run(audit.verify)
    assert found.broken is None, found.problem
    state.close()
