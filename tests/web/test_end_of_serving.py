"""The end of serving: who has connected by then is answered, and nobody else is let in."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from crm_server.web.listening import listen, serve_app

pytestmark = pytest.mark.anyio
REQUEST = b"POST / HTTP/1.1\r\nHost: crm\r\nContent-Length: 2\r\n\r\n{}"


async def answer(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def nothing() -> None:
    """There is nothing to cut off."""


async def test_who_has_connected_before_the_end_and_asks_then_is_answered() -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    stop, ready, stopping = anyio.Event(), anyio.Event(), anyio.Event()

    async def serve() -> None:
        await serve_app(
            answer,
            listener,
            stop,
            10.0,
            streams_carry_calls=False,
            on_ready=ready.set,
            on_stop=stopping.set,
            on_cut_off=nothing,
        )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await ready.wait()
        early = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(20)]
        stop.set()
        await stopping.wait()
        with anyio.fail_after(5):
            await until_refused(port)
            for client in early:
                await client.send(REQUEST)
            for client in early:
                assert (await client.receive()).startswith(b"HTTP/1.1 200")
                await client.aclose()


async def until_refused(port: int) -> None:
    """Until nobody is let in any more. Who is let in until then says nothing."""
    while True:
        try:
            await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
        except OSError:
            return
