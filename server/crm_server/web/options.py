"""How the server is served over HTTP."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crm_server.web.turns import Bounds

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from crm_server.authorization.guard import Needs
    from crm_server.authorization.resource import Resource
    from crm_server.authorization.tokens import Tokens
    from crm_server.web.health import Check
    from crm_server.web.metrics import Metrics

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class WebOptions:
    """``public_url`` is the address by which clients reach the server, such as ``https://crm.contoso.example``.

    None means that it is for this machine only. ``origins`` are the web pages whose scripts may call it.
    ``stateless`` gives each request of the handshake era a session of its own, so any replica answers it.
    ``metrics`` are shown at ``/metrics`` to whoever reaches the process.
    """

    host: str = "127.0.0.1"
    port: int = 8321
    public_url: str | None = None
    origins: tuple[str, ...] = ()
    stateless: bool = False
    sse: bool = False
    metrics: Metrics | None = None
    bounds: Bounds = field(default_factory=Bounds)
    drain_seconds: float = 1.0

    @property
    def path(self) -> str:
        """Where clients call: streamable HTTP, or the older SSE."""
        return "/sse" if self.sse else "/mcp"


@dataclass(frozen=True)
class Team:
    """What it takes to serve callers that are told apart: whom to believe, and what a request needs.

    ``checks`` are what it takes to serve them, by name (:mod:`crm_server.web.health`).
    """

    tokens: Tokens
    resource: Resource
    needs: Needs
    checks: Mapping[str, Check] = field(default_factory=dict)
    pages: Mapping[str, ASGIApp] = field(default_factory=dict)
    """Pages for people with a browser, by path; they find out themselves who looks at them."""


def loopback(host: str) -> str | None:
    """The loopback address that ``host`` names; None where it names another one, or has to be looked up."""
    if host.lower() == "localhost":
        return "127.0.0.1"
    try:
        return host if ipaddress.ip_address(host).is_loopback else None
    except ValueError:
        return None


def allowed_hosts(options: WebOptions, bound: str, port: int) -> list[str]:
    """The Host headers that lead here: of this machine any port, because a forwarded port is another one."""
    names = dict.fromkeys([*LOOPBACK_NAMES, bound])
    hosts = [f"{name}:{suffix}" for name in names for suffix in (port, "*")]
    if options.public_url is not None:
        public = urlsplit(options.public_url)
        hosts += [public.netloc, f"{public.hostname}:*"]
    return hosts


def allowed_origins(options: WebOptions, hosts: list[str]) -> list[str]:
    """The Origin headers of pages that may call: those of the settings, and on this machine its own."""
    if options.public_url is not None:
        public = urlsplit(options.public_url)
        return [f"{public.scheme}://{public.netloc}", *options.origins]
    return [*(f"http://{host}" for host in hosts), *options.origins]
