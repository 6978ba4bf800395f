"""The reference of keys in the documentation, made of the same table of keys that the parser uses."""

from __future__ import annotations

from crm_server.policy.keys import CASE, EACH_CALLER, LABELS, LIMIT, RULE, TOP, WHEN, keys_of
from crm_server.policy.kinds import Key

_HEAD = ("| key | value | meaning |", "|---|---|---|")
_SECTIONS = (TOP, RULE, WHEN, LIMIT, EACH_CALLER)


def reference_table() -> str:
    """Every key of a policy file, a table for each section."""
    return "\n\n".join(_section(section) for section in _SECTIONS)


def cases_table() -> str:
    """Every key of a case."""
    return "\n".join([*_HEAD, *map(_row, keys_of(CASE).values())])


def _section(section: str) -> str:
    title = "At the top of the file:" if section == TOP else f"In `{LABELS[section]}`:"
    rows = [_row(key) for key in keys_of(section).values()]
    return "\n".join([title, "", *_HEAD, *rows])


def _row(key: Key) -> str:
    needed = " (required)" if key.required else ""
    example = f", such as `{key.example}`" if key.example else ""
    return f"| `{key.name}`{needed} | {key.kind.wanted}{example} | {key.meaning} |"
