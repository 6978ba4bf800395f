"""PostgreSQL is stopped and started: each replica reads on, says why it does not write, and recovers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import httpx
import pytest

from tests.interaction.connecting import ERAS
from tests.replicas.clients import Tally, Worker, worker
from tests.replicas.counting import check_writes, kept, leads_of
from tests.replicas.deployment import Deployment, Replica, deployed
from tests.replicas.loading import in_thread
from tests.state.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio
CALLER = "away"


@pytest.fixture
def deployment(postgresql: PostgreSQL, crm: str) -> Iterator[Deployment]:
    with deployed(postgresql, crm, [CALLER]) as deployment:
        yield deployment
    if not postgresql.is_running():
        postgresql.start()


@asynccontextmanager
async def clients(deployment: Deployment, tally: Tally) -> AsyncIterator[list[Worker]]:
    """A client of each era at each replica."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                worker(replica.endpoint, f"{deployment.mark}-{replica.name}-{era}", CALLER, era, tally)
            )
            for replica in deployment.replicas
            for era in ERAS
        ]


async def missing(replica: Replica) -> Mapping[str, str]:
    """What a replica says it lacks."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(replica.endpoint.replace("/mcp", "/readyz"))
    found: Mapping[str, str] = answer.json()["missing"]
    assert answer.status_code == (503 if found else 200)
    return found


async def until_ready(replica: Replica) -> None:
    with anyio.fail_after(60):
        while await missing(replica):
            pass


async def until_in_the_audit(deployment: Deployment, calls: int) -> None:
    with anyio.fail_after(60):
        while (await in_thread(kept, deployment)).calls < calls:
            pass


async def test_each_replica_reads_on_says_why_it_does_not_write_and_recovers_by_itself(
    deployment: Deployment, postgresql: PostgreSQL
) -> None:
    tally = Tally()
    async with clients(deployment, tally) as all_of_them:
        for one in all_of_them:
            assert await one.create(1) is not None
        for outage in (2, 3):
            await in_thread(postgresql.stop)
            for one in all_of_them:
                assert (await one.call("list_leads", top=1))[0] == "done"
                name = f"{one.name}-{outage}-no"
                tally.created[name], content = await one.call("create_lead", lastname=name, subject="Pens")
                assert content["error"]["code"] == "state_unavailable"
                assert "cannot be reached. Nothing was changed" in content["error"]["message"]
            for replica in deployment.replicas:
                assert list(await missing(replica)) == ["state"]

            await in_thread(postgresql.start)
            for replica in deployment.replicas:
                await until_ready(replica)
            for one in all_of_them:
                assert await one.create(outage) is not None
        # What was read while nobody could note it is noted by now.
        await until_in_the_audit(deployment, tally.answered)
    state, leads = kept(deployment), leads_of(deployment)
    check_writes(tally, leads)
    assert len(leads) == len(state.changes) == 3 * len(all_of_them)
    assert state.calls == tally.answered
