"""A desk with a CRM, a folder of files and a human: what imports and exports are tried at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from mcp import Client

from crm_sandbox import create_app
from tests.interaction.connecting import Era, Human, memory_client

LEADS = """\
Last name,First name,Company name,E-mail,Lead source
Lund,Mia,Fjord Marine,mia@fjord.example,Trade Show
Berg,Ola,Nord Bygg,ola@nord.example,Web
Moen,Eli,Fjord Marine,eli@fjord.example,web
"""


@dataclass
class Desk:
    """``client`` calls the server, ``crm`` is the CRM itself, ``folder`` the folder that tools may use."""

    client: Client
    crm: Any
    folder: Path
    human: Human
    told: list[tuple[float, float | None, str | None]] = field(default_factory=list)

    def file(self, name: str, content: str | bytes) -> None:
        """Put a file into the folder."""
        (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a call that succeeds."""
        result = await self.client.call_tool(tool, arguments, progress_callback=self._progress)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The message of a call that fails."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.structured_content
        text = "".join(getattr(part, "text", "") for part in result.content)
        return str(json.loads(text)["error"]["message"])

    async def rows(self, path: str) -> list[dict[str, Any]]:
        """Rows of the CRM itself, such as of ``leads?$filter=...``."""
        transport = httpx.ASGITransport(app=self.crm)
        async with httpx.AsyncClient(transport=transport, base_url="https://sandbox.invalid") as http:
            answer = await http.get(f"/api/data/v9.2/{path}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["value"]
        return found

    async def _progress(self, done: float, total: float | None, words: str | None) -> None:
        self.told.append((done, total, words))


@asynccontextmanager
async def desk(
    folder: Path,
    policy: str = "sales-assistant",
    *,
    era: Era = "auto",
    human: str = "accept",
    crm: Any = None,
    files: bool = True,
    **settings: Any,
) -> AsyncIterator[Desk]:
    """A desk; ``folder`` is where its files are."""
    sandbox = create_app() if crm is None else crm
    asked = Human(human)  # type: ignore[arg-type]  # one of its three words
    settings.setdefault("toolsets", ("bulk", "compact", "changes"))
    try:
        async with memory_client(
            policy, era=era, human=asked, sandbox=sandbox, files=folder if files else None, **settings
        ) as client:
            yield Desk(client, sandbox, folder, asked)
    finally:
        if crm is None:
            sandbox.close()
