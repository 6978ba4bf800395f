"""Every tool on the wire is under review: a change of its surface shows as a changed snapshot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from crm_tools.catalogue import all_tools
from docs.generate import READMES, SNAPSHOTS, generated, snapshots

TOOLS = {tool.name: tool for tool in all_tools()}


@pytest.mark.parametrize("name", TOOLS)
def test_the_tool_on_the_wire_is_the_one_in_its_snapshot(name: str) -> None:
    path = SNAPSHOTS / f"{name}.json"
    assert path.exists(), "no snapshot: run docs/generate.py and review what it wrote"
    assert path.read_text(encoding="utf-8") == snapshots()[path.name], "run docs/generate.py and review"


def test_no_snapshot_outlives_its_tool() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == set(TOOLS)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_each_readme_says_what_the_code_does(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    assert ":begin -->" in text
    assert generated(text) == text, "run docs/generate.py"


def every_schema(value: Any) -> list[dict[str, Any]]:
    """Each subschema of a schema, itself included."""
    found = [value]
    for part in value.get("properties", {}).values():
        found += every_schema(part)
    for part in value.get("anyOf", []):
        found += every_schema(part)
    if "items" in value:
        found += every_schema(value["items"])
    return found


@pytest.mark.parametrize("name", TOOLS)
def test_schemas_are_portable_across_strict_clients(name: str) -> None:
    tool = TOOLS[name]
    assert re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name)
    assert tool.input_schema["type"] == "object"
    assert tool.input_schema["additionalProperties"] is False
    assert not {"anyOf", "oneOf", "allOf"} & tool.input_schema.keys()
    for schema in every_schema(tool.input_schema):
        assert isinstance(schema.get("type"), str) or "anyOf" in schema
        assert schema.get("type") != "array" or "items" in schema
        assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", key) for key in schema.get("properties", {}))


@pytest.mark.parametrize("name", TOOLS)
def test_required_arguments_exist_and_the_description_is_short(name: str) -> None:
    tool = TOOLS[name]
    assert set(tool.input_schema.get("required", ())) <= set(tool.input_schema["properties"])
    assert 0 < len(tool.description) < 2_000
    assert json.dumps(tool.input_schema)
