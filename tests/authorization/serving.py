"""A server process for a team, and requests to it as a client that knows what it does would send them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.authorization.issuer import AUDIENCE, Listening
from tests.interaction.connecting import environment

PUBLIC = "https://crm-mcp.contoso.example"
HOST = "crm-mcp.contoso.example"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@dataclass
class Served:
    """``url`` is where it listens; clients call it by its public name. ``log`` is its standard error."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    def post(
        self, message: Any, token: str | None = None, path: str = "/mcp", **headers: str
    ) -> httpx.Response:
        """Send a message, or bytes as they are."""
        return self.request("POST", path, token, message, **headers)

    def request(
        self, method: str, path: str = "/mcp", token: str | None = None, message: Any = None, **headers: str
    ) -> httpx.Response:
        """Send a request as a client of the public address."""
        sent = {
            "Host": HOST,
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        content = message if isinstance(message, bytes) or message is None else json.dumps(message).encode()
        return httpx.request(method, self.url + path, content=content, headers=sent, timeout=30)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The events of this name in its log."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [found for found in map(json.loads, lines) if found["event"] == event]


@contextmanager
def served(folder: Path, *arguments: str, **settings: str) -> Iterator[Served]:
    """A server on the sandbox with these settings."""
    log = folder / "server.log"
    known = {f"DYNAMICS_{name.upper()}": value for name, value in settings.items()}
    given = {**environment(), "XDG_STATE_HOME": str(folder / "state"), **known}
    command = [sys.executable, "-m", "crm_server", "serve", "--sandbox", "--transport", "http", "--port", "0"]
    with log.open("w") as errors:
        process = subprocess.Popen([*command, *arguments], stderr=errors, text=True, env=given)
        try:
            yield Served(_address(process, log), process, log)
        finally:
            process.terminate()
            process.wait(timeout=40)


def _address(process: subprocess.Popen[str], log: Path) -> str:
    """Where the server listens, once it says so."""
    with log.open() as lines:
        while process.poll() is None:
            line = lines.readline()
            if line.startswith("Ready at "):
                return line.removeprefix("Ready at ").strip().removesuffix("/mcp")
            if not line:
                os.sched_yield()
    raise AssertionError(f"the server ended before it listened: {log.read_text()}")


def for_issuer(issuer: Listening) -> dict[str, str]:
    """Settings of a server that believes an issuer."""
    return {"callers_issuer": issuer.address, "callers_audience": AUDIENCE, "public_url": PUBLIC}


def call(tool: str, number: int = 7, **arguments: Any) -> dict[str, Any]:
    """A call in the stateless era."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def modern(tool: str) -> dict[str, str]:
    """The headers that the stateless era wants beside a call."""
    return {"Mcp_Protocol_Version": "2026-07-28", "Mcp_Method": "tools/call", "Mcp_Name": tool}
