"""A distance between a client and the CRM on loopback: every byte arrives a while after it was sent.

Bandwidth is not limited and order is kept, as on a long clean line. The proxy is a process of its own, so
that its work is not counted as the client's.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

ROUND_TRIP_SECONDS = 0.05
_CHUNK = 256 * 1024


@contextmanager
def distance(port: int, round_trip: float = ROUND_TRIP_SECONDS) -> Iterator[int]:
    """A port behind which the loopback port ``port`` is ``round_trip`` seconds away."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(port, round_trip, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(port: int, round_trip: float, announce: Connection) -> None:
    asyncio.run(_relay(port, round_trip / 2, announce))


async def _relay(port: int, delay: float, announce: Connection) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * delay)  # the handshake of TCP, which loopback answered at once
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        for one in (writer, far_writer):
            one.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(_forward(reader, far_writer, delay), _forward(far_reader, writer, delay))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    announce.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Hand on what is read, each piece ``delay`` seconds later."""
    clock = asyncio.get_running_loop().time
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, piece = await under_way.get()
            await asyncio.sleep(due - clock())
            if not piece:
                break
            writer.write(piece)
            await writer.drain()

    delivery = asyncio.create_task(deliver())
    try:
        while piece := await reader.read(_CHUNK):
            under_way.put_nowait((clock() + delay, piece))
        under_way.put_nowait((clock() + delay, b""))
        await delivery
        writer.close()
    except OSError:
        delivery.cancel()
        writer.close()
