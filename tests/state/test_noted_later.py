"""What the state does not take is kept until it does: events, ends of writes, readers, counted rows."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from sqlalchemy import Connection, text

from crm_server.protocol import build_server
from crm_server.state import State, audit, chain, noting, open_state
from crm_server.state.keys import Keys
from crm_tools.changes import ChangeState
from crm_tools.errors import StateError
from tests.interaction.connecting import content
from tests.state.conftest import Clock
from tests.state.postgresql import PostgreSQL
from tests.state.serving import in_thread, serving, two_serving
from tests.state.writing import change, limited, write

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was away is tried again at once."""
    monkeypatch.setattr("crm_server.state.store._AWAY_SECONDS", 0)
    monkeypatch.setattr(noting, "AGAIN_SECONDS", 0.02)


async def outcomes(state: State) -> list[str]:
    """The outcomes in the audit, in their order."""

    def work(connection: Connection, _keys: Keys) -> list[str]:
        return list(connection.execute(text("SELECT outcome FROM events ORDER BY number")).scalars())

    found: list[str] = await state.run(work)
    return found


def noted(state: State, *numbers: int) -> None:
    for number in numbers:
        state.note({"kind": "call", "outcome": f"{number}"})


async def until_noted(state: State, number: int) -> None:
    """Until there are so many events in the audit."""
    with anyio.fail_after(20):
        while len(await outcomes(state)) < number:
            await anyio.lowlevel.checkpoint()


async def until_tried(state: State) -> None:
    """Until the state was found away."""
    with pytest.raises(StateError):
        await state.check()


async def test_events_of_an_outage_are_in_the_audit_afterwards_once_and_in_order(
    server: PostgreSQL, tmp_path: Path, clock: Clock
) -> None:
    state = open_state(server.database(), tmp_path, None, clock)
    noted(state, 1)
    await until_noted(state, 1)
    for first in (2, 5):
        await in_thread(server.stop)
        for number in range(first, first + 3):
            noted(state, number)
            await until_tried(state)
        await in_thread(server.start)
        await until_noted(state, first + 2)
    noted(state, 8)
    await until_noted(state, 8)
    assert await outcomes(state) == [f"{number}" for number in range(1, 9)]
    assert (await chain.verify(state.run)).broken is None
    state.close()


async def test_what_is_left_goes_in_when_the_process_ends(
    server: PostgreSQL, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noting, "AGAIN_SECONDS", 3600)
    monkeypatch.setattr(noting, "TOGETHER", 3)
    url = server.database()
    state = open_state(url, tmp_path, None, clock)
    await state.check()
    await in_thread(server.stop)
    noted(state, *range(10))
    await until_tried(state)
    await in_thread(server.start)
    state.close()
    after = open_state(url, tmp_path, None, clock)
    assert await outcomes(after) == [f"{number}" for number in range(10)]
    after.close()


async def test_what_no_state_has_taken_when_the_process_ends_is_lost_and_the_log_says_so(
    server: PostgreSQL, tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    state = open_state(server.database(), tmp_path, None, clock)
    noted(state, -1)
    await until_noted(state, 1)
    await state.check()
    await in_thread(server.stop)
    noted(state, *range(7))
    await until_tried(state)
    state.close()
    lost = [line for line in "".join(capsys.readouterr()).splitlines() if "notes_lost" in line]
    assert len(lost) == 1
    assert "notes=7" in lost[0]


async def test_so_much_is_kept_and_no_more(
    server: PostgreSQL,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(noting, "MOST", 4)
    state = open_state(server.database(), tmp_path, None, clock)
    noted(state, -1)
    await until_noted(state, 1)
    await state.check()
    await in_thread(server.stop)
    noted(state, *range(4))
    await until_tried(state)
    noted(state, *range(4, 9))
    await in_thread(server.start)
    await until_noted(state, 5)
    assert await outcomes(state) == ["-1", "0", "1", "2", "3"]
    assert "".join(capsys.readouterr()).count("notes_lost") == 1
    state.close()


async def test_an_event_that_no_database_takes_keeps_no_other_out(
    open_: Callable[..., State], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = open_()
    whole = audit.append

    def append(connection: Connection, keys: Keys, event: Any, now: Any) -> int:
        if event["outcome"] in ("2", "4"):
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return whole(connection, keys, event, now)

    monkeypatch.setattr(audit, "append", append)
    noted(state, *range(7))
    await until_noted(state, 5)
    assert await outcomes(state) == ["0", "1", "3", "5", "6"]


class Interrupting:
    """A CRM after whose next write something happens, before it answers."""

    def __init__(self, crm: Any, event: Callable[[], Awaitable[None]]) -> None:
        self._crm = crm
        self._event = event
        self.armed = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        strikes = self.armed and scope["method"] == "POST" and not scope["path"].endswith("/$batch")
        held: list[Any] = []

        async def hold(message: Any) -> None:
            held.append(message)

        await self._crm(scope, receive, hold)
        if strikes:
            self.armed = False
            await self._event()
        for message in held:
            await send(message)


async def test_the_end_of_a_write_that_could_not_be_noted_is_known_to_all_replicas_when_it_can(
    server: PostgreSQL, sandbox: Any
) -> None:
    url = server.database()
    crm = Interrupting(sandbox, lambda: in_thread(server.stop))
    async with (
        serving(crm, url) as one,
        serving(sandbox, url) as other,
        Client(build_server(one)) as client,
        Client(build_server(other)) as elsewhere,
    ):
        await content(client, "list_leads", top=1)
        await one.crm.state.check()
        crm.armed = True
        made = await content(client, "create_lead", lastname="Quill", subject="Pens")
        assert f"could not note in its journal that change {made['change_id']} is done" in made["warning"]
        # Whoever looked at the record now could not tell what became of it.
        await in_thread(server.start)
        with anyio.fail_after(20):
            while (await content(elsewhere, "list_changes")).get("records", [{}])[0].get("state") != "done":
                await anyio.lowlevel.checkpoint()
        events = [event for event in await outcomes(other.crm.state) if event in ("done", "unclear")]
        assert events == ["done"]


async def test_who_read_while_the_state_was_away_is_asked_about_when_it_is_back(
    server: PostgreSQL, sandbox: Any, tmp_path: Path
) -> None:
    url, policy = server.database(), tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\nask_after_reading = true\n', encoding="utf-8")
    async with (
        two_serving(sandbox, url, policy) as (one, other),
        Client(build_server(one)) as client,
        Client(build_server(other)) as elsewhere,
    ):
        await content(elsewhere, "create_lead", lastname="Before", subject="Pens")
        await in_thread(server.stop)
        assert (await content(client, "list_leads", top=1))["shown"] == 1
        await in_thread(server.start)
        with anyio.fail_after(20):
            while not await other.crm.state.has_read("local"):
                await anyio.lowlevel.checkpoint()
        refused = await content(elsewhere, "create_lead", lastname="After", subject="Pens")
        assert refused["error"]["code"] == "not_approved"


async def test_rows_that_were_read_while_the_state_was_away_are_counted_when_it_is_back(
    server: PostgreSQL, sandbox: Any, tmp_path: Path
) -> None:
    url, policy = server.database(), tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\n[limits]\nrows_per_hour = 5\n', encoding="utf-8")
    async with (
        serving(sandbox, url, str(policy)) as application,
        Client(build_server(application)) as client,
    ):
        assert (await content(client, "list_leads", top=2))["shown"] == 2
        await in_thread(server.stop)
        assert (await content(client, "list_leads", top=3))["shown"] == 3
        await in_thread(server.start)
        with anyio.fail_after(20):
            while "error" not in (refused := await content(client, "list_leads", filter="leadid eq null")):
                await anyio.lowlevel.checkpoint()
        assert refused["error"]["code"] == "denied_by_policy"


async def test_an_interrupted_change_is_settled_once_however_many_look_at_it(
    open_: Callable[..., State],
) -> None:
    states = [open_() for _ in range(3)]
    begun = await write(states[0], limited(), change())
    async with anyio.create_task_group() as tasks:
        for state in states:
            tasks.start_soon(state.settle_write, begun.change, ChangeState.NOT_DONE, None)
    assert (await outcomes(states[0]))[1:] == ["not done"]
    settled = await states[1].change("ann", begun.change.id)
    assert settled is not None
    assert (settled.state, settled.error) == (ChangeState.NOT_DONE, "interrupted")


async def test_a_process_that_was_only_stopped_for_long_has_the_last_word_on_its_change(
    open_: Callable[..., State],
) -> None:
    stopped, other = open_(), open_()
    begun = await write(stopped, limited(), change())
    await other.settle_write(begun.change, ChangeState.NOT_DONE, None)
    await stopped.end_write(begun.change, ChangeState.DONE, etag_after="W/2")
    await other.settle_write(begun.change, ChangeState.UNCLEAR, None)
    await stopped.end_write(begun.change, ChangeState.REFUSED)
    found = await other.change("ann", begun.change.id)
    assert found is not None
    assert (found.state, found.error, found.etag_after) == (ChangeState.DONE, None, "W/2")
    assert (await outcomes(other))[1:] == ["not done", "done"]


async def test_a_change_of_a_process_that_lives_is_nobodys_to_settle(
    open_: Callable[..., State], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = open_()
    await write(state, limited(), change())
    assert list(await state.left_open("ann")) == []
    monkeypatch.setattr("crm_server.state.journal.this_process", lambda: ("elsewhere", os.getpid()))
    clock.pass_(timedelta(minutes=15) - timedelta(seconds=1))
    assert list(await state.left_open("ann")) == []
    clock.pass_(timedelta(seconds=1))
    assert [found.record for found in await state.left_open("ann")] != []
