"""The audit: whatever is changed, removed or moved in it is found and named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from crm_server.state import Retention, State, audit, chain, open_state
from crm_server.state.chain import Verified
from crm_server.state.keys import Keys
from crm_tools.errors import StateError
from tests.state.conftest import Clock

pytestmark = pytest.mark.anyio
Open = Callable[..., State]
EVENTS = 120
Work = Callable[[Connection, Keys], Any]


@pytest.fixture(autouse=True, params=[40, 2_000])
def page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many events are read at a time changes nothing."""
    monkeypatch.setattr(audit, "PAGE", request.param)


async def filled(state: State, events: int = EVENTS) -> None:
    def work(connection: Connection, keys: Keys) -> None:
        for number in range(events):
            event = {
                "kind": "call",
                "caller": "ann",
                "tool": "list_leads",
                "table": "lead",
                "outcome": f"{number}",
            }
            audit.append(connection, keys, event, state.now())

    await state.run(work)


async def verified(state: State) -> Verified:
    return await chain.verify(state.run)


async def tamper(state: State, *statements: str) -> None:
    def work(connection: Connection, _keys: Keys) -> None:
        for statement in statements:
            connection.execute(text(statement))

    await state.run(work)


async def test_an_untouched_chain_is_whole(open_: Open) -> None:
    state = open_()
    await filled(state)
    found = await verified(state)
    assert (found.broken, found.events, found.last) == (None, EVENTS, EVENTS)


SWAP = (
    "UPDATE events SET number = 1000 WHERE number = 40",
    "UPDATE events SET number = 40 WHERE number = 41",
    "UPDATE events SET number = 41 WHERE number = 1000",
)
TAMPERED = [
    pytest.param(
        ("UPDATE events SET body = replace(body, 'ann', 'bob') WHERE number = 17",), 17, id="changed"
    ),
    pytest.param(("DELETE FROM events WHERE number = 17",), 17, id="removed"),
    pytest.param(("DELETE FROM events WHERE number = 1",), 1, id="first removed"),
    pytest.param(SWAP, 40, id="reordered"),
    pytest.param(("DELETE FROM events WHERE number > 110",), 111, id="end cut off"),
    pytest.param(("UPDATE events SET caller = 'bob' WHERE number = 17",), 17, id="search column changed"),
    pytest.param(("UPDATE events SET at = at - 60 WHERE number = 17",), 17, id="time changed"),
    pytest.param(
        ("UPDATE events SET hash = 'f' || substr(hash, 2) WHERE number = 17",), 17, id="hash changed"
    ),
    pytest.param(
        ("UPDATE checkpoints SET signature = 'ab' WHERE number = 100",),
        100,
        id="checkpoint forged",
    ),
    pytest.param(("DELETE FROM facts WHERE name = 'audit_head'",), EVENTS + 1, id="signed end removed"),
]


@pytest.mark.parametrize(("statements", "broken"), TAMPERED)
async def test_tampering_is_found_and_named(open_: Open, statements: tuple[str, ...], broken: int) -> None:
    state = open_()
    await filled(state)
    await tamper(state, *statements)
    found = await verified(state)
    assert found.broken == broken
    assert found.problem


async def test_a_pruned_chain_can_still_be_verified(open_: Open, clock: Clock) -> None:
    state = open_()
    await filled(state, 30)
    clock.pass_(timedelta(days=2))
    await filled(state, 10)

    assert await prune(state, clock, days=1) == 30
    assert await prune(state, clock, days=1) == 0
    found = await verified(state)
    assert (found.broken, found.events, found.first, found.last) == (None, 10, 31, 40)
    await tamper(state, "DELETE FROM events WHERE number = 31")
    assert (await verified(state)).broken == 31


async def prune(state: State, clock: Clock, **kept: int) -> int:
    until = clock.now - timedelta(**kept)
    found: int = await state.run(lambda connection, keys: audit.prune(connection, keys, until, clock.now))
    return found


async def test_others_write_while_a_chain_is_verified(open_: Open) -> None:
    state, other = open_(), open_()
    await filled(state)
    left = 10

    async def run(work: Work) -> Any:
        nonlocal left
        found = await state.run(work)
        if left:
            left -= 1
            await filled(other, 3)
        return found

    found = await chain.verify(run)
    assert found.broken is None
    assert EVENTS <= found.events <= EVENTS + 30
    await tamper(state, "UPDATE events SET body = replace(body, 'ann', 'bob') WHERE number = 77")
    assert (await chain.verify(run)).broken == 77


async def test_a_chain_that_is_pruned_while_it_is_verified_is_whole(open_: Open, clock: Clock) -> None:
    state = open_()
    await filled(state, 90)
    clock.pass_(timedelta(days=2))
    await filled(state, 50)

    async def run(work: Work) -> Any:
        found = await state.run(work)
        await prune(state, clock, days=1)
        return found

    found = await chain.verify(run)
    while await prune(state, clock, days=1):
        pass
    assert (found.broken, found.last) == (None, 140)
    assert (await verified(state)).first == 91
    await tamper(state, "DELETE FROM events WHERE number = 91")
    assert (await verified(state)).broken == 91


async def test_what_is_changed_between_its_verification_and_its_new_signature_is_not_signed(
    open_: Open, tmp_path: Path
) -> None:
    state = open_()
    await filled(state)
    Keys(tmp_path / "own" / "state.key").rotate()

    async def run(work: Work) -> Any:
        found = await state.run(work)
        if isinstance(found, Verified):
            await tamper(state, "UPDATE checkpoints SET hash = 'f' || substr(hash, 2) WHERE number = 100")
        return found

    with pytest.raises(StateError, match="event 100 was changed"):
        await chain.sign_anew(run)


async def test_two_processes_write_one_chain(open_: Open) -> None:
    one, other = open_(), open_()
    for _ in range(10):
        await filled(one, 1)
        await filled(other, 1)
    found = await verified(one)
    assert (found.broken, found.events) == (None, 20)


async def test_another_key_is_refused(open_: Open, tmp_path: Path) -> None:
    await filled(open_(), 1)
    with pytest.raises(StateError, match="signed with another key"):
        await filled(open_(tmp_path / "other.key"), 1)


async def test_formulas_are_defused_in_a_table(open_: Open) -> None:
    state = open_()

    def work(connection: Connection, keys: Keys) -> str:
        event: dict[str, Any] = {"kind": "call", "caller": '=HYPERLINK("x")', "tool": "+1", "outcome": "@sum"}
        audit.append(connection, keys, event, state.now())
        return "".join(audit.as_csv(audit.following(connection, 0)))

    lines = (await state.run(work)).splitlines()
    assert "'=HYPERLINK" in lines[1]
    assert "'+1" in lines[1]
    assert "'@sum" in lines[1]


async def test_what_is_older_than_it_is_kept_goes_a_page_at_a_time_with_reads_alone(
    url: str, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 7)
    state = open_state(url, tmp_path, tmp_path / "own.key", clock, Retention(audit=timedelta(days=1)))
    await filled(state, 30)
    clock.pass_(timedelta(days=2))
    beginnings = []
    for _ in range(6):
        state.note({"kind": "call", "caller": "ann", "outcome": "ok"})
        await state.check()
        beginnings.append((await verified(state)).first)
    assert beginnings == [8, 15, 22, 29, 31, 31]
    clock.pass_(timedelta(days=2))
    state.note({"kind": "call", "caller": "ann", "outcome": "ok"})
    await state.check()
    found = await verified(state)
    assert (found.broken, found.first, found.last) == (None, 37, 37)
    state.close()
