"""Changes that wait for a human, approved or rejected at a terminal, even after a restart."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

from crm_server.cli import run
from tests.interaction.connecting import ERAS, Era, Human, content, environment, memory_client

pytestmark = pytest.mark.anyio


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A state that the server and the commands share."""
    path = tmp_path / "state.db"
    monkeypatch.setenv("DYNAMICS_STATE", str(path))
    return f"sqlite:///{path}"


async def new_lead(client: Client) -> str:
    created = await content(client, "create_lead", lastname="Quill", subject="Pens")
    key: str = created["record"]["leadid"]
    return key


async def asked_to_delete(client: Client, key: str) -> str:
    """The id of the plan that waits after a client without a human tried to delete the lead."""
    refused = await content(client, "delete_lead", leadid=key)
    assert refused["error"]["code"] == "not_approved"
    plan: str = refused["error"]["message"].partition("waits as plan ")[2].partition(" ")[0]
    assert plan
    return plan


async def terminal(capsys: Any, *arguments: str) -> tuple[int, str]:
    """The exit code and all that is printed by a command."""
    capsys.readouterr()
    # The command line runs a loop of its own.
    code = await anyio.to_thread.run_sync(run, arguments)
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.mark.parametrize("era", ERAS)
async def test_a_change_that_was_approved_at_a_terminal_is_made_once(
    sandbox: Any, state: str, capsys: Any, era: Era
) -> None:
    async with memory_client(sandbox=sandbox, state=state, era=era) as client:
        key = await new_lead(client)
        plan = await asked_to_delete(client, key)
        assert await asked_to_delete(client, key) == plan
        _, listed = await terminal(capsys, "approvals", "list")
        assert plan in listed
        assert "Delete the lead Quill for good" in listed
        code, shown = await terminal(capsys, "approvals", "approve", plan, "--yes")
        assert code == 0
        assert "Topic: Pens" in shown
        assert "ask-before-delete" in shown
        assert (await content(client, "delete_lead", leadid=key))["deleted"]["leadid"] == key
        code, twice = await terminal(capsys, "approvals", "approve", plan, "--yes")
        assert code != 0
        assert "approved and carried out by" in twice


async def test_a_plan_and_its_approval_survive_a_restart(sandbox: Any, state: str, capsys: Any) -> None:
    async with memory_client(sandbox=sandbox, state=state) as client:
        key = await new_lead(client)
        plan = await asked_to_delete(client, key)
    await terminal(capsys, "approvals", "approve", plan, "--yes")
    async with memory_client(sandbox=sandbox, state=state) as client:
        assert (await content(client, "delete_lead", leadid=key))["deleted"]["leadid"] == key


async def test_an_approval_is_void_once_the_record_has_changed(sandbox: Any, state: str, capsys: Any) -> None:
    async with memory_client(sandbox=sandbox, state=state) as client:
        key = await new_lead(client)
        plan = await asked_to_delete(client, key)
        await terminal(capsys, "approvals", "approve", plan, "--yes")
        await content(client, "update_lead", leadid=key, subject="Pencils")
        assert await asked_to_delete(client, key) != plan


async def test_what_was_rejected_is_not_asked_again_and_says_why(
    sandbox: Any, state: str, capsys: Any
) -> None:
    async with memory_client(sandbox=sandbox, state=state) as client:
        key = await new_lead(client)
        plan = await asked_to_delete(client, key)
        await terminal(capsys, "approvals", "reject", plan, "--reason", "We keep leads")
        refused = await content(client, "delete_lead", leadid=key)
        assert "A human rejected this change. Reason: We keep leads." in refused["error"]["message"]
        code, late = await terminal(capsys, "approvals", "approve", plan, "--yes")
        assert code != 0
        assert "was rejected by" in late


async def test_a_plan_expires(sandbox: Any, state: str, capsys: Any) -> None:
    moment = datetime.now(UTC) - timedelta(hours=25)
    async with memory_client(sandbox=sandbox, state=state, now=lambda: moment) as client:
        key = await new_lead(client)
        plan = await asked_to_delete(client, key)
    code, late = await terminal(capsys, "approvals", "approve", plan, "--yes")
    assert code != 0
    assert "expired" in late


async def test_an_approval_of_one_change_covers_no_other(sandbox: Any, state: str, capsys: Any) -> None:
    async with memory_client(sandbox=sandbox, state=state) as client:
        first, second = await new_lead(client), await new_lead(client)
        plan = await asked_to_delete(client, first)
        await terminal(capsys, "approvals", "approve", plan, "--yes")
        assert await asked_to_delete(client, second) != plan


async def test_what_the_client_human_declined_may_be_asked_again(sandbox: Any, state: str) -> None:
    human = Human("decline")
    async with memory_client(sandbox=sandbox, state=state, human=human) as client:
        key = await new_lead(client)
        refused = await content(client, "delete_lead", leadid=key)
        assert refused["error"]["code"] == "not_approved"
        human.action = "accept"
        assert (await content(client, "delete_lead", leadid=key))["deleted"]["leadid"] == key
        assert len(human.questions) == 2


async def test_without_yes_nobody_approves_in_silence(sandbox: Any, state: str, capsys: Any) -> None:
    async with memory_client(sandbox=sandbox, state=state) as client:
        plan = await asked_to_delete(client, await new_lead(client))
    code, text = await terminal(capsys, "approvals", "approve", plan)
    assert code != 0
    assert "add --yes if you have read the plan" in text


async def test_the_audit_holds_each_call_and_decision_and_no_value(
    sandbox: Any, state: str, capsys: Any
) -> None:
    async with memory_client(sandbox=sandbox, state=state) as client:
        await content(client, "create_lead", lastname="Canary", subject="Pens")
        await content(client, "list_leads", filter="lastname eq 'Canary'")
        await asked_to_delete(client, await new_lead(client))
    code, verified = await terminal(capsys, "audit", "verify")
    assert (code, "none was changed, removed or moved" in verified) == (0, True)
    _, exported = await terminal(capsys, "audit", "export")
    events = [json.loads(line) for line in exported.splitlines()]
    assert {event["kind"] for event in events} == {"call", "write begun", "write ended", "plan proposed"}
    assert "Canary" not in exported
    listed = next(event for event in events if event.get("tool") == "list_leads")
    assert "lastname" in listed["decisions"][0]["used"]
    assert listed["rules"] == ["read-everything"]
    _, found = await terminal(capsys, "audit", "search", "--tool", "delete_lead", "--outcome", "not_approved")
    assert len(found.splitlines()) == 1
    deleted = next(
        event for event in events if event.get("tool") == "delete_lead" and event["kind"] == "call"
    )
    assert len(deleted["ids"]) == 1
    _, by_id = await terminal(capsys, "audit", "search", "--id", deleted["ids"][0])
    assert len(by_id.splitlines()) == 5
    _, table = await terminal(capsys, "audit", "export", "--format", "csv")
    assert table.startswith("number,at,caller")
    _, tail = await terminal(capsys, "audit", "tail", "-n", "2")
    assert len(tail.splitlines()) == 2


async def test_values_are_audited_only_where_the_policy_says_so(
    sandbox: Any, state: str, tmp_path: Path, capsys: Any
) -> None:
    policy = tmp_path / "policy.toml"
    text = 'extends = "full-access"\n[audited]\nlead = ["subject"]\n'
    await anyio.Path(policy).write_text(text, encoding="utf-8")
    async with memory_client(str(policy), sandbox=sandbox, state=state) as client:
        await content(client, "create_lead", lastname="Canary", subject="Kept in the audit")
        with pytest.raises(MCPError):
            await client.call_tool("no_such_tool", {"made up": "by the caller"})
    _, exported = await terminal(capsys, "audit", "export")
    events = [json.loads(line) for line in exported.splitlines()]
    begun = next(event for event in events if event["kind"] == "write begun")
    assert begun["values"] == {"subject": "Kept in the audit"}
    assert "Canary" not in exported
    assert [event["outcome"] for event in events if event.get("tool") == "(unknown)"] == ["unknown_tool"]
    assert "no_such_tool" not in exported


async def test_a_replay_tells_what_another_policy_would_have_decided(
    sandbox: Any, state: str, capsys: Any
) -> None:
    async with memory_client(sandbox=sandbox, state=state) as client:
        await new_lead(client)
        await content(client, "list_leads", top=1)
    _, same = await terminal(capsys, "policy", "replay")
    assert "0 would have been different: none" in same
    _, other = await terminal(capsys, "policy", "replay", "--policy", "read-only", "--since", "1d")
    assert "create_lead: create on lead was allowed, would be denied" in other
    assert "1 would have been different: 1 allowed -> denied" in other


async def test_a_state_that_nobody_has_used_is_not_made_by_looking(capsys: Any, state: str) -> None:
    code, text = await terminal(capsys, "audit", "verify")
    assert code == 2
    assert f"There is no state at {state.removeprefix('sqlite:///')}" in text
    # The first look has made nothing that the second would find.
    assert await terminal(capsys, "audit", "verify") == (code, text)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
async def test_a_hangup_reads_the_policy_anew_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('extends = "full-access"\n', encoding="utf-8")
    pid_file = tmp_path / "pid"
    # The client does not tell the number of the process it starts.
    program = (
        f"import os, pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); "
        "from crm_server.__main__ import main; main()"
    )
    command = [sys.executable, "-c", program, "serve", "--sandbox", "--policy", str(policy)]
    changed: list[Any] = []

    async def heard(message: Any) -> None:
        changed.append(message)

    server = StdioServerParameters(command=command[0], args=command[1:], env=environment())
    async with Client(server, mode="legacy", message_handler=heard) as client:
        assert "delete_lead" in {tool.name for tool in (await client.list_tools()).tools}
        process = int(pid_file.read_text(encoding="ascii"))
        policy.write_text('extends = "nothing-known"\n', encoding="utf-8")
        os.kill(process, signal.SIGHUP)
        assert "delete_lead" in {tool.name for tool in (await client.list_tools()).tools}
        policy.write_text('extends = "read-only"\n', encoding="utf-8")
        os.kill(process, signal.SIGHUP)
        while "delete_lead" in {tool.name for tool in (await client.list_tools()).tools}:
            pass
        refused = await content(client, "list_leads", top=1)
        assert refused["shown"] == 1
        assert any(type(message).__name__ == "ToolListChangedNotification" for message in changed), changed
