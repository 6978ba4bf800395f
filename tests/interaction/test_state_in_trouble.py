"""When the server's own state does not work, reads go on and writes stop, and the answer says why."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crm_sandbox import create_app
from tests.interaction.connecting import content, memory_client

pytestmark = pytest.mark.anyio


@pytest.fixture
def sandbox() -> Iterator[Any]:
    app = create_app(accounts=5)
    yield app
    app.close()


def corrupt(path: Path) -> None:
    path.write_bytes(b"this is no database " * 500)


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE facts (name VARCHAR(64) PRIMARY KEY, value TEXT)")
        connection.execute("INSERT INTO facts VALUES ('version', '999')")
    connection.close()


def a_folder(path: Path) -> None:
    path.mkdir()


TROUBLES = [
    pytest.param(corrupt, "is damaged", id="corrupt"),
    pytest.param(newer, "written by a newer version", id="newer"),
    pytest.param(a_folder, "cannot be opened", id="not a file"),
]


@pytest.mark.parametrize(("make", "said"), TROUBLES)
async def test_reads_go_on_and_writes_stop(
    tmp_path: Path, sandbox: Any, make: Callable[[Path], None], said: str
) -> None:
    path = tmp_path / "state.db"
    make(path)
    async with memory_client("full-access", sandbox=sandbox, state=f"sqlite:///{path}") as client:
        assert (await content(client, "list_leads", top=2))["shown"] == 2
        refused = await content(client, "create_lead", lastname="Nobody", subject="Pens")
        assert refused["error"]["code"] == "state_unavailable"
        assert said in refused["error"]["message"]
        found = await content(client, "list_leads", filter="lastname eq 'Nobody'")
        assert found["shown"] == 0


async def test_a_database_that_is_not_there_stops_writes_alone(sandbox: Any) -> None:
    nobody_listens = "postgresql://crm@127.0.0.1:1/crm"
    async with memory_client("full-access", sandbox=sandbox, state=nobody_listens) as client:
        assert (await content(client, "list_leads", top=2))["shown"] == 2
        refused = await content(client, "create_lead", lastname="Nobody", subject="Pens")
        assert "cannot be reached" in refused["error"]["message"]


async def test_a_state_that_another_process_holds_stops_writes_until_it_lets_go(
    tmp_path: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_server.state.store._LOCK_SECONDS", 0)
    path = tmp_path / "state.db"
    async with memory_client("full-access", sandbox=sandbox, state=f"sqlite:///{path}") as client:
        await content(client, "create_lead", lastname="Before", subject="Pens")
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        refused = await content(client, "create_lead", lastname="Nobody", subject="Pens")
        assert "is locked by another process" in refused["error"]["message"]
        assert (await content(client, "list_leads", filter="lastname eq 'Nobody'"))["shown"] == 0
        holder.execute("ROLLBACK")
        holder.close()
        made = await content(client, "create_lead", lastname="After", subject="Pens")
        assert made["change_id"]


async def test_a_full_disk_stops_writes_before_the_crm_is_asked(tmp_path: Path, sandbox: Any) -> None:
    path = tmp_path / "state.db"
    async with memory_client("full-access", sandbox=sandbox, state=f"sqlite:///{path}") as client:
        await content(client, "create_lead", lastname="Before", subject="Pens")
    # A database that may not grow stands for a disk that cannot take more.
    with sqlite3.connect(path) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()

    def cannot_grow(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.execute(f"PRAGMA max_page_count = {pages}")

    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "connect", cannot_grow)
    try:
        async with memory_client("full-access", sandbox=sandbox, state=f"sqlite:///{path}") as client:
            made, refused = 0, None
            while refused is None:
                answer = await content(
                    client, "create_lead", lastname="Filler", subject="Pens", description="long " * 390
                )
                refused = answer.get("error")
                made += refused is None
            assert "the disk is full" in refused["message"]
            found = await content(client, "list_leads", filter="lastname eq 'Filler'", top=100)
            assert found["shown"] == made
    finally:
        event.remove(Engine, "connect", cannot_grow)


NO_ENDS = "CREATE TRIGGER no_ends BEFORE UPDATE ON changes BEGIN SELECT RAISE(ABORT, 'no'); END"


async def test_a_write_whose_end_cannot_be_noted_says_so_and_it_is_noted_later(
    tmp_path: Path, sandbox: Any
) -> None:
    path = tmp_path / "state.db"
    async with memory_client("full-access", sandbox=sandbox, state=f"sqlite:///{path}") as client:
        await content(client, "list_changes")
        change_database(
            path, "CREATE TRIGGER no_ends BEFORE UPDATE ON changes BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        made = await content(client, "create_lead", lastname="Quill", subject="Pens")
        assert made["record"]["leadid"]
        assert f"could not note in its journal that change {made['change_id']} is done" in made["warning"]
        change_database(path, "DROP TRIGGER no_ends")
        listed = (await content(client, "list_changes"))["records"]
        assert [(change["change_id"], change["state"]) for change in listed] == [(made["change_id"], "done")]


def change_database(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


async def test_the_state_is_for_this_user_alone(tmp_path: Path, sandbox: Any) -> None:
    path = tmp_path / "kept" / "state.db"
    async with memory_client("full-access", sandbox=sandbox, state=f"sqlite:///{path}") as client:
        await content(client, "create_lead", lastname="Quill", subject="Pens")
    modes = {file.name: file.stat().st_mode & 0o777 for file in (path.parent, path, path.with_suffix(".key"))}
    assert modes == {"kept": 0o700, "state.db": 0o600, "state.key": 0o600}
