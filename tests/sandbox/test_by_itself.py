"""The sandbox as a server of its own, and the product on it over HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.interaction.connecting import environment


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_server", "sandbox", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    try:
        ready, hint = process.stderr.readline(), process.stderr.readline()
        found = ready.removeprefix("Ready at ").strip()
        assert f"DYNAMICS_URL={found.removesuffix('/api/data/v9.2')} DYNAMICS_AUTH=none" in hint
        yield found
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_it_answers_the_web_api_on_this_machine(address: str) -> None:
    assert address.startswith("http://127.0.0.1:")
    answer = httpx.get(f"{address}/accounts?$top=2&$select=name")
    assert answer.status_code == 200
    assert len(answer.json()["value"]) == 2
    assert answer.json()["@odata.context"].startswith(address)


def test_the_server_works_on_it_over_http(address: str) -> None:
    messages = [
        {"id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
        }},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {
            "name": "create_lead", "arguments": {"lastname": "By HTTP"},
        }},
        {"id": 3, "method": "tools/call", "params": {"name": "list_accounts", "arguments": {"top": 3}}},
    ]  # fmt: skip
    settings = {"DYNAMICS_URL": address.removesuffix("/api/data/v9.2"), "DYNAMICS_AUTH": "none"}
    finished = subprocess.run(
        [sys.executable, "-m", "crm_server", "serve"],
        input="".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages),
        env=environment() | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    results = {answer["id"]: answer["result"] for answer in map(json.loads, finished.stdout.splitlines())}
    lead = results[2]["structuredContent"]["record"]
    assert lead["url"].startswith(settings["DYNAMICS_URL"])
    assert httpx.get(f"{address}/leads({lead['leadid']})").json()["lastname"] == "By HTTP"
    page = results[3]["structuredContent"]
    assert (page["shown"], page["more"]) == (3, True)


def test_a_port_in_use_ends_with_code_2_and_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = subprocess.run(
            [sys.executable, "-m", "crm_server", "sandbox", "--port", port],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=environment(),
        )
    assert finished.returncode == 2
    assert port in finished.stderr
    assert "Traceback" not in finished.stderr
