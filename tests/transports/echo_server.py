"""A small low-level server for the transport tests: ``python echo_server.py stdio|http|sse [HOST PORT]``.

What it is ready to say goes to stderr: ``ready ADDRESS`` (HTTP and SSE), ``waiting`` when a call of ``wait``
or ``block`` is under way, ``lifespan ended`` and ``returned`` when it has ended in an orderly way.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from crm_server import stdio
from crm_server.transports import serve_http, serve_sse, serve_stdio
from crm_server.web.options import WebOptions


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


async def _echo(text: str) -> str:
    return text


async def _length(text: str) -> str:
    return str(len(text))


async def _many(text: str) -> str:
    return "x" * int(text)


async def _wait(text: str) -> str:
    say("waiting")
    await anyio.sleep(float(text))
    return "waited"


async def _block(text: str) -> str:
    say("waiting")
    await anyio.to_thread.run_sync(time.sleep, float(text))
    return "blocked"


async def _print(text: str) -> str:
    print(text)  # noqa: T201 - a stray print is what this tool is for
    os.write(1, (text + " raw\n").encode())
    await anyio.run_process(["/bin/echo", text + " from a child"], stdin=None, stdout=None)
    return "input is " + repr(os.read(0, 10))


async def _surrogate(_text: str) -> str:
    return "\ud800"


TOOLS = {
    "echo": _echo,
    "length": _length,
    "many": _many,
    "wait": _wait,
    "block": _block,
    "print": _print,
    "surrogate": _surrogate,
}


async def list_tools(_ctx: ServerRequestContext[Any], _params: Any) -> types.ListToolsResult:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    return types.ListToolsResult(tools=[types.Tool(name=name, input_schema=schema) for name in TOOLS])


async def call_tool(
    _ctx: ServerRequestContext[Any], params: types.CallToolRequestParams
) -> types.CallToolResult:
    text = await TOOLS[params.name]((params.arguments or {})["text"])
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


@asynccontextmanager
async def lifespan(_server: Server[Any]) -> AsyncIterator[dict[str, Any]]:
    try:
        yield {}
    finally:
        say("lifespan ended")


def build() -> Server[dict[str, Any]]:
    return Server("echo", lifespan=lifespan, on_list_tools=list_tools, on_call_tool=call_tool)


async def main(transport: str, host: str = "127.0.0.1", port: str = "0") -> None:
    def ready(address: str) -> None:
        say(f"ready {address}")

    if transport == "sdk-stdio":
        stdio._kind_of_stdin = lambda: "unwatchable"  # As on Windows.
        await serve_stdio(build())
    elif transport == "stdio":
        await serve_stdio(build())
    elif transport == "http":
        await serve_http(build(), WebOptions(host, int(port)), ready)
    else:
        await serve_sse(build(), WebOptions(host, int(port)), ready)


def standard_streams() -> list[tuple[int, int]]:
    return [(os.fstat(fd).st_dev, os.fstat(fd).st_ino) for fd in (0, 1)]


if __name__ == "__main__":
    before = standard_streams()
    anyio.run(main, *sys.argv[1:])
    say("returned" if standard_streams() == before else "returned with stdin or stdout led elsewhere")
