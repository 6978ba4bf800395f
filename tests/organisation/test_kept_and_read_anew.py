"""What was learnt is kept for the next start, read anew once in a while, and told to clients that listen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.subscriptions import ToolsListChanged
from mcp_types import ToolListChangedNotification

from crm_server.app import Application, build_application
from crm_server.folders import state_folder
from crm_server.organisation import NamedTables
from crm_server.organisation.named import READ_ANEW
from crm_server.protocol import build_server
from crm_server.settings import Settings
from tests.interaction.connecting import ERAS, Era
from tests.organisation.organisation import (
    ACCOUNT,
    NAMED,
    PROJECT,
    Clock,
    Organisation,
    application_for,
    client_of,
    done,
    organisation,
    schemas,
)
from tests.sandbox.metadata_bodies import VISIT, table

pytestmark = pytest.mark.anyio
SETTINGS = Settings(tables=NAMED)
WITH_VISITS = Settings(tables=(*NAMED, "new_visit"))


@asynccontextmanager
async def started_again(crm: Organisation, clock: Clock, era: Era = "auto") -> AsyncIterator[Client]:
    """A client of a server that was started another time: it reads nothing before it serves."""
    application = build_application(SETTINGS, asgi_app=crm, now=clock)
    try:
        async with Client(build_server(application), mode=era) as client:
            yield client
    finally:
        await application.aclose()


@pytest.mark.parametrize("era", ERAS)
async def test_the_next_start_lists_the_same_tools_and_asks_nothing(era: Era) -> None:
    clock = Clock()
    with organisation() as crm:
        await crm.add_column(ACCOUNT, "Integer", "new_Score", label="Score", MinValue=0, MaxValue=9)
        async with client_of(crm, clock=clock, era=era) as client:
            first = (await client.list_tools()).tools
        before = crm.metadata_trips
        assert before == len(NAMED)
        async with started_again(crm, clock, era) as client:
            again = (await client.list_tools()).tools
            assert crm.metadata_trips == before
        assert len(crm.app.requests) > 0
    assert [tool.model_dump_json() for tool in again] == [tool.model_dump_json() for tool in first]


async def test_an_environment_and_a_way_to_sign_in_have_descriptions_of_their_own() -> None:
    with organisation() as crm:
        async with client_of(crm):
            pass
    known = "https://sandbox.invalid"
    for settings, address, kept in (
        (SETTINGS, known, True),
        (SETTINGS, "https://other.crm.dynamics.com", False),
        (Settings(tables=NAMED, auth="client-secret", client_id="another"), known, False),
        (Settings(tables=("account", "lead")), known, False),
    ):
        assert NamedTables(settings, address, Clock()).is_kept() is kept, (settings, address)


async def test_no_row_of_the_crm_is_in_what_is_kept() -> None:
    with organisation() as crm:
        async with client_of(crm) as client:
            await done(client, "create_new_project", new_name="Canary in the coal mine")
            await done(client, "list_accounts")
    (file,) = state_folder().glob("tables-*.json")
    assert "new_budget" in file.read_text()
    assert "Canary" not in file.read_text()
    assert "Fabrikam" not in file.read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"account": {}}', '{"account": 5}', "\x00"])
async def test_a_file_that_cannot_be_used_is_written_anew(content: str) -> None:
    with organisation() as crm:
        async with client_of(crm):
            pass
        (file,) = state_folder().glob("tables-*.json")
        file.write_text(content)
        assert not NamedTables(SETTINGS, "https://sandbox.invalid", Clock()).is_kept()
        async with client_of(crm) as client:
            assert "create_new_project" in await schemas(client)
        assert NamedTables(SETTINGS, "https://sandbox.invalid", Clock()).is_kept()


async def test_a_folder_that_cannot_be_written_keeps_nothing_from_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = tmp_path / "in-the-way"
    in_the_way.write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_STATE_HOME", str(in_the_way))
    with organisation() as crm:
        async with client_of(crm, tables=("new_project",)) as client:
            made = await done(client, "create_new_project", new_name="Made all the same")
    assert made["record"]["new_name"] == "Made all the same"


async def test_tables_are_read_again_after_a_quarter_of_an_hour_and_not_before() -> None:
    clock = Clock()
    with organisation() as crm:
        async with client_of(crm, clock=clock) as client:
            read = crm.metadata_trips
            await crm.add_column(PROJECT, "String", "new_Plant", label="Plant")
            clock.passes(seconds=int(READ_ANEW.total_seconds()) - 1)
            await done(client, "list_new_projects")
            assert crm.metadata_trips == read
            assert "new_plant" not in (await schemas(client))["create_new_project"]["properties"]
            clock.passes(seconds=1)
            # The call that finds them due knows the new column already.
            made = await done(client, "create_new_project", new_name="A", new_plant="Ulm")
            assert made["record"]["new_plant"] == "Ulm"
            assert "new_plant" in (await schemas(client))["create_new_project"]["properties"]
            read = crm.metadata_trips
            await done(client, "list_new_projects")
            assert crm.metadata_trips == read


async def test_what_changed_while_the_server_was_off_is_known_with_the_first_call() -> None:
    clock = Clock()
    with organisation() as crm:
        async with client_of(crm, clock=clock):
            pass
        await crm.add_column(PROJECT, "String", "new_Plant", label="Plant")
        async with started_again(crm, clock) as client:
            assert "new_plant" not in (await schemas(client))["create_new_project"]["properties"]
            await done(client, "list_new_projects")
            assert "new_plant" in (await schemas(client))["create_new_project"]["properties"]
        async with started_again(crm, clock) as client:
            assert "new_plant" in (await schemas(client))["create_new_project"]["properties"]


class Ear:
    """A client's ear for ``tools/list_changed``, in whichever way its era hears it."""

    def __init__(self) -> None:
        self.heard = 0
        self._woken = anyio.Event()

    async def message(self, message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._hear()

    async def listen(self, client: Client, *, task_status: Any) -> None:
        async with client.listen(tools_list_changed=True) as changes:
            task_status.started()
            async for event in changes:
                assert event == ToolsListChanged()
                self._hear()

    def _hear(self) -> None:
        self.heard += 1
        self._woken.set()

    async def until_heard(self) -> None:
        with anyio.fail_after(5):
            await self._woken.wait()
        self._woken = anyio.Event()


@asynccontextmanager
async def listening_client(application: Application, era: Era) -> AsyncIterator[tuple[Client, Ear]]:
    """A client that listens for changes of the tools and has listed them."""
    ear = Ear()
    told = ear.message if era == "legacy" else None
    async with (
        Client(build_server(application), mode=era, message_handler=told) as client,
        anyio.create_task_group() as group,
    ):
        if era == "auto":
            await group.start(lambda *, task_status: ear.listen(client, task_status=task_status))
        await client.list_tools()
        yield client, ear
        group.cancel_scope.cancel()


async def nothing_changes(_crm: Organisation) -> None:
    """An environment in which nobody changed anything."""


async def a_column_is_added(crm: Organisation) -> None:
    await crm.add_column(ACCOUNT, "String", "new_Region", label="Region")


async def a_table_is_removed(crm: Organisation) -> None:
    async with crm.as_administrator() as administrator:
        answer = await administrator("DELETE", VISIT)
        assert answer.status_code == 204, answer.text


async def add_visits(crm: Organisation) -> None:
    """A table that a request makes, and so can remove."""
    async with crm.as_administrator() as administrator:
        answer = await administrator("POST", "EntityDefinitions", table())
        assert answer.status_code == 204, answer.text


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("change", [a_column_is_added, a_table_is_removed])
async def test_clients_that_listen_are_told_of_a_change_once(
    era: Era, change: Callable[[Organisation], Any]
) -> None:
    clock = Clock()
    with organisation() as crm:
        await add_visits(crm)
        async with (
            application_for(crm, WITH_VISITS, clock) as application,
            listening_client(application, era) as (client, ear),
        ):
            known = await schemas(client)
            for turn in (nothing_changes, change, nothing_changes):
                await turn(crm)
                clock.passes(minutes=15)
                read = crm.metadata_trips
                await done(client, "whoami")
                assert crm.metadata_trips > read
                if turn is change:
                    await ear.until_heard()
                    assert await schemas(client) != known
            # A notification travels before the answers that follow it, so one too many would be here by now.
            await client.list_tools()
            assert ear.heard == 1


@pytest.mark.parametrize("era", ERAS)
async def test_a_change_that_is_in_no_tool_is_known_and_told_to_nobody(era: Era, tmp_path: Path) -> None:
    clock = Clock()
    policy = tmp_path / "policy.toml"
    policy.write_text('extends = "sales-assistant"\n')
    chosen = Settings(tables=NAMED, toolsets=("compact", "insight"), policy=str(policy))
    with organisation() as crm:
        async with (
            application_for(crm, chosen, clock) as application,
            listening_client(application, era) as (client, ear),
        ):
            await a_column_is_added(crm)
            clock.passes(minutes=15)
            assert "new_region" in str(await done(client, "describe_table", table="account"))
            policy.write_text('extends = "sales-assistant"\n# The same as before.\n')
            assert await application.reload_policy() is None
            await client.list_tools()
            assert ear.heard == 0


@pytest.mark.parametrize("era", ERAS)
async def test_a_table_that_was_removed_takes_its_tools_along(era: Era) -> None:
    clock = Clock()
    with organisation() as crm:
        await add_visits(crm)
        async with client_of(crm, clock=clock, era=era, tables=WITH_VISITS.tables) as client:
            assert "create_new_visit" in await schemas(client)
            await a_table_is_removed(crm)
            clock.passes(minutes=15)
            await done(client, "whoami")
            offered = await schemas(client)
    assert "create_new_project" in offered
    assert "create_new_visit" not in offered


@pytest.mark.parametrize("era", ERAS)
async def test_clients_that_listen_are_told_when_a_policy_offers_other_tools(
    era: Era, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('extends = "sales-assistant"\n')
    with organisation() as crm:
        settings = Settings(tables=NAMED, policy=str(policy))
        async with (
            application_for(crm, settings) as application,
            listening_client(application, era) as (client, ear),
        ):
            policy.write_text('extends = "read-only"\n')
            assert await application.reload_policy() is None
            await ear.until_heard()
            assert "create_new_project" not in await schemas(client)


async def test_a_policy_that_speaks_of_a_removed_column_keeps_the_tables_until_it_is_mended(
    tmp_path: Path,
) -> None:
    clock = Clock()
    policy = tmp_path / "policy.toml"
    policy.write_text('extends = "sales-assistant"\n[hidden]\nnew_project = ["new_plant"]\n')
    with organisation() as crm:
        await crm.add_column(PROJECT, "String", "new_Plant", label="Plant")
        async with client_of(crm, clock=clock, policy=str(policy)) as client:
            async with crm.as_administrator() as administrator:
                path = f"{PROJECT}/Attributes(LogicalName='new_plant')"
                assert (await administrator("DELETE", path)).status_code == 204
            await crm.add_column(PROJECT, "String", "new_Site", label="Site")
            clock.passes(minutes=15)
            await done(client, "whoami")
            assert "new_site" not in (await schemas(client))["create_new_project"]["properties"]
            policy.write_text('extends = "sales-assistant"\n')
            clock.passes(minutes=15)
            await done(client, "whoami")
            assert "new_site" in (await schemas(client))["create_new_project"]["properties"]
