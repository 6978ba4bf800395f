"""Whatever a model puts into an argument, the answer is a result or an error that says what to change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crm_tools.catalogue import Tool, catalogue
from tests.interaction.connecting import Human, memory_client

pytestmark = pytest.mark.anyio

KEY = "0a1b2c3d-0000-4000-8000-0123456789ab"
ODD: list[Any] = [
    None, "", "x" * 20_000, "\ud800", "\x00", 0, -1, 10**30, 1.5, float("inf"), True, [], {}, [None],
    ["name", "name"], "2026-02-30", "9999-12-31", 'W/""', "*", KEY.upper(), f"{{{KEY}}}", "1 or 1 eq 1", "名",
]  # fmt: skip
OURS = {
    "invalid_input",
    "unknown_name",
    "unknown_record",
    "ambiguous_name",
    "invalid_filter",
    "not_found",
    "conflict",
}


@pytest.mark.parametrize("tool", catalogue(), ids=lambda tool: tool.name)
async def test_odd_values_never_become_an_unexpected_error(tool: Tool) -> None:
    required = tool.input_schema.get("required", ())
    usual = {name: KEY if name == tool.table.key else "x" for name in required}
    answers = 0
    async with memory_client("full-access", human=Human("accept")) as client:
        for name in tool.input_schema["properties"]:
            for value in ODD:
                result = await client.call_tool(tool.name, {**usual, name: value})
                answer = json.loads(result.content[0].text)
                if result.is_error:
                    assert answer["error"]["code"] in OURS, (name, value, answer)
                answers += 1
    assert answers == len(ODD) * len(tool.input_schema["properties"])
