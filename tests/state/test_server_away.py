"""A PostgreSQL goes away and comes back: reads go on, writes say why not, and nobody has to do anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psycopg
import pytest
from mcp import Client

from crm_server.app import build_application
from crm_server.protocol import build_server
from crm_server.settings import Settings
from crm_server.state import State, chain, open_state
from crm_server.web.configured import _state_check
from crm_server.web.health import Health
from crm_tools.errors import StateError
from tests.interaction.connecting import content
from tests.state.conftest import Clock
from tests.state.postgresql import PostgreSQL
from tests.state.serving import in_thread, serving
from tests.state.writing import change, limited, write

pytestmark = pytest.mark.anyio


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
        assert (await chain.verify(application.crm.state.run)).broken is None


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


async def test_a_replica_with_another_key_is_not_ready_and_says_why(
    postgresql: PostgreSQL, sandbox: Any, tmp_path: Path
) -> None:
    url = postgresql.database()
    first = open_state(url, tmp_path, tmp_path / "first.key", lambda: datetime.now(UTC))
    await write(first, limited(), change())
    settings = Settings(policy="full-access", state=url, state_key=str(tmp_path / "other.key"))
    application = build_application(settings, asgi_app=sandbox)
    health = Health({"state": _state_check(application)})
    assert "signed with another key" in (await health.missing())["state"]
    # The file of the others, put in its place.
    (tmp_path / "first.key").replace(tmp_path / "other.key")
    assert await health.missing() == {}
    await application.aclose()
    first.close()
