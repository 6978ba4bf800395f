"""A scripted conversation: what a person asks, the calls a model makes, what the CRM holds afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from mcp import Client

from crm_sandbox import create_app
from docs.generate import tokens_of
from tests.interaction.connecting import Era, Human, memory_client

TODAY = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PEOPLE = ("sales", "insight", "admin", "bulk", "changes", "compact")
BARE = ("spec",)
Call = tuple[str, Mapping[str, Any]]
_REFERENCE = re.compile(r"\$(\d+)((?:\.\w+|\[\d+\])+)")


@dataclass(frozen=True, slots=True)
class Holds:
    """What the CRM holds: of the rows of ``path`` (an entity set with a filter) ``count`` have ``values``."""

    path: str
    values: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1


@dataclass(frozen=True, slots=True)
class Conversation:
    """``calls`` are made with names only. ``bare`` is how the twenty tools of the API description do it.

    ``$0.records[0].accountid`` stands for what the first answer said. ``says`` must be in the last answer.
    Where ``bare`` is empty the twenty tools cannot do it.
    """

    asks: str
    calls: Sequence[Call]
    says: Sequence[str] = ()
    then: Sequence[Holds] = ()
    bare: Sequence[Call] = ()
    fails: bool = False
    """Whether the last call is answered with an error that says what to do next."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a conversation took."""

    calls: int
    tokens: int
    last: str
    failed: bool
    held: Sequence[int]


async def held(
    conversation: Conversation, calls: Sequence[Call], toolsets: tuple[str, ...], era: Era
) -> Outcome:
    """Hold a conversation on a CRM of its own, with a human who agrees to everything."""
    crm = create_app(now=lambda: TODAY)
    human = Human("accept")
    tokens, answers, texts, failed = 0, [], [], False
    try:
        async with memory_client(
            sandbox=crm, era=era, human=human, now=lambda: TODAY, toolsets=toolsets
        ) as client:
            for name, arguments in calls:
                given = _filled(arguments, answers)
                text, content, failed = await _answer(client, name, given)
                tokens += tokens_of(json.dumps(given, ensure_ascii=False)) + tokens_of(text)
                texts.append(text)
                answers.append(content)
        counts = [await _count(crm, item) for item in conversation.then]
    finally:
        crm.close()
    return Outcome(len(calls), tokens, texts[-1], failed, counts)


async def _answer(client: Client, name: str, arguments: Mapping[str, Any]) -> tuple[str, Any, bool]:
    result = await client.call_tool(name, dict(arguments))
    text = "".join(getattr(part, "text", "") for part in result.content)
    return text, result.structured_content, bool(result.is_error)


def _filled(value: Any, answers: Sequence[Any]) -> Any:
    """The arguments with what earlier answers said in place of references."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: str(_looked_up(match, answers)), value)
    if isinstance(value, Mapping):
        return {name: _filled(item, answers) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, answers) for item in value]
    return value


def _looked_up(match: re.Match[str], answers: Sequence[Any]) -> Any:
    found = answers[int(match[1])]
    for step in re.findall(r"\.(\w+)|\[(\d+)\]", match[2]):
        found = found[step[0]] if step[0] else found[int(step[1])]
    return found


async def _count(crm: Any, item: Holds) -> int:
    transport = httpx.ASGITransport(app=crm)
    async with httpx.AsyncClient(transport=transport, base_url="https://sandbox.invalid") as http:
        answer = await http.get(f"/api/data/v9.2/{item.path}")
    assert answer.status_code == 200, answer.text
    rows = answer.json()["value"]
    return sum(all(row.get(name) == value for name, value in item.values.items()) for row in rows)
