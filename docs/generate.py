"""Writes README's generated tables between their markers: ``uv run python docs/generate.py``.

The test suite fails when README and the code disagree.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from crm_server.settings import SETTINGS
from crm_tools.catalogue import catalogue

README = Path(__file__).parent.parent / "README.md"


def settings_table() -> str:
    """Every setting."""
    rows = [f"| `{item.variable}` | {item.meaning} | {item.example} |" for item in SETTINGS]
    return "\n".join(["| setting | meaning | example |", "|---|---|---|", *rows])


def tools_table() -> str:
    """Every tool with its operation and effect."""
    rows = [
        f"| `{tool.name}` | {tool.title} | `{tool.operation.method} {tool.operation.path}` | {tool.action.value} |"
        for tool in catalogue()
    ]
    return "\n".join(["| tool | does | request | effect |", "|---|---|---|---|", *rows])


TABLES: dict[str, Callable[[], str]] = {"settings": settings_table, "tools": tools_table}


def generated(text: str) -> str:
    """The text with every table written anew."""
    for name, table in TABLES.items():
        pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
        text = re.sub(
            pattern, lambda match, table=table: f"{match[1]}{table()}\n{match[2]}", text, flags=re.S
        )
    return text


if __name__ == "__main__":
    README.write_text(generated(README.read_text(encoding="utf-8")), encoding="utf-8")
