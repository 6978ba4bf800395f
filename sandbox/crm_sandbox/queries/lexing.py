"""The tokens of filters and of ``$apply``.

http://docs.oasis-open.org/odata/odata/v4.0/odata-v4.0-part2-url-conventions.html, section 5.1.1.6
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from crm_sandbox.errors import UNKNOWN_NAME, ODataError

LONGEST = 65_536
"""An address in a ``$batch`` may have so many characters; a plain one has half of them."""
MOST_TOKENS = 6_000

_TOKENS = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<guid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-]))
    | (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|[+-]\d\d:\d\d)?(?![\w.-]))
    | (?P<date>\d{4}-\d\d-\d\d(?![\w-]))
    | (?P<number>-?\d+\.\d+(?:[eE][+-]?\d+)?(?![\w.])|-?\d+[eE][+-]?\d+(?![\w.]))
    | (?P<integer>-?\d+(?![\w.]))
    | (?P<alias>@[A-Za-z_]\w*)
    | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    | (?P<mark>[(),/:=\[\]$;])
    """,
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token: ``kind`` is the name of its form, ``text`` what stands there, ``at`` its place."""

    kind: str
    text: str
    at: int


def malformed(why: str, option: str = "$filter") -> ODataError:
    """The refusal of a query option that is not written as OData is."""
    return ODataError(400, UNKNOWN_NAME, f"The query option {option} is not valid: {why}.")


def tokens(text: str, aliases: Mapping[str, str], option: str = "$filter") -> list[Token]:
    """The tokens of an option; a parameter alias stands for the tokens of its value.

    Raises:
        ODataError: 400, the text is too long or holds what is no token.
    """
    if len(text) > LONGEST:
        raise malformed("it is too long", option)
    found: list[Token] = []
    for token in _split(text, option):
        if token.kind == "alias":
            found += _of_alias(token, aliases, option)
        else:
            found.append(token)
        if len(found) > MOST_TOKENS:
            raise malformed("it has too many parts", option)
    return found


def _of_alias(alias: Token, aliases: Mapping[str, str], option: str) -> list[Token]:
    """The tokens that a parameter alias stands for; null where it has no value.

    http://docs.oasis-open.org/odata/odata/v4.0/odata-v4.0-part1-protocol.html, section 11.2.5.1.3
    """
    value = aliases.get(alias.text, "null")
    try:
        # An alias holds a literal, so aliases inside are not looked up again.
        return [replace(inner, at=alias.at) for inner in _split(value, option)]
    except ODataError:
        if not value.startswith("["):
            raise
        raise ODataError(
            400,
            UNKNOWN_NAME,
            "Invalid JSON. A comma character ',' was expected in scope 'Array'. Every two elements in an "
            "array and properties of an object must be separated by commas.",
        ) from None


def _split(text: str, option: str) -> list[Token]:
    found = []
    place = 0
    while place < len(text):
        match = _TOKENS.match(text, place)
        if match is None and text[place] == "'":
            raise ODataError(
                400,
                UNKNOWN_NAME,
                f"There is an unterminated literal at position {len(text)} in '{text}'.",
            )
        if match is None:
            raise malformed(f"syntax error at position {place}", option)
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match[0], place))
        place = match.end()
    return found
