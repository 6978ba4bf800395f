"""Many clients of streamable HTTP at once that cost little: the server is what is measured."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httptools

ERAS = {"2026-07-28": "stateless", "2025-11-25": "handshake"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A server: its address, what is called there, and a token for each client if it wants one."""

    name: str
    address: str
    tool: str
    arguments: Mapping[str, Any]
    tokens: Sequence[str] = ()

    def request(self, client: int, version: str) -> bytes:
        """A call of the tool, as bytes of HTTP."""
        params: dict[str, Any] = {"name": self.tool, "arguments": dict(self.arguments)}
        headers = {
            "Host": urlsplit(self.address).netloc,
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": version,
        }
        if ERAS[version] == "stateless":
            headers |= {"Mcp-Method": "tools/call", "Mcp-Name": self.tool}
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": version,
                "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        if self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens[client % len(self.tokens)]}"
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        body = json.dumps(message).encode()
        headers["Content-Length"] = str(len(body))
        first = f"POST {urlsplit(self.address).path} HTTP/1.1"
        lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + body


class _Connection(asyncio.Protocol):
    """One connection: a request, and the whole answer to it."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[None] | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.body = bytearray()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    async def ask(self, request: bytes) -> None:
        self.body.clear()
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self.answered
        status = self.parser.get_status_code()
        if status != 200 or b'"result"' not in self.body or b'"isError":true' in self.body:
            raise RuntimeError(f"{status}: {bytes(self.body[:500])!r}")

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(error or ConnectionError("the server closed the connection"))


async def calls(peer: Peer, version: str, clients: int, count: int) -> tuple[float, list[float]]:
    """So many calls by so many clients: seconds for all of them, and for each."""
    loop = asyncio.get_running_loop()
    where = urlsplit(peer.address)
    left = iter(range(count))
    taken: list[float] = []

    async def client(connection: _Connection, request: bytes) -> None:
        for _ in left:
            started = time.perf_counter()
            await connection.ask(request)
            taken.append(time.perf_counter() - started)
        connection.transport.close()

    connections = [
        (await loop.create_connection(_Connection, where.hostname, where.port))[1] for _ in range(clients)
    ]
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number, connection in enumerate(connections):
            tasks.create_task(client(connection, peer.request(number, version)))
    return time.perf_counter() - started, taken
