"""Reads the policy anew when the process is sent SIGHUP."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def reloaded_on_hangup(reload: Callable[[], Awaitable[str | None]]) -> Iterator[None]:
    """Call ``reload`` at each SIGHUP. Windows has no such signal; there the server is started anew."""
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        yield
        return
    loop = asyncio.get_running_loop()
    # A task that nobody holds may vanish before it ends.
    running: set[asyncio.Task[str | None]] = set()

    def begin() -> None:
        task = asyncio.ensure_future(_awaited(reload))
        running.add(task)
        task.add_done_callback(running.discard)

    # Only the main thread may watch signals.
    with suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(number, begin)
    try:
        yield
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(number)


async def _awaited(reload: Callable[[], Awaitable[str | None]]) -> str | None:
    return await reload()
