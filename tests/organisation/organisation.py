"""An organisation with tables and columns of its own, and clients of a server that was told of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from mcp import Client

from crm_sandbox import create_app
from crm_server.app import Application, build_application, learn_first
from crm_server.protocol import build_server
from crm_server.settings import Settings
from tests.interaction.connecting import Era, Human
from tests.sandbox.conftest import Crm
from tests.sandbox.metadata_bodies import CAST, label

PROJECTS = Path(__file__).parents[1] / "sandbox" / "new_project.toml"
NAMED = ("account", "contact", "new_project")
FIVE = (
    "list_new_projects",
    "get_new_project",
    "create_new_project",
    "update_new_project",
    "delete_new_project",
)
ACCOUNT = "EntityDefinitions(LogicalName='account')"
PROJECT = "EntityDefinitions(LogicalName='new_project')"


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def passes(self, **time: int) -> None:
        self.moment += timedelta(**time)


class Organisation:
    """The sandbox behind a door that counts who asks for metadata, and may keep it shut.

    ``refusing`` is the status that requests of metadata are answered with: 403 for a user without the
    privilege, 500 for a service that does not work. ``told`` replaces parts of what metadata says by texts
    that are no longer.
    """

    def __init__(self, tables: tuple[Path, ...] = (PROJECTS,)) -> None:
        self.app = create_app(tables=tables, accounts=20)
        self.metadata_trips = 0
        self.refusing: int | None = None
        self.told: dict[bytes, bytes] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await _whole(receive)
        if b"EntityDefinitions" in body or b"EntityDefinitions" in scope.get("raw_path", b""):
            self.metadata_trips += 1
            if self.refusing is not None:
                await _refuse(body, self.refusing, scope, send)
                return
        await self.app(scope, _once(body), self._retold(send))

    def _retold(self, send: Any) -> Any:
        async def retold(message: dict[str, Any]) -> None:
            if content := message.get("body"):
                for said, instead in self.told.items():
                    content = content.replace(said, instead.ljust(len(said)))
                message = {**message, "body": content}
            await send(message)

        return retold

    @asynccontextmanager
    async def as_administrator(self) -> AsyncIterator[Crm]:
        """Requests to the CRM itself, past the server."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app)) as client:
            yield Crm(client, self.app)

    async def add_column(self, definition: str, kind: str, name: str, **properties: Any) -> None:
        """A column that an administrator adds to the table of this definition."""
        title = properties.pop("label", None)
        labelled = {} if title is None else {"DisplayName": label(title)}
        body = {"@odata.type": f"{CAST}{kind}AttributeMetadata", "SchemaName": name, **labelled, **properties}
        async with self.as_administrator() as crm:
            answer = await crm("POST", f"{definition}/Attributes", body)
        assert answer.status_code == 204, answer.text

    async def rows(self, path: str) -> list[dict[str, Any]]:
        """Rows as the CRM holds them."""
        async with self.as_administrator() as crm:
            return await crm.rows(path)


async def _whole(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


def _once(body: bytes) -> Callable[[], Any]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _refuse(body: bytes, status: int, scope: Any, send: Any) -> None:
    """The refusal of each part of a batch, as Dataverse answers; or of the request itself."""
    error = json.dumps({"error": {"code": "0x80040220", "message": "missing prvReadEntity privilege"}})
    kind = b"application/json"
    if scope["path"].endswith("$batch") and status < 500:
        part = (
            "--r\r\nContent-Type: application/http\r\n\r\n"
            f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\n\r\n{error}\r\n"
        )
        error = part * body.count(b"HTTP/1.1") + "--r--\r\n"
        kind, status = b"multipart/mixed; boundary=r", 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": error.encode()})


@contextmanager
def organisation(*tables: Path) -> Iterator[Organisation]:
    """An organisation with the table of projects, or with these tables."""
    found = Organisation(tables or (PROJECTS,))
    try:
        yield found
    finally:
        found.app.close()


@asynccontextmanager
async def application_for(
    crm: Any, settings: Settings, clock: Clock | None = None
) -> AsyncIterator[Application]:
    """The server's application, started as the command line does: the tables are read first."""
    application = build_application(
        settings,
        asgi_app=crm,
        now=clock or (lambda: datetime.now(UTC)),
        learned=await learn_first(settings, crm),
    )
    try:
        yield application
    finally:
        await application.aclose()


@asynccontextmanager
async def client_of(
    crm: Any,
    *,
    tables: tuple[str, ...] = NAMED,
    era: Era = "auto",
    human: Human | None = None,
    clock: Clock | None = None,
    policy: str = "sales-assistant",
    **settings: Any,
) -> AsyncIterator[Client]:
    """A client of a server that was told of these tables."""
    chosen = Settings(policy=policy, tables=tables, **settings)
    async with (
        application_for(crm, chosen, clock) as application,
        Client(build_server(application), mode=era, elicitation_callback=human) as client,
    ):
        yield client


async def schemas(client: Client) -> dict[str, dict[str, Any]]:
    """The input schemas of the tools on offer, by tool."""
    return {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}


async def done(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a call that succeeds."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    content: dict[str, Any] = result.structured_content or {}
    return content


async def refused(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The error of a call that is refused."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.content
    (content,) = result.content
    error: dict[str, Any] = json.loads(content.text)["error"]  # type: ignore[union-attr]  # it is text
    return error


async def text_of(client: Client, tool: str, **arguments: Any) -> str:
    """The text of a call that succeeds."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return "".join(getattr(part, "text", "") for part in result.content)
