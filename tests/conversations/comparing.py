"""The conversations by names beside the same through the bare twenty tools.

``python -m tests.conversations.comparing`` writes the table of docs/conversations.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import anyio

from tests.conversations.asking import ASKING
from tests.conversations.changing import CHANGING
from tests.conversations.conversation import BARE, PEOPLE, Conversation, Outcome, held
from tests.conversations.selling import SELLING

ROOT = Path(__file__).parent.parent.parent
_PAGE = ROOT / "docs" / "conversations.md"
_MARKED = re.compile(r"(<!-- comparison:begin -->\n).*?(<!-- comparison:end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Compared:
    """A conversation both ways."""

    conversation: Conversation
    ours: Outcome
    bare: Outcome


async def comparison() -> list[Compared]:
    """The conversations that the bare tools can hold as well, both ways; both leave the CRM the same."""
    found = []
    for item in (*ASKING, *SELLING, *CHANGING):
        if item.bare:
            ours = await held(item, item.calls, PEOPLE, "auto")
            bare = await held(item, item.bare, BARE, "auto")
            assert list(bare.held) == [one.count for one in item.then], (item.asks, bare.last)
            found.append(Compared(item, ours, bare))
    return found


async def table_of_comparison() -> str:
    """The comparison as a table; tokens rounded, since ids and etags differ from run to run."""
    found = await comparison()
    rows = [
        f"| {item.conversation.asks} | {item.ours.calls} | {item.bare.calls} "
        f"| {_rounded(item.ours.tokens)} | {_rounded(item.bare.tokens)} |"
        for item in found
    ]
    calls = [sum(item.ours.calls for item in found), sum(item.bare.calls for item in found)]
    tokens = [sum(item.ours.tokens for item in found), sum(item.bare.tokens for item in found)]
    return "\n".join(
        [
            "| asked | calls | bare | tokens | bare |",
            "|---|---|---|---|---|",
            *rows,
            f"| all of them | {calls[0]} | {calls[1]} | {_thousands(tokens[0])} | {_thousands(tokens[1])} |",
        ]
    )


def _rounded(tokens: int) -> int:
    return round(tokens, -2) or 100


def _thousands(tokens: int) -> int:
    return round(tokens, -3)


if __name__ == "__main__":
    table = anyio.run(table_of_comparison)
    text = _PAGE.read_text(encoding="utf-8")
    _PAGE.write_text(_MARKED.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text), encoding="utf-8")
