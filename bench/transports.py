"""Requests a second and CPU time of one, by transport under httpx and by how many are under way.

    uv run --no-dev python bench/transports.py

The server is a process of its own with a constant answer. aiohttp is measured too where httpx-aiohttp is
installed; it is no part of the product.
"""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import httpx

from crm_server.dataverse.pacing import MOST
from crm_server.dataverse.transport import PooledTransport

REQUESTS = 1_500
UNDER_WAY = (1, 16, MOST)
GOAL = 1.3
"""How many times the throughput of httpx's own transport ours has with 16 requests under way, at least."""
ANSWER = b'{"value":[' + b",".join([b'{"accountid":"a","name":"b"}'] * 20) + b"]}"


def main() -> int:
    rates: dict[tuple[str, int], float] = {}
    with server() as url:
        for name, make in transports(url).items():
            for under_way in UNDER_WAY:
                rate, cpu = asyncio.run(measured(make, url, under_way))
                rates[name, under_way] = rate
                print(
                    f"{name:8} {under_way:3} under way {rate:7,.0f} requests a second {cpu:5.2f} ms CPU each"
                )
    ratio = rates["ours", 16] / rates["httpx", 16]
    print(f"ours against httpx's own at 16: {ratio:.2f} (goal: at least {GOAL})")
    return 0 if ratio >= GOAL else 1


def transports(url: str) -> dict[str, Callable[[], httpx.AsyncBaseTransport]]:
    """What is compared, by name."""
    known: dict[str, Callable[[], httpx.AsyncBaseTransport]] = {
        "httpx": lambda: httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=MOST)),
        "ours": lambda: PooledTransport(url, MOST),
    }
    if importlib.util.find_spec("httpx_aiohttp") is not None:
        aiohttp = importlib.import_module("httpx_aiohttp").AiohttpTransport
        known["aiohttp"] = lambda: aiohttp(limits=httpx.Limits(max_connections=MOST))
    return known


async def measured(
    make: Callable[[], httpx.AsyncBaseTransport], url: str, under_way: int
) -> tuple[float, float]:
    """Requests a second, and milliseconds of this process's CPU for each."""
    async with httpx.AsyncClient(transport=make(), timeout=30) as client:
        left = iter(range(REQUESTS))

        async def work() -> None:
            for _ in left:
                answer = await client.get(url)
                if len(answer.content) != len(ANSWER):
                    raise RuntimeError("another answer than the server's")

        await client.get(url)
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(under_way)))
        return (
            REQUESTS / (time.perf_counter() - started),
            (time.process_time() - cpu) / REQUESTS * 1000,
        )


@contextmanager
def server() -> Iterator[str]:
    """A server with a constant answer, in a process of its own; yields its address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/accounts"
    finally:
        process.terminate()
        process.join()


def _serve(announce: Connection) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(head + ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        announce.send(listening.sockets[0].getsockname()[1])
        async with listening:
            await listening.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    sys.exit(main())
