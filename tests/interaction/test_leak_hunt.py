"""Canaries in hidden columns: no tool shows them, nor lets them be guessed, nor writes them anywhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from crm_sandbox import create_app
from crm_server.cli import run
from crm_tools.description import load
from crm_tools.tables import Column, ColumnType, Table
from tests.interaction.connecting import Human, content, memory_client

pytestmark = pytest.mark.anyio

CANARY = "Zkanarienvogel"
TABLES = load().tables
TEXTS = (ColumnType.STRING, ColumnType.MEMO)


def _is_hideable(column: Column, table: Table) -> bool:
    return (
        column.type in TEXTS
        and column.on_create
        and column.name not in (table.key, *table.create_needs)
        and (column.max_length or 100) >= len(CANARY)
    )


HIDDEN = [
    (table.name, column.name)
    for table in TABLES.values()
    for column in table.columns.values()
    if _is_hideable(column, table)
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Any]:
    app = create_app(accounts=5)
    yield app
    app.close()


def needed(table: Table) -> dict[str, Any]:
    """What a record of this table cannot be made without, and nothing that tells of the canary."""
    return dict.fromkeys(table.create_needs, "Harmless")


@asynccontextmanager
async def planted(
    table: Table, column: str, sandbox: Any, tmp_path: Path, human: Human
) -> AsyncIterator[tuple[Client, str, str]]:
    """A client that may not see the column, the record that holds the canary, and one that was deleted."""
    state = {"state": f"sqlite:///{tmp_path / 'state.db'}"}
    async with memory_client("full-access", sandbox=sandbox, **state) as client:
        keys = []
        for _ in range(2):
            made = await content(client, f"create_{table.name}", **needed(table), **{column: CANARY})
            keys.append(made["record"][table.key])
        await content(client, f"delete_{table.name}", **{table.key: keys[1]})
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f'extends = "sales-assistant"\n[hidden]\n{table.name} = ["{column}"]\n', encoding="utf-8"
    )
    async with memory_client(str(policy), sandbox=sandbox, human=human, **state) as client:
        yield client, keys[0], keys[1]


@pytest.mark.parametrize(("name", "column"), HIDDEN, ids=".".join)
async def test_a_hidden_value_appears_nowhere_and_cannot_be_guessed(
    name: str, column: str, sandbox: Any, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, human = TABLES[name], Human("accept")
    seen: list[str] = []
    async with planted(table, column, sandbox, tmp_path, human) as (client, key, deleted):

        async def ask(tool: str, **arguments: Any) -> dict[str, Any]:
            result = await client.call_tool(tool, arguments)
            seen.append(result.model_dump_json())
            answer: dict[str, Any] = json.loads(result.content[0].text)
            return answer

        one, many = f"get_{name}", f"list_{table.entity_set}"
        own = {table.key: key}
        # Shown.
        await ask(one, **own, format="detailed")
        await ask(many, filter=f"{table.key} eq {key}", format="detailed")
        for relationship in table.relationships.values():
            await ask(one, **own, expand=[relationship.name])
        await ask("list_changes", id=key)
        await ask("list_changes", id=deleted)
        # Guessed: by selecting, filtering, sorting, counting and following lookups.
        guesses = [
            {"select": [column]},
            {"filter": f"{column} eq '{CANARY}'", "count": True},
            {"filter": f"startswith({column},'Z')"},
            {"filter": f"not contains({column},'Z')", "count": True},
            {"filter": f"{column} ne null"},
            {"orderby": f"{column} desc"},
        ]
        for guess in guesses:
            assert (await ask(many, **guess))["error"]["code"] == "denied_by_policy", guess
        for other in TABLES.values():
            for navigation in other.navigations.values():
                if navigation.table == name:
                    guess = {"filter": f"{navigation.name}/{column} eq '{CANARY}'", "count": True}
                    assert "error" in await ask(f"list_{other.entity_set}", **guess), guess
        # Written over, so that the answer or the question would tell what was there.
        refused = await ask(f"update_{name}", **own, **{column: "other"})
        assert refused["error"]["code"] == "denied_by_policy"
        await ask(f"update_{name}", **own, **needed(table), dry_run=True)
        await ask(f"update_{name}", **own, **needed(table))
        await ask(f"delete_{name}", **own, dry_run=True)
        await ask(f"delete_{name}", **own)
        gone = (await ask("list_changes", id=key))["records"][0]
        assert gone["action"] == "delete"
        await ask("undo_change", change_id=gone["change_id"])
    monkeypatch.setenv("DYNAMICS_STATE", str(tmp_path / "state.db"))
    assert human.questions

    for command in (["audit", "export"], ["approvals", "list", "--all"]):
        assert await anyio.to_thread.run_sync(run, command) == 0
    printed = capfd.readouterr()
    for text in (*seen, *human.questions, printed.out, printed.err):
        assert CANARY.casefold() not in text.casefold()
