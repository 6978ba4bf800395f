"""The three ways a client reaches the server: stdio, streamable HTTP, and SSE (deprecated by the protocol).

Each ``serve_*`` returns when it has been told to end: by SIGINT or SIGTERM, and for stdio by the end of
stdin. Calls under way get their time to finish, about a second unless a server for a team is given more. What
will not stop by then - a handler in a blocked thread - is ended with the process soon after.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp.server.lowlevel import NotificationOptions, Server

from crm_server.ending import last_resort, only_error, stop_on_signals
from crm_server.stdio import GRACE_SECONDS, stdio_streams

if TYPE_CHECKING:
    from crm_server.web.options import Team, WebOptions
    from crm_server.web.serving import OnReady

TOLD = NotificationOptions(tools_changed=True)
"""What clients are told of: a policy that is read anew may offer other tools."""


async def serve_stdio(server: Server[Any]) -> None:
    """Serves one client on stdin and stdout until stdin ends or a signal comes."""
    with only_error(), stop_on_signals() as stop:
        async with last_resort(stop, GRACE_SECONDS), stdio_streams(stop) as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options(TOLD))


async def serve_http(
    server: Server[Any], options: WebOptions, on_ready: OnReady, team: Team | None = None
) -> None:
    """Serves streamable HTTP at ``/mcp`` until a signal comes; see :mod:`crm_server.web.serving`."""
    from crm_server.web.serving import serve_web

    await serve_web(server, options, on_ready, TOLD, team)


async def serve_sse(
    server: Server[Any], options: WebOptions, on_ready: OnReady, team: Team | None = None
) -> None:
    """Serves the SSE transport at ``/sse`` and ``/messages/`` until a signal comes, as :func:`serve_http`.

    The server's lifespan is entered once, not once for each client.
    """
    from crm_server.web.serving import serve_web

    await serve_web(server, replace(options, sse=True), on_ready, TOLD, team)
