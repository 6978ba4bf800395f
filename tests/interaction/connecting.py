"""Connects a client to the server over each transport, in each protocol era."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp_types import ElicitResult

from crm_sandbox import create_app
from crm_server.app import build_application
from crm_server.protocol import build_server
from crm_server.settings import Settings

Transport = Literal["memory", "stdio", "sse", "http"]
Era = Literal["legacy", "auto"]
TRANSPORTS: tuple[Transport, ...] = ("memory", "stdio", "sse", "http")
ERAS: tuple[Era, ...] = ("legacy", "auto")


@dataclass
class Human:
    """Someone who is asked and always answers the same. Keeps the questions."""

    action: Literal["accept", "decline", "cancel"]
    questions: list[str] = field(default_factory=list)

    async def __call__(self, _context: Any, params: Any) -> ElicitResult:
        self.questions.append(params.message)
        return ElicitResult(action=self.action)


def is_batch(request: Any) -> bool:
    """Whether a request that the sandbox remembers is a batch; the server sends only reads in one."""
    return bool(request.path.endswith("/$batch"))


def environment() -> dict[str, str]:
    """The environment of a server process: none of this machine's settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DYNAMICS_")}
    return {**clean, "DYNAMICS_LOG_LEVEL": "warning"}


@contextmanager
def listening_server(transport: str) -> Iterator[str]:
    """A server process over HTTP or SSE on the sandbox; yields its address once it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_server", "serve", "--sandbox", "--transport", transport, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith("Ready at "):
                yield line.removeprefix("Ready at ").strip()
                break
        else:
            raise AssertionError("the server ended before it listened")
    finally:
        process.terminate()
        process.communicate(timeout=10)


@asynccontextmanager
async def memory_client(
    policy: str = "sales-assistant",
    *,
    era: Era = "auto",
    human: Human | None = None,
    sandbox: Any = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    **settings: Any,
) -> AsyncIterator[Client]:
    """A client of a server in this process, on a sandbox of its own unless one is given."""
    crm = create_app() if sandbox is None else sandbox
    application = build_application(Settings(policy=policy, **settings), asgi_app=crm, now=now)
    try:
        async with Client(build_server(application), mode=era, elicitation_callback=human) as client:
            yield client
    finally:
        await application.aclose()
        if sandbox is None:
            crm.close()


async def content(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers, as a client that reads texts alone gets it."""
    result = await client.call_tool(tool, arguments)
    answer: dict[str, Any] = json.loads(result.content[0].text)
    return answer


def policy_file(folder: Path, text: str) -> str:
    """The path of a policy file in this folder that says this."""
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@asynccontextmanager
async def client_over(
    transport: Transport, era: Era, address: Callable[[str], str], human: Human | None
) -> AsyncIterator[Client]:
    """A client over any transport. ``address`` gives the address of a listening server."""
    async with AsyncExitStack() as stack:
        if transport == "memory":
            yield await stack.enter_async_context(memory_client(era=era, human=human))
            return
        server: Any
        if transport == "stdio":
            server = StdioServerParameters(
                command=sys.executable, args=["-m", "crm_server", "serve", "--sandbox"], env=environment()
            )
        elif transport == "sse":
            server = sse_client(address("sse"))
        else:
            server = address("http")
        yield await stack.enter_async_context(Client(server, mode=era, elicitation_callback=human))
