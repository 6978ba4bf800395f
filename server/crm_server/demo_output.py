"""How the demonstration is told: readable text, or JSON lines."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

WIDTH = 100


class JsonLines:
    """One JSON object a line, on standard output."""

    def job(self, number: int, title: str, story: str) -> None:
        """A job begins."""
        self._write(event="job", number=number, title=title, story=story)

    def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """A tool is called."""
        self._write(event="call", tool=tool, arguments=dict(arguments))

    def answer(
        self, content: Mapping[str, Any], text: str | None, is_error: bool, policy: Mapping[str, Any] | None
    ) -> None:
        """The server answered."""
        said = {} if text is None else {"text": text}
        self._write(event="answer", is_error=is_error, content=dict(content), **said, policy=policy)

    def asked(self, question: str, answered: str) -> None:
        """A human was asked."""
        self._write(event="asked", question=question, answered=answered)

    def end(self, command: str, arguments: list[str]) -> None:
        """The demonstration is over."""
        self._write(event="end", ok=True, command=command, args=arguments)

    def _write(self, **event: Any) -> None:
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
        sys.stdout.flush()


class ReadableText:
    """Text for a person, with a little emphasis on a terminal."""

    def __init__(self) -> None:
        self._styled = sys.stdout.isatty()
        self._line("dynamics-crm-mcp: an assistant at work in an embedded CRM, no tenant needed.", bold=True)

    def job(self, number: int, title: str, story: str) -> None:
        """A job begins."""
        self._line()
        self._line(f"== {number}. {title} ".ljust(WIDTH, "="), bold=True)
        self._paragraph(story)

    def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """A tool is called."""
        self._line()
        self._line(f"> {tool}", bold=True)
        for name, value in arguments.items():
            self._line(f"    {name}: {value if isinstance(value, str) else json.dumps(value)}")

    def answer(
        self, content: Mapping[str, Any], text: str | None, is_error: bool, policy: Mapping[str, Any] | None
    ) -> None:
        """The server answered."""
        if text is not None:
            for line in text.splitlines():
                self._line(_cut(f"  {line}"))
        elif is_error:
            self._paragraph(f"refused: {content['error']['message']}", indent="  ")
        elif "records" in content:
            self._records(content)
        else:
            for name, value in content.items():
                if isinstance(value, dict):
                    self._line(f"  {name}:")
                    self._fields(value)
                else:
                    self._line(f"  {name}: {_plain(value)}")
        if policy:
            rules = ", ".join(policy["rules"]) or "no rule"
            self._paragraph(
                f"policy: {policy['outcome']} ({rules}) - {policy['reason']}", indent="  ", dim=True
            )

    def asked(self, question: str, answered: str) -> None:
        """A human was asked."""
        self._line("  the person is asked:")
        for line in question.splitlines():
            self._line(_cut(f"    | {line}"))
        self._line(f"  the person answers: {answered}")

    def end(self, command: str, arguments: list[str]) -> None:
        """What to do next."""
        server = {"command": command, "args": arguments}
        self._line()
        self._line("== What next ".ljust(WIDTH, "="), bold=True)
        self._paragraph(
            "Put this server into your assistant; it works on the embedded CRM as it stands here."
        )
        self._line("Claude Desktop (claude_desktop_config.json) and Cursor (.cursor/mcp.json):")
        self._block({"mcpServers": {"dynamics-crm": server}})
        self._line("VS Code (.vscode/mcp.json):")
        self._block({"servers": {"dynamics-crm": {"type": "stdio", **server}}})
        self._paragraph(
            "Connect your own environment: set DYNAMICS_URL, DYNAMICS_TENANT_ID, DYNAMICS_CLIENT_ID and "
            "DYNAMICS_CLIENT_SECRET in the block's env, and leave out --sandbox. "
            "See what the policy allows: dynamics-crm-mcp policy show"
        )

    def _records(self, content: Mapping[str, Any]) -> None:
        total = f" of {content['total']}" if "total" in content else ""
        more = ", more behind the cursor" if content["more"] else ""
        noun = "record" if content["shown"] == 1 and not total else "records"
        self._line(f"  {content['shown']}{total} {noun}{more}")
        for record in content["records"]:
            shown = [
                _plain(value) for name, value in record.items() if name != "etag" and not _is_key(name, value)
            ]
            self._line(_cut(f"    - {' | '.join(shown)}"))

    def _fields(self, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            self._line(_cut(f"    {name}: {_plain(value)}"))

    def _block(self, value: Any) -> None:
        self._line(textwrap.indent(json.dumps(value, indent=2), "  "))

    def _paragraph(self, text: str, indent: str = "", dim: bool = False) -> None:
        self._line(
            textwrap.fill(
                text,
                WIDTH,
                initial_indent=indent,
                subsequent_indent=indent + "  " * bool(indent),
                break_on_hyphens=False,
            ),
            dim=dim,
        )

    def _line(self, text: str = "", *, bold: bool = False, dim: bool = False) -> None:
        code = "1" if bold else "2" if dim else ""
        styled = f"\x1b[{code}m{text}\x1b[0m" if self._styled and code else text
        sys.stdout.write(styled + "\n")
        sys.stdout.flush()


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."


def _is_key(name: str, value: Any) -> bool:
    return name.endswith("id") and isinstance(value, str)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("name") or json.dumps(value, ensure_ascii=False))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
