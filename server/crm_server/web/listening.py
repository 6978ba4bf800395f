"""Listens on an address and serves an application there until it is told to end.

The end has an order: new connections are refused, those that have come are answered, streams of events are
ended, calls under way finish, and what has not finished in time is cut off with a response that HTTP takes
for one. So a balancer that tries another replica where it cannot connect loses no call.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import anyio

from crm_server.ending import CannotServeError
from crm_server.web.messages import is_stream

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


FIRST_REQUEST_SECONDS = 1.0
"""How long at the end a connection that has just come may take to say what it wants."""


class CannotListenError(CannotServeError):
    """The address cannot be listened on."""


class PortInUseError(CannotListenError):
    """Another process listens on the port."""


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        PortInUseError: Something listens on the port.
        CannotListenError: The system does not allow it for another reason.
    """
    if not 0 <= port <= 65535:
        raise CannotListenError(f"Port {port} does not exist; give one from 0 (any free port) to 65535.")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, port), family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"Port {port} on {address} is in use; give another port, or 0 for any free one."
            ) from error
        reason = os.strerror(error.errno) if error.errno else "unknown reason"
        raise CannotListenError(f"Cannot listen on {address} port {port}: {reason}.") from error
    # Accepted sockets inherit it. asyncio sets it only on sockets that name their protocol, and without it an
    # answer in two parts waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class Endable:
    """Lets requests run until they are cut off, and then ends their responses as HTTP wants it.

    A stream of events never ends by itself; merely cancelled, it would leave a torn response and an error
    in the log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running: dict[anyio.CancelScope, Scope] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = complete = False

        async def watched(message: Message) -> None:
            nonlocal started, complete
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        with anyio.CancelScope() as running:
            self._running[running] = scope
            try:
                await self._app(scope, receive, watched)
            finally:
                del self._running[running]
        if running.cancelled_caught and not complete:
            if not started:
                await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def end_streams(self) -> None:
        """End what only waits for news."""
        for running, scope in tuple(self._running.items()):
            if is_stream(scope):
                running.cancel()

    def cut_off(self) -> None:
        """End everything."""
        for running in tuple(self._running):
            running.cancel()


async def serve_app(
    app: ASGIApp,
    listener: socket.socket,
    stop: anyio.Event,
    grace_seconds: float,
    *,
    streams_carry_calls: bool,
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
    on_cut_off: Callable[[], Awaitable[None]],
) -> None:
    """Runs the application until ``stop``, then gives its calls ``grace_seconds`` and cuts them off.

    Streams of events end at once, unless the answers of calls come on them.
    """
    endable = Endable(app)
    http_server = _http_server(endable, on_ready, grace_seconds)
    ended = anyio.Event()

    async def end_on_stop() -> None:
        try:
            await stop.wait()
        finally:  # Also when the caller is cancelled: uvicorn closes its sockets only if it ends by itself.
            on_stop()
            http_server.should_exit = True
            with anyio.CancelScope(shield=True):
                if not streams_carry_calls:
                    endable.end_streams()
                with anyio.move_on_after(grace_seconds):
                    await ended.wait()
                await on_cut_off()
                endable.cut_off()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end_on_stop)
        with anyio.CancelScope(shield=True):
            await http_server.serve(sockets=[listener])
        ended.set()
        tasks.cancel_scope.cancel()


def _accepted(listeners: list[socket.socket]) -> list[socket.socket]:
    """The connections that have been made and not been taken."""
    found: list[socket.socket] = []
    for listener in listeners:
        listener.setblocking(False)
        # It ends with an error: nobody is left, or the listener is closed already.
        with suppress(OSError):
            while True:
                found.append(listener.accept()[0])
    return found


def _http_server(app: ASGIApp, on_ready: Callable[[], None], grace_seconds: float) -> uvicorn.Server:
    import uvicorn  # Only these transports need it.

    from crm_server.web.impatience import ImpatientProtocol

    class HttpServer(uvicorn.Server):
        """Leaves signals to the caller, and says when it answers."""

        def capture_signals(self) -> Any:
            return nullcontext()

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Take those who have connected before no more are let in, and give them time to ask.

            The system resets connections that nobody has taken when their listener is closed, and uvicorn
            closes those that have asked nothing yet; behind a balancer each of them is a lost call.
            """
            waiting = _accepted(sockets or [])
            for server in self.servers:
                server.close()
            for listener in sockets or []:
                listener.close()
            loop = asyncio.get_running_loop()
            for connection in waiting:
                await loop.connect_accepted_socket(self._protocol, connection)
            until = loop.time() + min(FIRST_REQUEST_SECONDS, grace_seconds / 2)
            while self._is_about_to_be_asked() and loop.time() < until:  # noqa: ASYNC110 - uvicorn tells nothing
                await asyncio.sleep(0.02)
            await super().shutdown(sockets)

        def _protocol(self) -> ImpatientProtocol:
            return ImpatientProtocol(self.config, self.server_state, self.lifespan.state)

        def _is_about_to_be_asked(self) -> bool:
            connections = self.server_state.connections
            return any(isinstance(one, ImpatientProtocol) and one.cycle is None for one in connections)

    config = uvicorn.Config(
        app,
        http=ImpatientProtocol,
        lifespan="off",  # Entered by the caller, whose exceptions uvicorn would turn into sys.exit.
        log_config=None,
        access_log=False,
        ws="none",
        proxy_headers=False,  # Any process could claim another address.
        server_header=False,
        timeout_graceful_shutdown=max(1, round(grace_seconds)),
    )
    return HttpServer(config)
