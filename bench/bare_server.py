"""The reference: the SDK's low-level server with one tool and nothing else.

With BARE_URL set, the tool makes that HTTP request and returns its body.
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
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())


asyncio.run(serve())
