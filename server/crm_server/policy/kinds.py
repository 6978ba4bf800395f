"""Kinds of values that a key can have: each in words, in JSON Schema, and as a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value may be. ``wanted`` says it in words, ``schema`` in JSON Schema, ``fits`` decides it.

    ``choices`` are the only texts there are, each a ``what``; ``section`` names the keys of a table of keys.
    """

    wanted: str
    schema: Mapping[str, Any]
    fits: Callable[[Any], bool]
    what: str = ""
    choices: tuple[str, ...] = ()
    section: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``example`` is a value as it is written; empty where the section's own keys show it."""

    section: str
    name: str
    kind: Kind
    meaning: str
    example: str
    required: bool = False


def is_text(value: Any) -> bool:
    """Whether it is a text with something in it."""
    return isinstance(value, str) and bool(value.strip())


def are_texts(value: Any) -> bool:
    """Whether it is a list of at least one such text."""
    return isinstance(value, list) and bool(value) and all(map(is_text, value))


def is_section(value: Any) -> bool:
    """Whether it is a table of keys and values."""
    return isinstance(value, dict)


def are_sections(value: Any) -> bool:
    """Whether it is a list of such tables."""
    return isinstance(value, list) and all(map(is_section, value))


def are_named_texts(value: Any) -> bool:
    """Whether it is a table of at least one name, each with a text."""
    return isinstance(value, dict) and bool(value) and all(isinstance(how, str) for how in value.values())


def matching(pattern: str) -> Callable[[Any], bool]:
    """A test for texts that match a pattern."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


_TEXT = {"type": "string", "pattern": r"\S"}


def text(wanted: str) -> Kind:
    """A text with something in it."""
    return Kind(wanted, _TEXT, is_text)


def line(longest: int) -> Kind:
    """A text that fits on a line."""
    return Kind(
        f"a text of 1 to {longest} characters",
        {"type": "string", "minLength": 1, "maxLength": longest},
        lambda value: isinstance(value, str) and 0 < len(value) <= longest and value.isprintable(),
    )


def list_of(wanted: str, what: str = "", choices: tuple[str, ...] = ()) -> Kind:
    """A list of at least one text, or of at least one of these choices."""
    items = {"enum": list(choices)} if choices else _TEXT
    return Kind(wanted, {"type": "array", "minItems": 1, "items": items}, are_texts, what, choices)


def section_of(label: str, section: str) -> Kind:
    """A section of the file, which has keys of its own."""
    return Kind(
        f"a section that starts with a line [{label}]", {"type": "object"}, is_section, section=section
    )
