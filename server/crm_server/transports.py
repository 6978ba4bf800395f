"""The three ways a client reaches the server: stdio, streamable HTTP, and SSE (deprecated by the protocol).

Each ``serve_*`` returns when it has been told to end: by SIGINT or SIGTERM, and for stdio by the end of
stdin. Calls under way get about a second to finish. What will not stop by then - a handler in a blocked
thread - is ended with the process before two seconds have passed.

HTTP and SSE know no callers yet, so they listen on loopback addresses only and check Host and Origin, which
is what keeps a web page in the user's browser from calling them.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request

from crm_server.stdio import GRACE_SECONDS, MAX_MESSAGE_BYTES, stdio_streams

if TYPE_CHECKING:
    import uvicorn
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LAST_RESORT_SECONDS = 1.9
"""How long after the end has begun the process may live."""

OnReady = Callable[[str], None]


class LoopbackRequiredError(ValueError):
    """The address can be reached from other machines."""


TOLD = NotificationOptions(tools_changed=True)
"""What clients are told of: a policy that is read anew may offer other tools."""


class CannotListenError(OSError):
    """The address cannot be listened on."""


class PortInUseError(CannotListenError):
    """Another process listens on the port."""


async def serve_stdio(server: Server[Any]) -> None:
    """Serves one client on stdin and stdout until stdin ends or a signal comes."""
    with _only_error(), _stop_on_signals() as stop:
        async with _last_resort(stop), stdio_streams(stop) as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options(TOLD))


async def serve_http(server: Server[Any], host: str, port: int, on_ready: OnReady) -> None:
    """Serves streamable HTTP at ``/mcp`` until a signal comes.

    ``on_ready`` gets the address once requests are answered; port 0 takes a free port.

    Raises:
        LoopbackRequiredError: ``host`` is not a loopback address.
        PortInUseError: Something listens on the port.
        CannotListenError: The system does not allow it for another reason.
    """
    address = _loopback(host)
    with closing(_listen(address, port)) as listener:
        endpoint = _Endpoint.of(listener)
        app = server.streamable_http_app(
            streamable_http_path="/mcp",
            transport_security=endpoint.security,
            max_request_body_size=MAX_MESSAGE_BYTES,
            host=address,
        )
        with _only_error(), _stop_on_signals() as stop:
            async with _last_resort(stop), server.session_manager.run():
                await _serve_app(
                    app,
                    listener,
                    stop,
                    on_ready=lambda: on_ready(f"{endpoint.url}/mcp"),
                    on_cut_off=lambda: _terminate_sessions(server.session_manager),
                )


async def serve_sse(server: Server[Any], host: str, port: int, on_ready: OnReady) -> None:
    """Serves the SSE transport at ``/sse`` and ``/messages/`` until a signal comes.

    Takes and raises what :func:`serve_http` does. The server's lifespan is entered once, not once for each
    client.
    """
    with closing(_listen(_loopback(host), port)) as listener:
        endpoint = _Endpoint.of(listener)
        with _only_error(), _stop_on_signals() as stop:
            async with _last_resort(stop), server.lifespan(server) as state:
                app = _sse_app(server, state, endpoint.security)
                await _serve_app(app, listener, stop, on_ready=lambda: on_ready(f"{endpoint.url}/sse"))


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """Where the server listens, and which Host and Origin headers lead there."""

    url: str
    security: TransportSecuritySettings

    @staticmethod
    def of(listener: socket.socket) -> _Endpoint:
        address, port = listener.getsockname()[:2]
        bound = f"[{address}]" if ":" in address else address
        names = dict.fromkeys(["127.0.0.1", "localhost", "[::1]", bound])
        # Any port: a forwarded port (ssh -L, docker -p) is another one than the port bound here.
        hosts = [f"{name}:{suffix}" for name in names for suffix in (port, "*")]
        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=hosts,
            allowed_origins=[f"http://{allowed}" for allowed in hosts],
        )
        return _Endpoint(f"http://{bound}:{port}", security)


class _HostAndOriginCheck:
    """Refuses every request, to whatever path, that was addressed to another host or sent by another site."""

    def __init__(self, app: ASGIApp, security: TransportSecuritySettings) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = await self._security.validate_request(Request(scope, receive))
        await (refusal or self._app)(scope, receive, send)


class _Endable:
    """Lets requests run until they are cut off, and then ends their responses as HTTP wants it.

    A stream of events never ends by itself; merely cancelled, it would leave a torn response and an error
    in the log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running: set[anyio.CancelScope] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = complete = False

        async def watched(message: Message) -> None:
            nonlocal started, complete
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        with anyio.CancelScope() as running:
            self._running.add(running)
            try:
                await self._app(scope, receive, watched)
            finally:
                self._running.discard(running)
        if running.cancelled_caught and not complete:
            if not started:
                await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def cut_off(self) -> None:
        for running in self._running:
            running.cancel()


def _sse_app(server: Server[Any], lifespan_state: Any, security: TransportSecuritySettings) -> ASGIApp:
    # Imported here because stdio, the usual transport, needs none of it.
    from mcp.server.runner import serve_dual_era_loop
    from mcp.server.sse import SseServerTransport
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    transport = SseServerTransport("/messages/", security, max_request_body_size=MAX_MESSAGE_BYTES)

    class Events:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async with transport.connect_sse(scope, receive, send) as (read_stream, write_stream):
                await serve_dual_era_loop(
                    server,
                    read_stream,
                    write_stream,
                    lifespan_state=lifespan_state,
                    init_options=server.create_initialization_options(TOLD),
                )

    app = Starlette(
        routes=[
            Route("/sse", Events(), methods=["GET"]),
            Mount("/messages/", transport.handle_post_message),
        ]
    )
    # Checked before the SDK's transport does, which answers a refused GET and then raises as well.
    return _HostAndOriginCheck(app, security)


async def _terminate_sessions(manager: StreamableHTTPSessionManager) -> None:
    """Ends the sessions of the handshake era, and with them the calls that are still under way.

    Left to the manager's own exit, each such call waits a second to write to a stream that nobody reads,
    which is more than the time there is. The manager offers no public way.
    """
    for transport in list(manager._server_instances.values()):
        await transport.terminate()


async def _nothing() -> None:
    """For transports whose calls end with their responses."""


async def _serve_app(
    app: ASGIApp,
    listener: socket.socket,
    stop: anyio.Event,
    *,
    on_ready: Callable[[], None],
    on_cut_off: Callable[[], Awaitable[None]] = _nothing,
) -> None:
    """Runs the application until ``stop``, then gives its requests ``GRACE_SECONDS`` and cuts them off."""
    endable = _Endable(app)
    http_server = _http_server(endable, on_ready)
    ended = anyio.Event()

    async def end_on_stop() -> None:
        try:
            await stop.wait()
        finally:  # Also when the caller is cancelled: uvicorn closes its sockets only if it ends by itself.
            http_server.should_exit = True
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(GRACE_SECONDS):
                    await ended.wait()
                await on_cut_off()
                endable.cut_off()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end_on_stop)
        with anyio.CancelScope(shield=True):
            await http_server.serve(sockets=[listener])
        ended.set()
        tasks.cancel_scope.cancel()


def _http_server(app: ASGIApp, on_ready: Callable[[], None]) -> uvicorn.Server:
    import uvicorn  # Only these transports need it.

    class HttpServer(uvicorn.Server):
        """Leaves signals to the caller, and says when it answers."""

        def capture_signals(self) -> Any:
            return nullcontext()

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready()

    config = uvicorn.Config(
        app,
        lifespan="off",  # Entered by the caller, whose exceptions uvicorn would turn into sys.exit.
        log_config=None,
        access_log=False,
        ws="none",
        proxy_headers=False,  # Any local process could claim another address.
        server_header=False,
        timeout_graceful_shutdown=round(GRACE_SECONDS),
    )
    return HttpServer(config)


def _loopback(host: str) -> str:
    """The loopback address that ``host`` names.

    Raises:
        LoopbackRequiredError: It names another address, or has to be looked up.
    """
    if host.lower() == "localhost":
        return "127.0.0.1"
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return host
    raise LoopbackRequiredError(
        f"Listening on {host!r} is refused until callers can be authenticated: "
        "other machines could use the CRM through it. Bind to 127.0.0.1, ::1 or localhost."
    )


def _listen(address: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise CannotListenError(f"Port {port} does not exist; give one from 0 (any free port) to 65535.")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, port), family=family, backlog=128)
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


@contextmanager
def _stop_on_signals() -> Iterator[anyio.Event]:
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
async def _last_resort(stop: anyio.Event) -> AsyncIterator[None]:
    """Ends the process if the body has not ended in time after ``stop`` was set.

    A thread that is blocked cannot be cancelled, and the event loop would wait for it.
    """
    timer = threading.Timer(LAST_RESORT_SECONDS, os._exit, [0])
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
def _only_error() -> Iterator[None]:
    """Takes a single error out of the groups that task groups put around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None
