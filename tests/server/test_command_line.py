"""The commands: what they print, and that nothing starts on a mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crm_server.cli import run

GUID = "0a1b2c3d-0000-4000-8000-0123456789ab"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("DYNAMICS_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("environ", "arguments", "says"),
    [
        ({}, ["serve"], "--sandbox"),
        ({"DYNAMICS_POLCY": "read-only"}, ["serve", "--sandbox"], "DYNAMICS_POLICY"),
        ({"DYNAMICS_POLICY": "sales-asistant"}, ["serve", "--sandbox"], "sales-assistant"),
        ({}, ["serve", "--sandbox", "--policy", "read-onyl"], "read-only"),
        ({}, ["serve", "--sandbox", "--toolsets", "lead"], "leads"),
        ({}, ["serve", "--sandbox", "--transport", "http", "--host", "0.0.0.0"], "127.0.0.1"),  # noqa: S104 - refused
        ({"DYNAMICS_URL": "http://contoso.crm.dynamics.com"}, ["serve"], "https"),
        ({"DYNAMICS_URL": "https://contoso.crm.dynamics.com"}, ["serve"], "DYNAMICS_TENANT_ID"),
        (
            {"DYNAMICS_URL": "https://contoso.crm.dynamics.com", "DYNAMICS_AUTH": "client-secrt"},
            ["serve"],
            "client-secret",
        ),
        (
            {"DYNAMICS_URL": "https://contoso.crm.dynamics.com", "DYNAMICS_AUTH": "none"},
            ["serve"],
            "this machine",
        ),
        ({}, ["policy", "explain", "delete_acount", GUID], "ARGS"),
        ({}, ["policy", "explain", "delete_acount"], "delete_account"),
        ({}, ["policy", "explain", "list_accounts", "filter=nme eq 'x'"], "name"),
    ],
)
def test_a_mistake_ends_with_code_2_and_says_what_to_change(
    environ: dict[str, str],
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    "arguments", [["sevre"], ["serve", "--transport", "tcp"], ["serve", "--port", "99999"]]
)
def test_a_misspelt_command_or_option_ends_with_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_policy_show_prints_each_table_with_its_deciding_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "show"]) == 0
    shown = capsys.readouterr().out
    assert "sales-assistant" in shown
    for table in ("account", "contact", "opportunity", "lead"):
        assert table in shown
    assert "confirm" in shown


@pytest.mark.parametrize(
    ("policy", "words", "outcome"),
    [
        ("sales-assistant", ["delete_account", f"accountid={GUID}"], "needs approval"),
        ("read-only", ["delete_account", f"accountid={GUID}"], "denied"),
        ("full-access", ["delete_account", json.dumps({"accountid": GUID})], "allowed"),
        ("sales-assistant", ["list_leads", "top=5", "filter=statecode eq 'Open'"], "allowed"),
        ("sales-assistant", ["create_lead", "lastname=Campbell", "dry_run=true"], "allowed"),
    ],
)
def test_policy_explain_tells_the_decision_that_enforcement_makes(
    policy: str, words: list[str], outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "explain", *words, "--policy", policy]) == 0
    assert outcome in capsys.readouterr().out


def test_serve_writes_nothing_to_stdout_and_ends_with_its_input() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DYNAMICS_")}
    finished = subprocess.run(
        [sys.executable, "-m", "crm_server", "serve", "--sandbox"],
        input="",
        env=clean,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (0, "")


def test_the_log_names_the_call_and_holds_no_value(tmp_path: Path) -> None:
    requests = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
        }},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
            "name": "create_lead", "arguments": {"lastname": "Kanarienvogel", "description": "hush-hush"}}},
    ]  # fmt: skip
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DYNAMICS_")}
    with subprocess.Popen(
        [sys.executable, "-m", "crm_server", "serve", "--sandbox"],
        env=clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("".join(json.dumps(request) + "\n" for request in requests))
        server.stdin.flush()
        answers = [json.loads(server.stdout.readline()) for _ in range(2)]
        _, log = server.communicate(timeout=30)
    assert [answer["id"] for answer in answers] == [1, 2]
    events = [json.loads(line) for line in log.splitlines()]
    call = next(event for event in events if event["event"] == "call")
    assert call["tool"] == "create_lead"
    assert (call["table"], call["effect"], call["decision"]) == ("lead", "create", "allowed")
    assert call["request_id"]
    assert call["crm_request_id"]
    assert call["duration_ms"] > 0
    assert "Kanarienvogel" not in log
    assert "hush-hush" not in log
