"""Clients of both eras, each of one caller, that note what they were told of each of their writes."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

from tests.interaction.connecting import Era
from tests.replicas.deployment import token_of

Told = Literal["done", "refused", "unknown"]
"""``unknown``: the connection broke, and so nothing was told."""
LIMITED = (429, 503)
"""Statuses of calls that were turned away before anything was done."""


@dataclass
class Tally:
    """What all clients were told."""

    created: dict[str, Told] = field(default_factory=dict)
    """By the unique name of the lead."""
    changed: dict[str, Told] = field(default_factory=dict)
    deleted: dict[str, Told] = field(default_factory=dict)
    """By the id of the lead."""
    names: dict[str, str] = field(default_factory=dict)
    """The unique name of each lead, by its id."""
    answers: Counter[str] = field(default_factory=Counter)
    """How often which outcome was told: ``done``, the code of an error, or that the connection broke."""
    broken: list[tuple[float, str]] = field(default_factory=list)
    """When a connection broke before anything was told, and what the client made of it."""
    statuses: Counter[int] = field(default_factory=Counter)
    """HTTP statuses of nginx's answers."""
    asked: int = 0
    """How often a human was asked and agreed."""
    approved_elsewhere: int = 0
    """How often somebody agreed elsewhere, because the client could not ask."""


@dataclass
class Worker:
    """One client of one caller."""

    name: str
    caller: str
    era: Era
    client: Client
    tally: Tally
    turned_away: list[int]
    """Statuses of its calls that were turned away, as far as it has not tried them again."""

    async def create(self, number: int) -> str | None:
        """Create a lead with a name that no other has; its id, if it is told."""
        name = f"{self.name}-{number}"
        told, content = await self.call("create_lead", lastname=name, subject="Pens")
        self.tally.created[name] = told
        if told != "done":
            return None
        key = str(content["record"]["leadid"])
        self.tally.names[key] = name
        return key

    async def change(self, key: str) -> None:
        """Change a lead."""
        self.tally.changed[key], _ = await self.call("update_lead", leadid=key, subject="Pencils")

    async def delete(self, key: str) -> str:
        """Delete a lead, which a human has to agree to; the message of a refusal."""
        told, content = await self.call("delete_lead", leadid=key)
        if self.tally.deleted.get(key) != "done":
            self.tally.deleted[key] = told
        return str(content.get("error", {}).get("message", ""))

    async def read(self) -> None:
        """Read a few leads."""
        await self.call("list_leads", top=3, select=["lastname"])

    async def call(self, tool: str, **arguments: Any) -> tuple[Told, dict[str, Any]]:
        """Call a tool. Who is turned away because there is too much to do tries again, as the answer says."""
        while True:
            try:
                result = await self.client.call_tool(tool, arguments)
            except MCPError as error:
                if self.turned_away:
                    self.turned_away.pop()
                    self.tally.answers["turned away"] += 1
                    await anyio.sleep(0.5)
                    continue
                self.tally.answers["broken"] += 1
                self.tally.broken.append((time.monotonic(), error.error.message))
                return "unknown", {}
            content: dict[str, Any] = json.loads(result.content[0].text)  # type: ignore[union-attr]
            if result.is_error:
                self.tally.answers[content["error"]["code"]] += 1
                return "refused", content
            self.tally.answers["done"] += 1
            return "done", content


@asynccontextmanager
async def worker(address: str, name: str, caller: str, era: Era, tally: Tally) -> AsyncIterator[Worker]:
    """A connected client."""
    turned_away: list[int] = []

    async def agree(_context: Any, _params: Any) -> ElicitResult:
        tally.asked += 1
        return ElicitResult(action="accept")

    async def note(response: httpx2.Response) -> None:
        tally.statuses[response.status_code] += 1
        if response.status_code in LIMITED:
            turned_away.append(response.status_code)

    http = httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {token_of(caller)}"},
        event_hooks={"response": [note]},
        timeout=httpx2.Timeout(60),
    )
    async with (
        http,
        Client(
            streamable_http_client(address, http_client=http),
            mode=era,
            elicitation_callback=agree if era == "auto" else None,
        ) as client,
    ):
        yield Worker(name, caller, era, client, tally, turned_away)
