"""What one replica changes the others hear of, also when they could not hear for a while."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from mcp import Client
from mcp.client.subscriptions import ToolsListChanged

from crm_server import replicas
from crm_server.app import Application, build_application
from crm_server.protocol import build_server
from crm_server.replicas import hearing_of_others
from crm_server.settings import Settings
from crm_server.state import State, noting, open_state
from tests.interaction.connecting import content
from tests.state.conftest import Clock
from tests.state.postgresql import PostgreSQL
from tests.state.serving import in_thread, serving, two_serving, until_heard

pytestmark = pytest.mark.anyio
FULL, READ_ONLY = 'extends = "full-access"\n', 'extends = "read-only"\n'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    put(path, FULL)
    return path


def put(policy: Path, text: str) -> None:
    policy.write_text(text, encoding="utf-8")


async def until(reached: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not reached():
            await anyio.lowlevel.checkpoint()


def deletes(application: Application) -> bool:
    return "delete_lead" in {tool.name for tool in application.caller.tools()}


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
        await one.tell("policy 3fa1")
        await other.tell("tables")
        await one.tell("last")
        with anyio.fail_after(5):
            await woken.wait()
        # PostgreSQL keeps the order of all news, so what came before the last has come.
        tasks.cancel_scope.cancel()
    # The first is what may have been told before.
    assert heard == {one: ["policy", "tables"], other: ["policy", "policy 3fa1", "last"]}
    one.close()
    other.close()


async def test_a_policy_that_one_replica_reads_anew_all_read_anew_and_tell_their_clients(
    postgresql: PostgreSQL, sandbox: Any, policy: Path
) -> None:
    url = postgresql.database()
    async with (
        two_serving(sandbox, url, policy) as (one, other),
        Client(build_server(other)) as client,
        client.listen(tools_list_changed=True) as changes,
    ):
        assert "delete_lead" in {tool.name for tool in (await client.list_tools()).tools}
        put(policy, READ_ONLY)
        assert await one.reload_policy() is None
        with anyio.fail_after(20):
            assert await anext(aiter(changes)) == ToolsListChanged()
        assert "delete_lead" not in {tool.name for tool in (await client.list_tools()).tools}


async def test_hundreds_listen_at_one_replica_and_all_are_told(
    postgresql: PostgreSQL, sandbox: Any, policy: Path
) -> None:
    url = postgresql.database()
    async with (
        two_serving(sandbox, url, policy) as (one, other),
        Client(build_server(other)) as client,
        AsyncExitStack() as stack,
    ):
        await client.list_tools()
        listening = [
            await stack.enter_async_context(client.listen(tools_list_changed=True)) for _ in range(200)
        ]
        put(policy, READ_ONLY)
        assert await one.reload_policy() is None
        with anyio.fail_after(20):
            for changes in listening:
                assert await anext(aiter(changes)) == ToolsListChanged()


async def test_what_was_missed_while_the_server_was_away_is_made_up_for(
    server: PostgreSQL, sandbox: Any, policy: Path
) -> None:
    url = server.database()
    async with (
        two_serving(sandbox, url, policy) as (one, other),
        Client(build_server(other)) as client,
        client.listen(tools_list_changed=True) as changes,
    ):
        await client.list_tools()
        await in_thread(server.stop)
        put(policy, READ_ONLY)
        assert await one.reload_policy() is None
        await in_thread(server.start)
        with anyio.fail_after(20):
            assert await anext(aiter(changes)) == ToolsListChanged()


async def test_a_policy_that_changed_before_a_replica_could_hear_is_in_force_there(
    postgresql: PostgreSQL, sandbox: Any, policy: Path
) -> None:
    url = postgresql.database()
    async with serving(sandbox, url, str(policy)) as one:
        # It has read its policy, and does not listen yet.
        late = build_application(Settings(policy=str(policy), state=url), asgi_app=sandbox)
        put(policy, READ_ONLY)
        assert await one.reload_policy() is None
        assert deletes(late)
        async with hearing_of_others(late):
            await until(lambda: not deletes(late))
        await late.aclose()


async def test_news_that_could_not_be_told_are_told_later(
    postgresql: PostgreSQL, sandbox: Any, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_server.state.store._LOCK_SECONDS", 1)
    monkeypatch.setattr(noting, "AGAIN_SECONDS", 0.02)
    url = postgresql.database()
    async with (
        two_serving(sandbox, url, policy) as (one, other),
    ):
        put(policy, READ_ONLY)
        with psycopg.connect(url) as stopped:
            stopped.execute("SELECT pg_advisory_xact_lock(%s)", (0x63726D,))
            assert await one.reload_policy() is None
            assert deletes(other)
        await until(lambda: not deletes(other))


async def test_a_policy_whose_file_comes_later_than_the_news_of_it_is_waited_for(
    postgresql: PostgreSQL, sandbox: Any, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are handed out to each machine by itself come one after the other."""
    monkeypatch.setattr(replicas, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(replicas, "TRIES", 100_000)
    url, elsewhere = postgresql.database(), tmp_path / "elsewhere.toml"
    put(elsewhere, FULL)
    read: list[str] = []
    async with (
        serving(sandbox, url, str(policy)) as one,
        serving(sandbox, url, str(elsewhere)) as other,
    ):
        reload = other.policies.reload
        monkeypatch.setattr(other.policies, "reload", lambda: read.append("again") or reload())
        put(policy, READ_ONLY)
        assert await one.reload_policy() is None
        await until(lambda: len(read) > 2)
        assert deletes(other)
        put(elsewhere, READ_ONLY)
        await until(lambda: not deletes(other))
        assert other.crm.policy.digest == one.crm.policy.digest


async def test_a_policy_that_never_comes_is_told_of_once_and_not_waited_for_for_ever(
    postgresql: PostgreSQL,
    sandbox: Any,
    policy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(replicas, "AGAIN_SECONDS", 0.01)
    url, elsewhere = postgresql.database(), tmp_path / "elsewhere.toml"
    put(elsewhere, FULL)
    said = ""

    def is_said() -> bool:
        nonlocal said
        said += "".join(capsys.readouterr())
        return "policy_differs" in said

    async with (
        serving(sandbox, url, str(policy)) as one,
        serving(sandbox, url, str(elsewhere)),
    ):
        put(policy, READ_ONLY)
        assert await one.reload_policy() is None
        await until(is_said)
        assert one.crm.policy.digest in said


async def test_a_caller_who_read_on_one_replica_is_asked_about_on_another(
    postgresql: PostgreSQL, sandbox: Any, tmp_path: Path
) -> None:
    url, policy = postgresql.database(), tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\nask_after_reading = true\n', encoding="utf-8")
    async with (
        two_serving(sandbox, url, policy) as (one, other),
        Client(build_server(one)) as client,
        Client(build_server(other)) as elsewhere,
    ):
        made = await content(elsewhere, "create_lead", lastname="Before", subject="Pens")
        assert made["change_id"]
        assert (await content(client, "list_leads", top=1))["shown"] == 1
        refused = await content(elsewhere, "create_lead", lastname="After", subject="Pens")
        assert refused["error"]["code"] == "not_approved"
