"""Every protocol version that the SDK serves, on the wire, and what the tool list costs there."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from tests.interaction.connecting import environment

LARGEST_TOOL_LIST = 32_000


def conversation(*messages: dict[str, Any]) -> dict[int, tuple[dict[str, Any], int]]:
    """Send the messages to a server over stdio; the result of each request and its size in bytes."""
    finished = subprocess.run(
        [sys.executable, "-m", "crm_server", "serve", "--sandbox"],
        input="".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answers = [(json.loads(line), len(line.encode())) for line in finished.stdout.splitlines()]
    return {answer["id"]: (answer["result"], size) for answer, size in answers}


@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
def test_each_version_of_the_handshake_era_is_served(version: str) -> None:
    client = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    call = {"name": "list_leads", "arguments": {"top": 1}}
    answers = conversation(
        {"id": 1, "method": "initialize", "params": client},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
        {"id": 3, "method": "tools/call", "params": call},
    )
    assert answers[1][0]["protocolVersion"] == version
    assert "dry_run" in answers[1][0]["instructions"]
    assert len(answers[2][0]["tools"]) == 32
    assert answers[2][1] < LARGEST_TOOL_LIST
    assert json.loads(answers[3][0]["content"][0]["text"])["shown"] == 1


@pytest.mark.parametrize("version", MODERN_PROTOCOL_VERSIONS)
def test_each_version_of_the_stateless_era_is_served_without_a_handshake(version: str) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    }
    call = {"name": "list_leads", "arguments": {"top": 1}, "_meta": meta}
    answers = conversation(
        {"id": 1, "method": "tools/list", "params": {"_meta": meta}},
        {"id": 2, "method": "tools/call", "params": call},
    )
    assert len(answers[1][0]["tools"]) == 32
    assert answers[1][1] < LARGEST_TOOL_LIST
    assert answers[2][0]["structuredContent"]["shown"] == 1
