"""Writes the READMEs' generated tables and the snapshots of the tools: ``uv run python docs/generate.py``.

The test suite fails when they and the code disagree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import bpe_openai

from crm_prompts import load_prompts
from crm_sandbox.coverage import markdown_table
from crm_sandbox.operations import registry
from crm_sandbox.queries.operators import OPERATORS
from crm_sandbox.schema.loading import load_schema
from crm_server.policy.reference import cases_table, reference_table
from crm_server.protocol import wire_tool
from crm_server.settings import SETTINGS
from crm_server.sign_in.modes import MODES, variable_of
from crm_tools.catalogue import AnyTool, all_tools, catalogue
from crm_tools.toolsets import DEFAULT, TOOLSETS

ROOT = Path(__file__).parent.parent
READMES = (
    ROOT / "README.md",
    ROOT / "sandbox" / "README.md",
    ROOT / "docs" / "policy.md",
    ROOT / "docs" / "tools.md",
)
SNAPSHOTS = ROOT / "tests" / "tools" / "snapshots"


def settings_table() -> str:
    """Every setting."""
    rows = [f"| `{item.variable}` | {item.meaning} | {item.example} |" for item in SETTINGS]
    return "\n".join(["| setting | meaning | example |", "|---|---|---|", *rows])


def modes_table() -> str:
    """Every way to sign in, with what it needs."""
    rows = [
        f"| `{name}` | {mode.meant_for} | {' '.join(map(_needed, mode.needs))} |"
        for name, mode in MODES.items()
    ]
    return "\n".join(["| `DYNAMICS_AUTH` | for | needs |", "|---|---|---|", *rows])


def _needed(need: str) -> str:
    return " or ".join(f"`{variable_of(name)}`" for name in need.split("|"))


def tools_table() -> str:
    """Every tool with its operation and effect."""
    rows = [
        f"| `{tool.name}` | {tool.title} | `{tool.operation.method} {tool.operation.path}` | {tool.action} |"
        for tool in catalogue()
    ]
    return "\n".join(["| tool | does | request | effect |", "|---|---|---|---|", *rows])


@cache
def _encoding() -> bpe_openai.Encoding:
    return bpe_openai.get_encoding("o200k_base")


def tokens_of(text: str) -> int:
    """How many tokens a text has, by one fixed tokenizer that needs no network; models have their own."""
    return len(_encoding().encode(text))


def tokens_of_tool(tool: AnyTool) -> int:
    """What a host puts before the model of a tool: name, description and input schema, as JSON."""
    shown = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    return tokens_of(json.dumps(shown, ensure_ascii=False, separators=(",", ":")))


def tools_of(*toolsets: str) -> tuple[AnyTool, ...]:
    """The tools of these toolsets."""
    return tuple(tool for tool in all_tools() if not set(toolsets).isdisjoint(tool.toolsets))


def own_tools_table() -> str:
    """Every tool by toolset, with what it costs in a conversation."""
    rows = [
        f"| `{tool.name}` | {', '.join(tool.toolsets)} | {tool.description.partition('. Columns:')[0]} "
        f"| {tokens_of_tool(tool)} |"
        for tool in all_tools()
    ]
    return "\n".join(["| tool | toolsets | what a model reads of it | tokens |", "|---|---|---|---|", *rows])


def toolsets_table() -> str:
    """Every toolset with its tools' cost."""
    rows = [
        f"| `{name}` | {about} | {_yes(name in DEFAULT)} | {_tools_in(name)} | {_tokens_in(name)} |"
        for name, about in TOOLSETS.items()
    ]
    whole = f"{_tools_in(*DEFAULT)} | {_tokens_in(*DEFAULT)}"
    usual = f"| | all that are offered unless others are chosen | | {whole} |"
    return "\n".join(
        ["| toolset | for | offered by default | tools | tokens |", "|---|---|---|---|---|", *rows, usual]
    )


def _yes(holds: bool) -> str:
    return "yes" if holds else ""


def _tools_in(*names: str) -> int:
    return len(tools_of(*names))


def _tokens_in(*names: str) -> int:
    return sum(tokens_of_tool(tool) for tool in tools_of(*names))


def sandbox_tables() -> str:
    """The tables that the sandbox has."""
    rows = []
    for name, table in sorted(load_schema().tables.items()):
        note = "read only" if table.is_read_only else ""
        rows.append(f"| `{name}` | `{table.entity_set}` | {len(table.columns)} | {note} |")
    return "\n".join(["| table | entity set | columns | |", "|---|---|---|---|", *rows])


def sandbox_actions() -> str:
    """The actions and functions that the sandbox has."""
    rows = [f"| `{name}` | |" for name in registry.UNBOUND]
    rows += [f"| `{name}` | the rows of a table |" for name in registry.ON_SET]
    rows += [f"| `{name}` | a row of {table} |" for table, name in registry.ON_ROW]
    return "\n".join(["| action or function | bound to |", "|---|---|", *sorted(rows)])


def sandbox_operators() -> str:
    """The condition operators: query functions and FetchXML."""
    functions = sorted({item.function for item in OPERATORS if item.function})
    names = sorted({item.name for item in OPERATORS if item.name})
    return (
        f"Query functions ({len(functions)}): {', '.join(f'`{name}`' for name in functions)}.\n\n"
        f"FetchXML operators ({len(names)}): {', '.join(f'`{name}`' for name in names)}."
    )


def prompts_table() -> str:
    """Every prompt with its arguments; those in brackets may be left out."""
    rows = []
    for prompt in load_prompts():
        names = (f"{item.name}" if item.required else f"[{item.name}]" for item in prompt.arguments)
        rows.append(f"| `{prompt.name}` | {' '.join(names)} | {prompt.description} |")
    return "\n".join(["| prompt | arguments | what it does |", "|---|---|---|", *rows])


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "modes": modes_table,
    "tools": tools_table,
    "toolsets": toolsets_table,
    "all-tools": own_tools_table,
    "prompts": prompts_table,
    "missing": markdown_table,
    "policy-keys": reference_table,
    "policy-case-keys": cases_table,
    "sandbox-tables": sandbox_tables,
    "sandbox-actions": sandbox_actions,
    "sandbox-operators": sandbox_operators,
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
        for tool in all_tools()
    }


if __name__ == "__main__":
    SNAPSHOTS.mkdir(exist_ok=True)
    for old in SNAPSHOTS.glob("*.json"):
        old.unlink()
    for name, text in snapshots().items():
        (SNAPSHOTS / name).write_text(text, encoding="utf-8")
    for readme in READMES:
        readme.write_text(generated(readme.read_text(encoding="utf-8")), encoding="utf-8")
