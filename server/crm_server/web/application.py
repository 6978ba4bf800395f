"""The web application: what a request passes on its way to the protocol.

::

    /healthz /readyz   anybody; not checked for Host, because probes call an address
    /metrics           the same, where it is switched on
    everything else    Host and Origin ─> CORS ─> route
    /.well-known/...   anybody
    /approvals         people with a browser, who sign in to the page itself
    /mcp, /sse, ...    token ─> whole message ─> scope ─> turn ─> protocol
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from crm_server.authorization.guard import Authenticated, Needs, Scoped
from crm_server.authorization.resource import Resource
from crm_server.authorization.tokens import Tokens
from crm_server.web.health import Health
from crm_server.web.messages import WholeMessages
from crm_server.web.turns import Bounds, Load, Turns

if TYPE_CHECKING:
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
    for path, endpoint in endpoints.items():
        guarded = _guarded(endpoint, doors, bounds, load, largest)
        routes.append(Mount(path, guarded) if path.endswith("/") else Route(path, guarded))
    if doors.resource is not None:
        routes += [Route(path, _described(doors.resource)) for path in doors.resource.metadata_paths]
    inside: ASGIApp = Starlette(routes=routes)
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
        inside = Starlette(routes=[*(Route(path, page) for path, page in pages.items()), Mount("/", inside)])
    checked = HostAndOriginCheck(inside, doors.hosts, doors.origins)
    watched = [Route("/healthz", health.live), Route("/readyz", health.ready)]
    if metrics is not None:
        watched.append(Route("/metrics", metrics.endpoint(load, health)))
    return Starlette(routes=[*watched, Mount("/", checked)])


def _guarded(endpoint: ASGIApp, doors: Doors, bounds: Bounds, load: Load, largest: int) -> ASGIApp:
    app: ASGIApp = Turns(endpoint, bounds, load)
    if doors.tokens is None or doors.resource is None:
        return WholeMessages(app, largest)
    app = WholeMessages(Scoped(app, doors.needs, doors.resource), largest)
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
    """Refuses every request, to whatever path, that was addressed to another host or sent by another site."""

    def __init__(self, app: ASGIApp, hosts: list[str], origins: list[str]) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(
            TransportSecuritySettings(
                enable_dns_rebinding_protection=True, allowed_hosts=hosts, allowed_origins=origins
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        refusal = await self._security.validate_request(Request(scope, receive))
        await (refusal or self._app)(scope, receive, send)
