"""Whatever a model puts into an argument, the answer is a result or an error that says what to change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crm_tools.catalogue import Tool, all_tools, catalogue
from crm_tools.own_tools import OwnTool
from crm_tools.toolsets import TOOLSETS
from tests.interaction.connecting import ERAS, Human, memory_client

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


OWN = [tool for tool in all_tools() if isinstance(tool, OwnTool)]
USUAL: dict[str, Any] = {
    "table": "account",
    "record": "Fabrikam, Inc.",
    "to_table": "contact",
    "to": "Emily Edwards",
    "keep": "Fabrikam, Inc.",
    "merge": "Litware, Inc.",
    "about": "Fabrikam, Inc.",
    "type": "call",
    "subject": "x",
    "lead": "Stefanie Schulz",
    "opportunity": "45 consulting days for Northwind Traders",
    "outcome": "won",
    "text": "Fab",
    "values": {"description": "x"},
    "change_id": "abcdefghjk",
}
ODD_INSIDE: list[Any] = [
    [{}], [{"column": "name", "op": "eq", "value": {}}], [{"any": [{}]}], [{"column": "name", "value": [[]]}],
    {"name": {}}, {"": 1}, {"x" * 5_000: 1}, {"name": "\ud800"}, {"description": "x" * 50_000}, [["a"]],
]  # fmt: skip


@pytest.mark.parametrize(("place", "tool"), list(enumerate(OWN)), ids=lambda item: getattr(item, "name", ""))
async def test_odd_values_never_become_an_unexpected_error_in_tools_of_many_tables(
    place: int, tool: OwnTool
) -> None:
    usual = {name: USUAL.get(name, "x") for name in tool.input_schema.get("required", ())}
    properties = tool.input_schema["properties"]
    answers = 0
    async with memory_client(
        "full-access", human=Human("accept"), era=ERAS[place % 2], toolsets=tuple(TOOLSETS)
    ) as client:
        for name in properties:
            for value in (*ODD, *ODD_INSIDE):
                result = await client.call_tool(tool.name, {**usual, name: value})
                if result.is_error:
                    error = json.loads(result.content[0].text)["error"]
                    assert error["code"] in OURS, (name, value, error)
                answers += 1
    assert answers == (len(ODD) + len(ODD_INSIDE)) * len(properties)
