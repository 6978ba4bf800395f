"""Holds a document against the table of keys: unknown, missing and ill-shaped ones are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_server.policy.keys import LABELS, keys_of
from crm_server.policy.kinds import Key
from crm_server.policy.problems import Path, PolicyTextError, unknown


def check_section(given: Mapping[str, Any], section: str, where: str = "", path: Path = ()) -> None:
    """Refuse what a section cannot hold. ``where`` begins each message.

    Raises:
        PolicyTextError: A key is unknown or missing, or its value is of another kind.
    """
    known = keys_of(section)
    for name in given:
        if name not in known:
            raise unknown("key", name, known, (*path, name), where)
    required = [name for name, key in known.items() if key.required]
    for name in required:
        if name not in given:
            raise PolicyTextError(f"{where}{name} is missing; needed are {', '.join(required)}.", path)
    for name, value in given.items():
        check_value(known[name], value, where, (*path, name))


def check_value(key: Key, value: Any, where: str, path: Path) -> None:
    """Refuse a value that is not of the key's kind.

    Raises:
        PolicyTextError: The same.
    """
    kind = key.kind
    if not kind.fits(value):
        example = f", such as {key.name} = {key.example}" if key.example else ""
        raise PolicyTextError(f"{where}{key.name} must be {kind.wanted}{example}.", path)
    if kind.choices:
        for place, text in _texts(value):
            if text not in kind.choices:
                raise unknown(kind.what, text, kind.choices, (*path, *place), where)
    if kind.section and isinstance(value, dict):
        # Lists of sections are checked by who reads them, and can name each.
        label = LABELS[kind.section]
        check_section(value, kind.section, f"{where}{label}: ", path)


def _texts(value: Any) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield (), value
        case list():
            for place, text in enumerate(value):
                yield (place,), text
        case dict():
            for name, text in value.items():
                yield (name,), text
