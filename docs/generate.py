"""Writes the READMEs' generated tables and the snapshots of the tools: ``uv run python docs/generate.py``.

The test suite fails when they and the code disagree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from crm_sandbox.coverage import markdown_table
from crm_server.protocol import wire_tool
from crm_server.settings import SETTINGS
from crm_tools.catalogue import catalogue

ROOT = Path(__file__).parent.parent
READMES = (ROOT / "README.md", ROOT / "sandbox" / "README.md")
SNAPSHOTS = ROOT / "tests" / "tools" / "snapshots"


def settings_table() -> str:
    """Every setting."""
    rows = [f"| `{item.variable}` | {item.meaning} | {item.example} |" for item in SETTINGS]
    return "\n".join(["| setting | meaning | example |", "|---|---|---|", *rows])


def tools_table() -> str:
    """Every tool with its operation and effect."""
    rows = [
        f"| `{tool.name}` | {tool.title} | `{tool.operation.method} {tool.operation.path}` | {tool.action} |"
        for tool in catalogue()
    ]
    return "\n".join(["| tool | does | request | effect |", "|---|---|---|---|", *rows])


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "tools": tools_table,
    "missing": markdown_table,
}


def generated(text: str) -> str:
    """The text with every table written anew."""
    for name, table in TABLES.items():
        pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
        text = re.sub(
            pattern, lambda match, table=table: f"{match[1]}{table()}\n{match[2]}", text, flags=re.DOTALL
        )
    return text


def snapshots() -> dict[str, str]:
    """File name -> the tool as it stands on the wire."""
    return {
        f"{tool.name}.json": json.dumps(
            wire_tool(tool).model_dump(by_alias=True, mode="json", exclude_none=True), indent=2
        )
        + "\n"
        for tool in catalogue()
    }


if __name__ == "__main__":
    SNAPSHOTS.mkdir(exist_ok=True)
    for old in SNAPSHOTS.glob("*.json"):
        old.unlink()
    for name, text in snapshots().items():
        (SNAPSHOTS / name).write_text(text, encoding="utf-8")
    for readme in READMES:
        readme.write_text(generated(readme.read_text(encoding="utf-8")), encoding="utf-8")
