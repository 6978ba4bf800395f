"""Labelled text for a terminal, at most 100 characters wide."""

from __future__ import annotations

from textwrap import wrap

WIDTH = 100


def field(label: str, text: str, width: int = 8, indent: int = 2) -> list[str]:
    """A label and its text, wrapped under itself."""
    start = f"{' ' * indent}{label:<{width}} "
    return wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * (indent + width + 1),
        break_on_hyphens=False,  # rule ids are read, and searched for, whole
    )
