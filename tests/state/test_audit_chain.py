"""The audit: whatever is changed, removed or moved in it is found and named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from crm_server.state import State, audit
from crm_server.state.audit import Verified
from crm_server.state.keys import Keys
from crm_tools.errors import StateError
from tests.state.conftest import Clock

pytestmark = pytest.mark.anyio
Open = Callable[..., State]
EVENTS = 120


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
    found: Verified = await state.run(audit.verify)
    return found


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

    def prune(connection: Connection, keys: Keys) -> int:
        return audit.prune(connection, keys, clock.now - timedelta(days=1), clock.now)

    assert await state.run(prune) == 30
    found = await verified(state)
    assert (found.broken, found.events, found.first, found.last) == (None, 10, 31, 40)
    await tamper(state, "DELETE FROM events WHERE number = 31")
    assert (await verified(state)).broken == 31


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
        return "".join(audit.as_csv(audit.everything(connection)))

    lines = (await state.run(work)).splitlines()
    assert "'=HYPERLINK" in lines[1]
    assert "'+1" in lines[1]
    assert "'@sum" in lines[1]
