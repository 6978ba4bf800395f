"""The reference: the SDK's low-level server with one tool and nothing else.

With BARE_URL set, the tool makes that HTTP request and returns its body. With BARE_HTTP set too, the server
speaks streamable HTTP instead of stdio, at an address that it says on stderr.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

URL = os.environ.get("BARE_URL")
HEADERS = {
    "Accept": "application/json",
    "OData-Version": "4.0",
    "OData-MaxVersion": "4.0",
    "Prefer": 'odata.maxpagesize=20,odata.include-annotations="*"',
}


async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[types.Tool(name="list_accounts", input_schema={"type": "object"})])


async def serve() -> None:
    if URL is None:
        server: Server[Any] = Server("bare", on_list_tools=list_tools)
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
        return

    import httpx

    async with httpx.AsyncClient() as client:

        async def call_tool(_context: Any, _params: Any) -> types.CallToolResult:
            response = await client.get(URL, headers=HEADERS)
            response.raise_for_status()
            return types.CallToolResult(content=[types.TextContent(text=response.text)])

        server = Server("bare", on_list_tools=list_tools, on_call_tool=call_tool)
        if "BARE_HTTP" in os.environ:
            await serve_http(server)
            return
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())


async def serve_http(server: Server[Any]) -> None:
    """Serve on a free port of this machine, with what makes uvicorn fast."""
    import socket
    import sys

    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"Ready at http://127.0.0.1:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
    app = server.streamable_http_app(stateless_http=True)
    config = uvicorn.Config(app, http="httptools", log_level="warning", access_log=False)
    await uvicorn.Server(config).serve(sockets=[listener])


if "BARE_HTTP" in os.environ:
    import uvloop

    uvloop.run(serve())
else:
    asyncio.run(serve())
