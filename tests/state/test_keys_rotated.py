"""The state's key is rotated while servers run: what was sealed stays good, and the audit stays whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from mcp.server.request_state import InvalidRequestState
from sqlalchemy import Connection, text

from crm_server.cli import run
from crm_server.cursors import Cursors, continuation
from crm_server.protocol_state import StateKeysCodec
from crm_server.state import State, audit
from crm_server.state.keys import Keys
from crm_tools.errors import InputError, StateError
from crm_tools.operations import Query
from tests.state.conftest import Clock
from tests.state.test_audit_chain import filled, verified

pytestmark = pytest.mark.anyio
Open = Callable[..., State]
Command = Callable[..., Any]
CONTINUATION = continuation(
    Query("account", ("name",)), "https://contoso.example/api/data/v9.2/accounts?next"
)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "own" / "state.key"


def secrets(key: Path) -> list[str]:
    return key.read_text("ascii").split()


def write(key: Path, *lines: str) -> None:
    key.write_text("\n".join(lines), "ascii")


@pytest.fixture
def command(
    url: str, key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command of the command line on the state; its exit code, and what it prints."""
    for name in [name for name in os.environ if name.startswith("DYNAMICS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DYNAMICS_STATE", url)
    monkeypatch.setenv("DYNAMICS_STATE_KEY", str(key))

    async def command(*arguments: str) -> tuple[int, str]:
        code = await anyio.to_thread.run_sync(run, arguments)
        return code, "".join(capsys.readouterr())

    return command


async def test_what_was_sealed_before_a_rotation_opens_after_it_on_each_replica(
    open_: Open, command: Command, clock: Clock
) -> None:
    one, other = open_(), open_()
    await filled(one, 1)
    question = StateKeysCodec(one).seal(b"a plan")
    cursor = Cursors(one.keys_for).seal(CONTINUATION, "ann", clock())
    codec, cursors = StateKeysCodec(other), Cursors(other.keys_for)
    assert codec.unseal(question) == b"a plan"
    assert (await command("state", "rotate-key"))[0] == 0
    assert codec.unseal(question) == b"a plan"
    assert cursors.open(cursor, "account", "ann", clock()) == CONTINUATION
    assert one.key_for("x") == other.key_for("x")
    assert len(one.keys_for("x")) == 2

    new_question, new_cursor = codec.seal(b"another"), cursors.seal(CONTINUATION, "ann", clock())
    assert (await command("state", "forget-keys"))[0] == 0
    assert StateKeysCodec(one).unseal(new_question) == b"another"
    assert cursors.open(new_cursor, "account", "ann", clock()) == CONTINUATION
    with pytest.raises(InvalidRequestState):
        codec.unseal(question)
    with pytest.raises(InputError):
        cursors.open(cursor, "account", "ann", clock())


async def test_the_audit_is_whole_over_rotations_and_after_older_keys_are_forgotten(
    open_: Open, command: Command, key: Path
) -> None:
    one, other = open_(), open_()
    await filled(one, 110)
    first = secrets(key)
    assert (await command("state", "rotate-key"))[0] == 0
    await filled(other, 110)
    assert (await command("state", "rotate-key"))[0] == 0
    await filled(one, 1)
    assert secrets(key)[2:] == first
    assert (await command("audit", "verify"))[0] == 0
    found = await verified(other)
    assert (found.broken, found.events) == (None, 110 + 1 + 110 + 1 + 1)

    code, said = await command("state", "forget-keys")
    assert code == 0
    assert "2 signatures" in said
    assert len(secrets(key)) == 1
    assert (await command("audit", "verify"))[0] == 0
    await filled(other, 1)
    assert (await verified(one)).broken is None


async def test_a_forgotten_key_signs_nothing_any_more(
    open_: Open, command: Command, key: Path, tmp_path: Path
) -> None:
    state = open_()
    await filled(state, 5)
    stolen = tmp_path / "stolen.key"
    write(stolen, *secrets(key))
    await command("state", "rotate-key")
    await command("state", "forget-keys")
    with pytest.raises(StateError, match="signed with another key"):
        await filled(open_(stolen), 1)

    def forge(connection: Connection, _keys: Keys) -> None:
        connection.execute(text("DELETE FROM events WHERE number > 3"))
        number, digest = connection.execute(text("SELECT number, hash FROM events WHERE number = 3")).one()
        head = {"number": number, "hash": digest, **audit.signature_of(Keys(stolen).newest, number, digest)}
        connection.execute(
            text("UPDATE facts SET value = :head WHERE name = 'audit_head'"), {"head": json.dumps(head)}
        )

    await state.run(forge)
    found = await verified(state)
    assert found.broken == 4
    assert "not signed by a key of this state's key file" in found.problem


async def test_a_broken_audit_is_not_signed_anew(open_: Open, command: Command, key: Path) -> None:
    state = open_()
    await filled(state, 5)
    await command("state", "rotate-key")
    await state.run(
        lambda connection, _keys: connection.execute(
            text("UPDATE events SET body = replace(body, 'ann', 'bob') WHERE number = 2")
        )
    )
    code, said = await command("state", "forget-keys")
    assert code != 0
    assert "broken at event 2" in said
    assert len(secrets(key)) == 2


async def test_a_replica_that_signs_with_the_older_key_for_a_while_breaks_nothing(
    open_: Open, tmp_path: Path
) -> None:
    """Key files that are handed out separately change one after the other."""
    a, b = "a" * 64, "b" * 64
    one, other = tmp_path / "one.key", tmp_path / "other.key"
    write(one, a, b)
    write(other, a)
    first, second = open_(one), open_(other)
    await filled(first, 1)
    await filled(second, 1)
    write(one, b, a)
    await filled(first, 1)
    with pytest.raises(StateError, match="signed with another key"):
        await filled(second, 1)
    write(other, a, b)
    for _ in range(3):
        await filled(second, 1)
        await filled(first, 1)
    assert [(await verified(state)).broken for state in (first, second)] == [None, None]


async def test_a_key_file_that_is_no_key_any_more_takes_no_key_back(open_: Open, key: Path) -> None:
    state = open_()
    await filled(state, 1)
    before = state.keys_for("x")
    write(key, "torn")
    await filled(state, 1)
    assert state.keys_for("x") == before
    with pytest.raises(StateError, match="cannot be read or made"):
        open_().keys_for("x")
