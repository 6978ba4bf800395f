"""What one replica finds changed, clients of both eras hear of that listen at the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest
from mcp.client.subscriptions import SubscriptionLost
from mcp_types import ToolListChangedNotification

from tests.interaction.connecting import ERAS, Era
from tests.replicas.clients import Tally, Worker, worker
from tests.replicas.deployment import Deployment, deployed
from tests.replicas.loading import in_thread
from tests.sandbox.metadata_bodies import CAST, label
from tests.state.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio
CALLER = "told"


@pytest.fixture
def deployment(postgresql: PostgreSQL, crm: str) -> Iterator[Deployment]:
    # Without sessions nobody of the handshake era can be told anything.
    settings = {"DYNAMICS_SESSIONS": "stateful", "DYNAMICS_TABLES": "account"}
    with deployed(postgresql, crm, [CALLER], **settings) as deployment:
        yield deployment


@dataclass
class Listener:
    """A client that listens for other tools at one replica."""

    heard: int = 0
    client: Worker = field(init=False)
    _news: anyio.Event = field(default_factory=anyio.Event)

    async def hear(self, message: Any) -> None:
        """In the handshake era all that is said unasked comes here."""
        if isinstance(message, ToolListChangedNotification):
            self.note()

    async def subscribe(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """In the stateless era it is asked for."""
        async with self.client.client.listen(tools_list_changed=True) as changes:
            task_status.started()
            async for _ in changes:
                self.note()

    def note(self) -> None:
        """There are other tools."""
        self.heard += 1
        self._news.set()
        self._news = anyio.Event()

    async def until_heard(self, times: int) -> None:
        with anyio.fail_after(60):
            while self.heard < times:
                await self._news.wait()

    async def tools(self) -> dict[str, Any]:
        """The arguments of each tool on offer."""
        return {tool.name: tool.input_schema for tool in (await self.client.client.list_tools()).tools}


@asynccontextmanager
async def listening(deployment: Deployment) -> AsyncIterator[list[Listener]]:
    """A client of each era at each replica but the last, which have listed the tools."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(one_listening(replica.endpoint, era))
            for replica in deployment.replicas[:-1]
            for era in ERAS
        ]


@asynccontextmanager
async def one_listening(address: str, era: Era) -> AsyncIterator[Listener]:
    listener = Listener()
    hear = listener.hear if era == "legacy" else None
    async with (
        worker(address, "told", CALLER, era, Tally(), hear=hear) as listener.client,
        anyio.create_task_group() as tasks,
    ):
        if era == "auto":
            await tasks.start(lambda *, task_status: listener.subscribe(task_status=task_status))
        await listener.tools()
        yield listener
        tasks.cancel_scope.cancel()


async def add_column(deployment: Deployment, table: str, name: str) -> None:
    """A column that an administrator adds."""
    body = {"@odata.type": f"{CAST}StringAttributeMetadata", "SchemaName": name, "DisplayName": label(name)}
    async with httpx.AsyncClient(timeout=60) as http:
        address = f"{deployment.crm}/EntityDefinitions(LogicalName='{table}')/Attributes"
        assert (await http.post(address, json=body)).status_code == 204


async def test_clients_hear_of_other_tools_whichever_replica_found_them(deployment: Deployment) -> None:
    last = deployment.replicas[-1]
    column = f"new_{deployment.mark}"
    async with listening(deployment) as listeners:
        for listener in listeners:
            assert column not in (await listener.tools())["create_account"]["properties"]
        await add_column(deployment, "account", column)
        # With the first call after its start a replica reads the tables; the others would in a while.
        await in_thread(last.stop)
        await in_thread(last.start)
        async with worker(last.endpoint, "told", CALLER, "auto", Tally()) as one:
            assert (await one.call("list_accounts", top=1))[0] == "done"
        for listener in listeners:
            await listener.until_heard(1)
            assert column in (await listener.tools())["create_account"]["properties"]

        deployment.write_policy('extends = "read-only"\n')
        last.hang_up()
        for listener in listeners:
            await listener.until_heard(2)
            assert "create_account" not in await listener.tools()
        assert [listener.heard for listener in listeners] == [2, 2, 2, 2]


async def test_a_client_whose_replica_ends_listens_again_at_another_and_hears_on(
    deployment: Deployment,
) -> None:
    listener = Listener()
    listens, listens_again = anyio.Event(), anyio.Event()

    async def listen_on() -> None:
        while True:
            with suppress(SubscriptionLost):
                async with listener.client.client.listen(tools_list_changed=True) as changes:
                    (listens_again if listens.is_set() else listens).set()
                    # Nothing is told twice, so who has not listened for a while looks.
                    if "create_account" not in await listener.tools():
                        listener.note()
                        return
                    async for _ in changes:
                        listener.note()
                        return

    async with (
        worker(deployment.address, "told", CALLER, "auto", Tally()) as listener.client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listen_on)
        await listens.wait()
        for replica in deployment.replicas:
            await in_thread(replica.stop)
            await in_thread(replica.start)
        with anyio.fail_after(60):
            await listens_again.wait()
        assert listener.heard == 0
        deployment.write_policy('extends = "read-only"\n')
        deployment.replicas[0].hang_up()
        await listener.until_heard(1)
