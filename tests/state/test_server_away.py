"""A PostgreSQL goes away and comes back: reads go on, writes say why not, and nobody has to do anything."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psycopg
import pytest
from mcp import Client
from mcp.client.subscriptions import ToolsListChanged

from crm_sandbox import create_app
from crm_server.app import Application, build_application
from crm_server.protocol import build_server
from crm_server.replicas import hearing_of_others
from crm_server.settings import Settings
from crm_server.state import State, audit, open_state
from crm_server.web.configured import _state_check
from crm_server.web.health import Health
from crm_tools.errors import StateError
from tests.state.conftest import Clock
from tests.state.postgresql import PostgreSQL, running_postgresql
from tests.state.writing import change, limited, write

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    """One of its own, that a test may stop."""
    with running_postgresql() as server:
        yield server


@pytest.fixture
def sandbox() -> Iterator[Any]:
    app = create_app(accounts=5)
    yield app
    app.close()


@asynccontextmanager
async def serving(sandbox: Any, url: str, policy: str = "full-access") -> AsyncIterator[Application]:
    application = build_application(Settings(policy=policy, state=url), asgi_app=sandbox)
    try:
        async with hearing_of_others(application):
            yield application
    finally:
        await application.aclose()


async def content(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    answer: dict[str, Any] = json.loads(result.content[0].text)
    return answer


async def in_thread(work: Callable[[], object]) -> None:
    await anyio.to_thread.run_sync(work)


async def test_reads_go_on_writes_say_why_not_and_all_is_well_when_it_is_back(
    server: PostgreSQL, sandbox: Any
) -> None:
    async with (
        serving(sandbox, server.database()) as application,
        Client(build_server(application)) as client,
    ):
        health = Health({"state": _state_check(application)})
        assert await health.missing() == {}
        assert (await content(client, "create_lead", lastname="Before", subject="Pens"))["change_id"]

        await in_thread(server.stop)
        assert (await content(client, "list_leads", top=2))["shown"] == 2
        refused = await content(client, "create_lead", lastname="Nobody", subject="Pens")
        assert refused["error"]["code"] == "state_unavailable"
        assert "cannot be reached" in refused["error"]["message"]
        assert "cannot be reached" in (await health.missing())["state"]
        assert (await content(client, "list_leads", filter="lastname eq 'Nobody'"))["shown"] == 0

        await in_thread(server.start)
        with anyio.fail_after(10):
            while await health.missing():
                await anyio.lowlevel.checkpoint()
        assert (await content(client, "create_lead", lastname="After", subject="Pens"))["change_id"]
        assert (await application.crm.state.run(audit.verify)).broken is None


async def test_a_server_that_was_started_anew_in_between_is_not_even_noticed(
    server: PostgreSQL, tmp_path: Path, clock: Clock
) -> None:
    state = open_state(server.database(), tmp_path, None, clock)
    for _ in range(3):
        await write(state, limited(writes_per_minute=5), change())
        await in_thread(server.stop)
        await in_thread(server.start)
    await write(state, limited(writes_per_minute=5), change())
    assert len(await state.changes("ann", most=9)) == 4
    state.close()


@pytest.fixture
def state(postgresql: PostgreSQL, tmp_path: Path, clock: Clock) -> Iterator[State]:
    found = open_state(postgresql.database(), tmp_path, None, clock)
    yield found
    found.close()


async def test_a_connection_that_the_server_ends_is_replaced(state: State) -> None:
    assert state.server is not None
    for _ in range(3):
        await write(state, limited(), change())
        with psycopg.connect(state.server, autocommit=True) as other:
            ended = other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert ended.rowcount == 1
    await write(state, limited(), change())


async def test_nobody_waits_for_ever_for_a_replica_that_stopped_in_the_middle(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_server.state.store._LOCK_SECONDS", 1)
    await write(state, limited(), change())
    await anyio.to_thread.run_sync(state._store._disconnect)
    await write(state, limited(), change())
    assert state.server is not None
    with psycopg.connect(state.server) as stopped:
        stopped.execute("SELECT pg_advisory_xact_lock(%s)", (0x63726D,))
        with pytest.raises(StateError, match="is held by another process"):
            await write(state, limited(), change())
    await write(state, limited(), change())


async def test_replicas_hear_of_each_other_and_not_of_themselves(
    postgresql: PostgreSQL, tmp_path: Path, clock: Clock
) -> None:
    url = postgresql.database()
    one, other = (open_state(url, tmp_path, tmp_path / "state.key", clock) for _ in range(2))
    heard: dict[State, list[str]] = {one: [], other: []}
    woken = anyio.Event()

    async def listen(state: State) -> None:
        async def hear(what: str) -> None:
            heard[state].append(what)
            if what == "last":
                woken.set()

        await state.hear(hear)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen, one)
        tasks.start_soon(listen, other)
        await until_heard(url, 2)
        await one.tell("policy")
        await other.tell("tables")
        await one.tell("last")
        with anyio.fail_after(5):
            await woken.wait()
        # PostgreSQL keeps the order of all news, so what came before the last has come.
        tasks.cancel_scope.cancel()
    assert heard == {one: ["tables"], other: ["policy", "last"]}
    one.close()
    other.close()


async def until_heard(url: str, listeners: int) -> None:
    """Until so many connections listen."""
    with psycopg.connect(url, autocommit=True) as connection, anyio.fail_after(10):
        found = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND state = 'idle'"
        while connection.execute(found).fetchone() != (listeners,):
            await anyio.lowlevel.checkpoint()


async def test_a_policy_that_one_replica_reads_anew_all_read_anew_and_tell_their_clients(
    postgresql: PostgreSQL, sandbox: Any, tmp_path: Path
) -> None:
    url, policy = postgresql.database(), tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\n', encoding="utf-8")
    async with (
        serving(sandbox, url, str(policy)) as one,
        serving(sandbox, url, str(policy)) as other,
        Client(build_server(other)) as client,
        client.listen(tools_list_changed=True) as changes,
    ):
        assert "delete_lead" in {tool.name for tool in (await client.list_tools()).tools}
        await until_heard(url, 2)
        policy.write_text('extends = "read-only"\n', encoding="utf-8")
        assert await one.reload_policy() is None
        with anyio.fail_after(5):
            assert await anext(aiter(changes)) == ToolsListChanged()
        assert "delete_lead" not in {tool.name for tool in (await client.list_tools()).tools}


async def test_what_was_missed_while_the_server_was_away_is_made_up_for(
    server: PostgreSQL, sandbox: Any, tmp_path: Path
) -> None:
    url, policy = server.database(), tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\n', encoding="utf-8")
    async with (
        serving(sandbox, url, str(policy)) as one,
        serving(sandbox, url, str(policy)) as other,
        Client(build_server(other)) as client,
        client.listen(tools_list_changed=True) as changes,
    ):
        await client.list_tools()
        await until_heard(url, 2)
        await in_thread(server.stop)
        policy.write_text('extends = "read-only"\n', encoding="utf-8")
        assert await one.reload_policy() is None
        await in_thread(server.start)
        with anyio.fail_after(15):
            assert await anext(aiter(changes)) == ToolsListChanged()


async def test_a_caller_who_read_on_one_replica_is_asked_about_on_another(
    postgresql: PostgreSQL, sandbox: Any, tmp_path: Path
) -> None:
    url, policy = postgresql.database(), tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\nask_after_reading = true\n', encoding="utf-8")
    async with (
        serving(sandbox, url, str(policy)) as one,
        serving(sandbox, url, str(policy)) as other,
        Client(build_server(one)) as client,
        Client(build_server(other)) as elsewhere,
    ):
        made = await content(elsewhere, "create_lead", lastname="Before", subject="Pens")
        assert made["change_id"]
        assert (await content(client, "list_leads", top=1))["shown"] == 1
        refused = await content(elsewhere, "create_lead", lastname="After", subject="Pens")
        assert refused["error"]["code"] == "not_approved"
