"""What an exchange is: a request as Microsoft documents it, and what is documented of its answer.

Placeholders such as ``{account}`` in paths and bodies stand for captured values, or for :data:`KEYS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

KEYS = {f"new{number}": f"0a1b2c3d-0000-4000-8000-0000000000{number:02}" for number in range(1, 31)}
"""Keys of rows that exchanges make: ``{new1}`` to ``{new30}``. Each exchange begins without them."""

ROOT = "https://contoso.crm.dynamics.com/api/data/v9.2/"
ANNOTATED = {"Prefer": 'odata.include-annotations="*"'}
REPRESENTATION = {"Prefer": "return=representation"}


@dataclass(frozen=True)
class Step:
    """One request and what is expected of its answer.

    ``path`` is relative to the root of the API. ``json`` is a subset: every key given is there and fits, a
    list is whole and in order, and values may be matchers such as :func:`matching`. ``text`` is a matcher or
    the whole body. ``headers`` are expected headers; a value of None says that there is none. ``capture``
    names parts of the answer for later steps: a header's name, or keys of the JSON joined by dots.
    """

    method: str
    path: str
    status: int
    body: Any = None
    sent: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    text: Any = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    capture: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exchange:
    """One documented behaviour: ``name`` says it, ``source`` is the page of learn.microsoft.com."""

    name: str
    source: str
    steps: tuple[Step, ...]


Matcher = Callable[[Any], bool]


def matching(pattern: str) -> Matcher:
    """A text in which the pattern is found."""
    return lambda value: isinstance(value, str) and re.search(pattern, value) is not None


def a_guid(value: Any) -> bool:
    """A GUID."""
    return (
        isinstance(value, str)
        and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None
    )


def anything(value: Any) -> bool:
    """Any value but null."""
    return value is not None


def absent(value: Any) -> bool:
    """Stands for a key that is not there."""
    return False


def containing(*wanted: Any) -> Matcher:
    """A list in which each of these is found."""
    return lambda value: (
        isinstance(value, list) and all(any(fits(item, one) for item in value) for one in wanted)
    )


def counting(number: int) -> Matcher:
    """A list of so many items."""
    return lambda value: isinstance(value, list) and len(value) == number


def fits(value: Any, expected: Any) -> bool:
    """Whether a value is as expected: dictionaries by subset, lists whole and in order."""
    if callable(expected):
        return bool(expected(value))
    if isinstance(expected, Mapping):
        return isinstance(value, Mapping) and all(
            (key not in value) if wanted is absent else key in value and fits(value[key], wanted)
            for key, wanted in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(value, list) and len(value) == len(expected) and all(map(fits, value, expected))
    return bool(value == expected) and isinstance(value, bool) == isinstance(expected, bool)


def error(code: str, message: str | None = None) -> dict[str, Any]:
    """The body of an error with this code, and a message in which the pattern is found."""
    return {"error": {"code": code, "message": anything if message is None else matching(message)}}
