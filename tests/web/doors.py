"""The web application around an endpoint of a test, for callers Ann and Bob of a lab, without a protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import httpx

from crm_server.authorization.resource import Resource
from crm_server.authorization.rules import READ
from crm_server.sign_in.callers import Caller
from crm_server.web.application import Doors, web_application
from crm_server.web.health import Health
from crm_server.web.turns import Bounds, Load

PUBLIC = "https://crm.example"
HOSTS = ["crm.example", "crm.example:*", "[::1]:*"]
LARGEST = 1000


class ByName:
    """Each caller's token is the caller's name."""

    async def caller_of(self, token: str) -> Caller:
        return Caller(token, client="test", issuer="test", scopes=frozenset({READ}))


class Endpoint:
    """Answers with how long the body was, once it is let."""

    def __init__(self) -> None:
        self.open = anyio.Event()
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive() if scope["method"] == "POST" else {"body": b""}
        self.bodies.append(message["body"])
        await self.open.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(message["body"])).encode()})


def application(endpoint: Any, bounds: Bounds | None = None, health: Health | None = None) -> Any:
    doors = Doors(
        HOSTS, [PUBLIC, "http://localhost:*"], (), ByName(), Resource(f"{PUBLIC}/mcp"), lambda _: READ
    )
    return web_application(
        {"/mcp": endpoint}, doors, health or Health({}), bounds or Bounds(), Load(), LARGEST
    )


def client(app: Any, caller: str = "ann") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {caller}", "Content-Type": "application/json"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=PUBLIC, headers=headers)


_OF_ANN = ((b"authorization", b"Bearer ann"), (b"content-type", b"application/json"))
Sent = Callable[[], Awaitable[Mapping[str, Any]]]


async def asgi(
    app: Any, parts: Sent, method: str = "POST", headers: list[tuple[bytes, bytes]] | None = None
) -> int | None:
    """Give a request to the application as a server does; its status, or None where nothing was answered."""
    found: list[int] = []

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    scope = {
        "type": "http",
        "method": method,
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "root_path": "",
        "headers": [*([(b"host", b"crm.example")] if headers is None else headers), *_OF_ANN],
    }
    await app(scope, parts, send)
    return found[0] if found else None
