"""What a client sends that no library for HTTP would send, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketStream

_PATIENCE_SECONDS = 20


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[SocketStream]:
    """A connection to where an address leads."""
    parts = urlsplit(address)
    with anyio.fail_after(_PATIENCE_SECONDS):
        async with await anyio.connect_tcp(str(parts.hostname), parts.port or 0) as stream:
            yield stream


async def rest_of(stream: SocketStream) -> bytes:
    """All that comes until the connection ends, however it ends."""
    found = b""
    try:
        while True:
            found += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return found


async def answer_on(stream: SocketStream, end: bytes) -> bytes:
    """All that comes up to an end."""
    found = b""
    while not found.endswith(end):
        found += await stream.receive()
    return found


async def answered(address: str, *parts: bytes) -> bytes:
    """All that comes back for these parts, which a server may end to listen to before they are all sent."""
    async with connected(address) as stream:
        try:
            for part in parts:
                await stream.send(part)
        except anyio.BrokenResourceError:
            # It has said why, or nothing.
            pass
        return await rest_of(stream)


def statuses(answer: bytes) -> list[int]:
    """The status of each answer on a connection."""
    return [int(part.split(b" ", 1)[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]
