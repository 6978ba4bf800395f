"""Clients of both eras, each of one caller, that note what they were told of each of their calls."""

from __future__ import annotations

import json
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ElicitResult, InputRequiredResult

from tests.interaction.connecting import Era
from tests.replicas.deployment import token_of

Told = Literal["done", "refused", "unknown"]
"""``unknown``: the connection broke, and so nothing was told."""
PLAN = re.compile(r"It waits as plan (\w+)")
BROKEN = "broken"


@dataclass
class Tally:
    """What all clients were told."""

    created: dict[str, Told] = field(default_factory=dict)
    """By the unique name of the lead."""
    changed: dict[str, Told] = field(default_factory=dict)
    deleted: dict[str, list[Told]] = field(default_factory=dict)
    """By the id of the lead: it may be tried several times."""
    names: dict[str, str] = field(default_factory=dict)
    """The unique name of each lead, by its id."""
    answers: Counter[str] = field(default_factory=Counter)
    """How often which outcome was told: ``done``, the code of an error, or that the connection broke."""
    messages: set[str] = field(default_factory=set)
    """What was said of errors and of connections that broke."""
    statuses: Counter[int] = field(default_factory=Counter)
    """HTTP statuses."""
    asked: int = 0
    """How often a human was asked and agreed."""
    plans: set[str] = field(default_factory=set)
    """The plans that clients who cannot ask were told of."""
    approved: set[str] = field(default_factory=set)
    """Those of them that somebody approved elsewhere."""

    _news: anyio.Event = field(default_factory=anyio.Event)

    def note(self, outcome: str, message: str = "") -> None:
        """Note the outcome of a call."""
        self.answers[outcome] += 1
        if message:
            self.messages.add(message)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Until it has come to that, which is looked at after each call."""
        with anyio.fail_after(120):
            while not reached():
                await self._news.wait()

    async def until_more(self, calls: int) -> None:
        """Until so many more calls were done."""
        wanted = self.answers["done"] + calls
        await self.until(lambda: self.answers["done"] >= wanted)

    @property
    def answered(self) -> int:
        """How many calls had an answer."""
        return sum(self.answers.values()) - self.answers[BROKEN]


@dataclass
class Worker:
    """One client of one caller."""

    name: str
    caller: str
    era: Era
    client: Client
    tally: Tally

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

    async def delete(self, key: str) -> str | None:
        """Delete a lead, which a human has to agree to; the plan that waits, where the client cannot ask."""
        told, content = await self.call("delete_lead", leadid=key)
        self.tally.deleted.setdefault(key, []).append(told)
        waits = PLAN.search(str(content.get("error", {}).get("message", "")))
        if waits is None:
            return None
        self.tally.plans.add(waits[1])
        return waits[1]

    async def ask_to_delete(self, key: str) -> str:
        """The question whether to delete a lead, as the newer era has it: it goes back with the answer."""
        answer = await self.client.session.call_tool(
            "delete_lead", {"leadid": key}, allow_input_required=True
        )
        assert isinstance(answer, InputRequiredResult)
        assert answer.request_state is not None
        return answer.request_state

    async def agree_to_delete(self, key: str, question: str) -> None:
        """Answer such a question, which may have come from elsewhere."""
        answer = {"approval": ElicitResult(action="accept")}
        told, _ = await self._told(
            self.client.call_tool(
                "delete_lead", {"leadid": key}, input_responses=answer, request_state=question
            )
        )
        self.tally.deleted.setdefault(key, []).append(told)

    async def read(self) -> str | None:
        """Read a page of leads; the cursor behind it."""
        _, content = await self.call("list_leads", top=2, select=["lastname"])
        return content.get("cursor")

    async def read_on(self, cursor: str) -> str | None:
        """Read the page that a cursor leads to; the one behind it."""
        _, content = await self.call("list_leads", cursor=cursor)
        return content.get("cursor")

    async def call(self, tool: str, **arguments: Any) -> tuple[Told, dict[str, Any]]:
        """Call a tool: what was told, and the content of the answer."""
        return await self._told(self.client.call_tool(tool, arguments))

    async def _told(self, call: Awaitable[CallToolResult]) -> tuple[Told, dict[str, Any]]:
        try:
            result = await call
        except MCPError as error:
            self.tally.note(BROKEN, error.error.message)
            return "unknown", {}
        content: dict[str, Any] = json.loads(result.content[0].text)  # type: ignore[union-attr]
        if result.is_error:
            self.tally.note(content["error"]["code"], content["error"]["message"])
            return "refused", content
        self.tally.note("done")
        return "done", content


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: nothing here is encrypted, and each client would read all of the system's."""
    return ssl.create_default_context()


@asynccontextmanager
async def worker(
    address: str,
    name: str,
    caller: str,
    era: Era,
    tally: Tally,
    hear: Callable[[Any], Awaitable[None]] | None = None,
) -> AsyncIterator[Worker]:
    """A connected client. Its human, whom only the newer era can ask, always agrees.

    ``hear`` is called with what the server says unasked.
    """

    async def agree(_context: Any, _params: Any) -> ElicitResult:
        tally.asked += 1
        return ElicitResult(action="accept")

    async def note(response: httpx2.Response) -> None:
        tally.statuses[response.status_code] += 1

    http = httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {token_of(caller)}"},
        event_hooks={"response": [note]},
        timeout=httpx2.Timeout(180),
        verify=_certificates(),
    )
    async with (
        http,
        Client(
            streamable_http_client(address, http_client=http),
            mode=era,
            message_handler=hear,
            elicitation_callback=agree if era == "auto" else None,
        ) as client,
    ):
        yield Worker(name, caller, era, client, tally)
