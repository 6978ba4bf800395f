"""Serves the protocol over HTTP: streamable HTTP at ``/mcp``, or the older SSE at ``/sse``."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.transport_security import TransportSecuritySettings

from crm_server.authorization.resource import refuse
from crm_server.ending import CannotServeError, last_resort, only_error, stop_on_signals
from crm_server.stdio import MAX_MESSAGE_BYTES
from crm_server.web.application import Doors, web_application
from crm_server.web.health import Health
from crm_server.web.listening import listen, serve_app
from crm_server.web.options import Team, WebOptions, allowed_hosts, allowed_origins, loopback
from crm_server.web.turns import Load

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

OnReady = Callable[[str], None]
Endpoints = dict[str, "ASGIApp"]
# Host and Origin are checked before the transport sees a request.
_CHECKED = TransportSecuritySettings(enable_dns_rebinding_protection=False)


class LoopbackRequiredError(CannotServeError):
    """The address can be reached from other machines."""


async def serve_web(
    server: Server[Any], options: WebOptions, on_ready: OnReady, told: NotificationOptions, team: Team | None
) -> None:
    """Serve until a signal comes.

    ``on_ready`` gets the address once requests are answered. Without a ``team`` nobody is told apart, which
    is for this machine only.

    Raises:
        LoopbackRequiredError: The address can be reached from other machines, and callers are not told apart.
        PortInUseError: Something listens on the port.
        CannotListenError: The system does not allow it for another reason.
    """
    address = _address(options, team)
    with closing(listen(address, options.port)) as listener, only_error(), stop_on_signals() as stop:
        async with (
            last_resort(stop, options.drain_seconds),
            _endpoints(server, options, told) as (endpoints, cut_off),
        ):
            health = Health({} if team is None else team.checks)
            await serve_app(
                _application(endpoints, options, listener, health, team),
                listener,
                stop,
                options.drain_seconds,
                streams_carry_calls=options.sse,
                on_ready=lambda: on_ready(_url(listener) + options.path),
                on_stop=health.drain,
                on_cut_off=cut_off,
            )


def _address(options: WebOptions, team: Team | None) -> str:
    """The address to listen on.

    Raises:
        LoopbackRequiredError: Other machines could use the CRM through it, whoever they are.
    """
    if (address := loopback(options.host)) is not None:
        return address
    if team is None:
        raise LoopbackRequiredError(
            f"Listening on {options.host!r} is refused while callers are not told apart: other machines "
            "could use the CRM through it. Set DYNAMICS_CALLERS_ISSUER (or DYNAMICS_CALLERS_FILE for a lab) "
            "and DYNAMICS_PUBLIC_URL, or bind to 127.0.0.1, ::1 or localhost."
        )
    return options.host


def _application(
    endpoints: Endpoints, options: WebOptions, listener: socket.socket, health: Health, team: Team | None
) -> ASGIApp:
    address, port = listener.getsockname()[:2]
    hosts = allowed_hosts(options, _bracketed(address), port)
    doors = Doors(
        hosts,
        allowed_origins(options, hosts),
        options.origins,
        *(() if team is None else (team.tokens, team.resource, team.needs)),
    )
    pages = {} if team is None else team.pages
    return web_application(
        endpoints, doors, health, options.bounds, Load(), MAX_MESSAGE_BYTES, options.metrics, pages
    )


def _url(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    return f"http://{_bracketed(address)}:{port}"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@asynccontextmanager
async def _endpoints(
    server: Server[Any], options: WebOptions, told: NotificationOptions
) -> AsyncIterator[tuple[Endpoints, Callable[[], Awaitable[None]]]]:
    """What answers the protocol's requests, by path, and what ends calls that are under way."""
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from crm_server.web.sessions import Sessions, terminate_sessions

    if options.sse:
        async with server.lifespan(server) as state:
            yield _sse_endpoints(server, state, told), _nothing
        return
    manager = StreamableHTTPSessionManager(
        server,
        stateless=options.stateless,
        security_settings=_CHECKED,
        max_request_body_size=MAX_MESSAGE_BYTES,
    )
    async with manager.run():
        yield {"/mcp": Sessions(manager)}, lambda: terminate_sessions(manager)


async def _nothing() -> None:
    """For transports whose calls end with their responses."""


def _sse_endpoints(server: Server[Any], lifespan_state: Any, told: NotificationOptions) -> Endpoints:
    from mcp.server.runner import serve_dual_era_loop
    from mcp.server.sse import SseServerTransport

    transport = SseServerTransport("/messages/", _CHECKED, max_request_body_size=MAX_MESSAGE_BYTES)

    class Events:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] != "GET":
                await refuse(send, 405, "not_allowed", "Events are asked for by GET.", [("allow", "GET")])
                return
            async with transport.connect_sse(scope, receive, send) as (read_stream, write_stream):
                await serve_dual_era_loop(
                    server,
                    read_stream,
                    write_stream,
                    lifespan_state=lifespan_state,
                    init_options=server.create_initialization_options(told),
                )

    return {"/sse": Events(), "/messages/": transport.handle_post_message}
