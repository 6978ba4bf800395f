"""A stand-in for the CRM that costs little: it answers as the embedded CRM did when it was first asked.

Both servers of a comparison ask it, so that neither waits for the CRM's own work.
"""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

_SENT_ON = (
    b"accept",
    b"content-type",
    b"prefer",
    b"odata-version",
    b"odata-maxversion",
    b"mscrm.solutionuniquename",
)


@contextmanager
def recorded(root: str, core: int | None = None) -> Iterator[str]:
    """The stand-in, on a core of its own if one is given; yields its root address. ``root`` is the CRM's."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(root, theirs, core), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(root: str, announce: Connection, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    answers: dict[bytes, bytes] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                request, headers = _read(head)
                body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
                key = request + body
                if key not in answers:
                    answers[key] = await asyncio.to_thread(_asked, root, request, headers, body)
                writer.write(answers[key])
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
        announce.send(listening.sockets[0].getsockname()[1])
        async with listening:
            await listening.serve_forever()

    import uvloop

    uvloop.run(serve())


def _read(head: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    request, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    pairs = (line.partition(b":") for line in lines)
    return request, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _asked(root: str, request: bytes, headers: dict[bytes, bytes], body: bytes) -> bytes:
    """The CRM's own answer, as bytes of HTTP."""
    method, path, _ = request.decode().split(" ")
    connection = http.client.HTTPConnection(urlsplit(root).netloc, timeout=60)
    known = {name.decode(): value.decode() for name, value in headers.items() if name in _SENT_ON}
    connection.request(method, path, body or None, known)
    answer = connection.getresponse()
    content = answer.read()
    kept = [
        (name, value)
        for name, value in answer.getheaders()
        if name.lower() not in ("content-length", "transfer-encoding", "connection")
    ]
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in kept)]
    connection.close()
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content
