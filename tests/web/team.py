"""A server over HTTP for callers of a lab, in this process, on an embedded CRM of its own."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx

from crm_sandbox import create_app
from crm_server.app import build_application
from crm_server.protocol import build_server
from crm_server.settings import read_settings
from crm_server.transports import serve_http
from crm_server.web.configured import meter_of, metrics_of, options_of, team_of

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
}


class Team:
    """A running server. Each caller's token is the caller's name, made long enough to be one."""

    def __init__(self, http: httpx.AsyncClient, address: str) -> None:
        self.http = http
        self.address = address
        self.root = address.removesuffix("/mcp")

    async def call(
        self, caller: str, tool: str, arguments: Mapping[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        """Call a tool as this caller, in the stateless era."""
        params = {"name": tool, "arguments": arguments or {}, "_meta": MODERN}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        usual = {
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {token_of(caller)}",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        return await self.http.post(self.address, json=message, headers={**usual, **headers})

    async def metrics(self) -> dict[str, float]:
        """What /metrics shows: value by series, such as ``name{label="value"}``."""
        answer = await self.http.get(f"{self.root}/metrics")
        assert answer.status_code == 200, answer.text
        lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
        return {series: float(value) for series, _, value in lines}


def token_of(caller: str) -> str:
    """The token of a caller."""
    return f"token-of-{caller}-for-a-lab"


@asynccontextmanager
async def team(
    tmp_path: Path,
    callers: Sequence[str] = ("ann", "bob"),
    wrap: Callable[[Any], Any] = lambda sandbox: sandbox,
    **environ: str,
) -> AsyncIterator[Team]:
    """A server that lets these callers in. ``wrap`` may stand before the CRM."""
    file = tmp_path / "callers.toml"
    scopes = 'scopes = ["crm.read", "crm.write"]'
    file.write_text(
        "".join(
            f'["{name}"]\nsha256 = "{hashlib.sha256(token_of(name).encode()).hexdigest()}"\n{scopes}\n'
            for name in callers
        )
    )
    known = {"DYNAMICS_CALLERS_FILE": str(file), "DYNAMICS_PUBLIC_URL": "http://127.0.0.1", **environ}
    settings = read_settings(known, [])
    sandbox = create_app()
    application = build_application(settings, asgi_app=wrap(sandbox), meter=meter_of(settings))
    web = options_of(settings, "127.0.0.1", 0, sse=False, metrics=metrics_of(application))
    ready, address = anyio.Event(), []

    def on_ready(url: str) -> None:
        address.append(url)
        ready.set()

    async with anyio.create_task_group() as tasks, httpx.AsyncClient() as http:
        let_in = team_of(settings, application, web.path)
        web = replace(web, drain_seconds=1.0)
        tasks.start_soon(serve_http, build_server(application), web, on_ready, let_in)
        await ready.wait()
        yield Team(http, address[0])
        tasks.cancel_scope.cancel()
    await application.aclose()
    sandbox.close()
