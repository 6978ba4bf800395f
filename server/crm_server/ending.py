"""How a server ends: told by a signal, in its time, and whatever will not stop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import anyio

LAST_RESORT_SECONDS = 0.9
"""How much longer than calls under way are given the process may live."""


class CannotServeError(Exception):
    """The server cannot be served as it was asked for. The message says what to change."""


@contextmanager
def stop_on_signals() -> Iterator[anyio.Event]:
    """An event that SIGINT and SIGTERM set."""
    stop = anyio.Event()
    loop = asyncio.get_running_loop()
    watched: list[signal.Signals] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no such handlers, and only the main thread may set them; then signals do what they do.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)
            watched.append(number)
    try:
        yield stop
    finally:
        for number in watched:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def last_resort(stop: anyio.Event, grace_seconds: float) -> AsyncIterator[None]:
    """Ends the process if the body has not ended in time after ``stop`` was set.

    A thread that is blocked cannot be cancelled, and the event loop would wait for it.
    """
    timer = threading.Timer(grace_seconds + LAST_RESORT_SECONDS, os._exit, [0])
    timer.daemon = True

    async def start_timer_on_stop() -> None:
        await stop.wait()
        timer.start()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(start_timer_on_stop)
        try:
            yield
        finally:
            timer.cancel()
            tasks.cancel_scope.cancel()


@contextmanager
def only_error() -> Iterator[None]:
    """Takes a single error out of the groups that task groups put around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None
