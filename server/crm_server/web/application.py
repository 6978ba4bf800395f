"""The web application: what a request passes on its way to the protocol.

::

    /healthz /readyz   anybody; not checked for Host, because probes call an address
    /metrics           the same, where it is switched on
    everything else    Host and Origin ─> CORS ─> route
    /.well-known/...   anybody
    /approvals         people with a browser, who sign in to the page itself
    /mcp, /sse, ...    token ─> whole body ─> message ─> scope ─> turn ─> protocol
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from crm_server.authorization.guard import Authenticated, Needs, Scoped
from crm_server.authorization.resource import Resource, refuse
from crm_server.authorization.tokens import Tokens
from crm_server.log import get_logger
from crm_server.web.bodies import Room, WholeBodies
from crm_server.web.health import Health
from crm_server.web.messages import Messages
from crm_server.web.turns import Bounds, Load, Turns

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from crm_server.web.metrics import Metrics

_ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Last-Event-ID",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Protocol-Version",
    "Mcp-Session-Id",
)
_SHOWN_HEADERS = ("Mcp-Session-Id", "WWW-Authenticate", "Retry-After")
_LOGGED = 100
_log = get_logger("http")


@dataclass(frozen=True)
class Doors:
    """Who is let in: the hosts and origins that lead here, and callers by their tokens.

    Without ``tokens`` nobody is told apart, which is for this machine only.
    """

    hosts: list[str]
    origins: list[str]
    cross_origins: tuple[str, ...] = ()
    tokens: Tokens | None = None
    resource: Resource | None = None
    needs: Needs = field(default=lambda _scope: "")


def web_application(
    endpoints: dict[str, ASGIApp],
    doors: Doors,
    health: Health,
    bounds: Bounds,
    load: Load,
    largest: int,
    metrics: Metrics | None = None,
    pages: Mapping[str, ASGIApp] | None = None,
) -> ASGIApp:
    """The application. ``endpoints`` answer the protocol's requests, by path; one that ends in / is a tree.

    ``largest`` is how many bytes a message may have. ``pages`` sign people in themselves, and no other site
    reads them.
    """
    routes: list[Route | Mount] = []
    room = Room(of_caller=2 * largest, in_all=16 * largest)
    for path, endpoint in endpoints.items():
        guarded = _guarded(endpoint, doors, bounds, load, largest, room)
        tree = path.endswith("/")
        routes += [Mount(path, guarded)] if tree else [Route(path, guarded), Route(f"{path}/", guarded)]
    if doors.resource is not None:
        routes += [Route(path, _described(doors.resource)) for path in doors.resource.metadata_paths]
    inside: ASGIApp = _routed(routes)
    if doors.cross_origins:
        inside = CORSMiddleware(
            inside,
            allow_origins=doors.cross_origins,
            allow_methods=("GET", "POST", "DELETE", "OPTIONS"),
            allow_headers=_ALLOWED_HEADERS,
            expose_headers=_SHOWN_HEADERS,
            max_age=600,
        )
    if pages:
        inside = _routed([*(Route(path, page) for path, page in pages.items()), Mount("/", inside)])
    checked = HostAndOriginCheck(inside, doors.hosts, doors.origins)
    watched = [Route("/healthz", health.live), Route("/readyz", health.ready)]
    if metrics is not None:
        watched.append(Route("/metrics", metrics.endpoint(load, health)))
    return _routed([*watched, Mount("/", checked)])


def _routed(routes: Sequence[Route | Mount]) -> Starlette:
    app = Starlette(routes=routes)
    # It would lead clients, and their tokens, to the address that the process sees: http behind a proxy.
    app.router.redirect_slashes = False
    return app


def _guarded(
    endpoint: ASGIApp, doors: Doors, bounds: Bounds, load: Load, largest: int, room: Room
) -> ASGIApp:
    # The SDK binds the questions that it seals to the user in this context.
    app: ASGIApp = Turns(AuthContextMiddleware(endpoint), bounds, load)
    if doors.tokens is None or doors.resource is None:
        return WholeBodies(Messages(app), largest, room)
    app = WholeBodies(Messages(Scoped(app, doors.needs, doors.resource)), largest, room)
    return Authenticated(app, doors.tokens, doors.resource)


def _described(resource: Resource) -> Any:
    async def describe(_request: Request) -> Response:
        # Clients in web pages read it before they have a token.
        return JSONResponse(
            resource.metadata(),
            headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"},
        )

    return describe


class HostAndOriginCheck:
    """Refuses every request, to whatever path, that was addressed to another host or sent by another site.

    Both go by exact names, of which one that ends in ``:*`` stands for each port.
    """

    def __init__(self, app: ASGIApp, hosts: list[str], origins: list[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
        if len(hosts) > 1 or not all(_HOST.fullmatch(host) for host in hosts):
            # RFC 9112, section 3.2: who looks at the first and who looks at the last would differ.
            await _turn_away(send, 400, "invalid_host", hosts)
        elif not all(_is_among(host.lower(), self._hosts) for host in hosts or [""]):
            await _turn_away(send, 421, "another_host", hosts)
        elif not all(_is_among(origin, self._origins) for origin in origins):
            await _turn_away(send, 403, "another_origin", origins)
        else:
            await self._app(scope, receive, send)


_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,255})(:[0-9]{1,5})?")
_TOLD = {
    "invalid_host": "The request has no valid Host header.",
    "another_host": "The request is for another host.",
    "another_origin": "Pages of this origin may not call.",
}


def _headers(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _is_among(value: str, allowed: frozenset[str]) -> bool:
    name, _, port = value.rpartition(":")
    return value in allowed or (port.isdecimal() and f"{name}:*" in allowed)


async def _turn_away(send: Send, status: int, code: str, given: list[str]) -> None:
    _log.warning("request_refused", reason=code, given=[value[:_LOGGED] for value in given[:2]])
    await refuse(send, status, code, _TOLD[code])
