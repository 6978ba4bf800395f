"""The sandbox behind a script of faults, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from crm_sandbox import create_app

Fault = Callable[["FaultyCrm", str, str, dict[str, str], bytes], "bytes | None"]


@dataclass
class FaultyCrm:
    """``script`` holds one entry a request: None to answer as the sandbox, bytes to answer those, or a name.

    ``drop`` closes without reading on, ``drop after`` lets the sandbox carry the request out and then closes,
    ``cut`` sends half of the sandbox's answer.
    """

    url: str = ""
    script: list[str | bytes | None] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    app: Any = field(default_factory=create_app)


@asynccontextmanager
async def faulty_crm() -> AsyncIterator[FaultyCrm]:
    """A server on loopback; it ends with the block."""
    crm = FaultyCrm()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _one(crm, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    crm.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield crm
    crm.app.close()


async def _one(crm: FaultyCrm, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().splitlines()
    method, target, _ = first.split()
    headers = dict(line.split(": ", 1) for line in lines)
    length = next((int(value) for name, value in headers.items() if name.lower() == "content-length"), 0)
    body = await reader.readexactly(length)
    crm.seen.append((method, target))
    crm.headers.append({name.lower(): value for name, value in headers.items()})
    fault = crm.script.pop(0) if crm.script else None
    if fault == "drop":
        return False
    if isinstance(fault, bytes):
        writer.write(fault)
        await writer.drain()
        return False
    answer = await _as_sandbox(crm, method, target, headers, body)
    if fault == "drop after":
        return False
    if fault == "cut":
        writer.write(answer[: len(answer) // 2])
        await writer.drain()
        return False
    writer.write(answer)
    await writer.drain()
    return True


async def _as_sandbox(
    crm: FaultyCrm, method: str, target: str, headers: dict[str, str], body: bytes
) -> bytes:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=crm.app)) as client:
        answer = await client.request(method, crm.url + target, headers=headers, content=body)
    lines = [f"HTTP/1.1 {answer.status_code} X"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + answer.content


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A raw answer after which the connection closes."""
    lines = [f"HTTP/1.1 {status} X", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
