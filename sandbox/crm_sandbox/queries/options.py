"""Query options, taken apart but not yet held against a table.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from crm_sandbox.errors import UNKNOWN_NAME, ODataError
from crm_sandbox.queries.lexing import malformed
from crm_sandbox.queries.parsing import parse_filter
from crm_sandbox.queries.syntax import Node, Path

MOST_EXPANDED = 15
DEEPEST_EXPAND = 8
_KNOWN = frozenset(
    {"$select", "$filter", "$orderby", "$expand", "$top", "$count", "$skiptoken", "$apply", "$deltatoken"}
)
_ALIAS_OR_TEXT = re.compile(r"'(?:[^']|'')*'|@[A-Za-z_]\w*", re.ASCII)
_OF_ONE_ROW = frozenset({"$select", "$expand"})


@dataclass(frozen=True, slots=True)
class Expand:
    """One expanded navigation property; ``text`` is what its parentheses held."""

    name: str
    reading: Reading
    text: str


@dataclass(frozen=True, slots=True)
class Order:
    """One part of ``$orderby``."""

    path: Path
    descending: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """The options of a read."""

    select: tuple[str, ...] = ()
    filter: Node | None = None
    orderby: tuple[Order, ...] = ()
    expand: tuple[Expand, ...] = ()
    top: int | None = None
    count: bool = False
    skiptoken: str | None = None
    apply: str | None = None


def read_options(options: Mapping[str, str], *, one_row: bool = False) -> Reading:
    """Take the query options apart; ``one_row`` says that they are of a single row.

    Raises:
        ODataError: 400 for what is refused or malformed, 501 for what the sandbox does not do.
    """
    for name in options:
        if name == "$skip":
            raise ODataError(400, UNKNOWN_NAME, "Skip Clause is not supported in CRM")
        if name.startswith("$") and (name not in _KNOWN or (one_row and name not in _OF_ONE_ROW)):
            raise ODataError(400, UNKNOWN_NAME, f"The query parameter {name} is not supported.")
    aliases = {name: value for name, value in options.items() if name.startswith("@")}
    reading = _reading(options, aliases, 0)
    if _expanded(reading) > MOST_EXPANDED:
        raise ODataError(400, UNKNOWN_NAME, f"At most {MOST_EXPANDED} $expand options are supported.")
    return reading


def _reading(options: Mapping[str, str], aliases: Mapping[str, str], depth: int) -> Reading:
    return Reading(
        select=_names(options.get("$select", "")),
        filter=parse_filter(options["$filter"], aliases) if "$filter" in options else None,
        orderby=_orders(options.get("$orderby", ""), aliases),
        expand=_expands(options.get("$expand", ""), aliases, depth),
        top=_whole_number(options["$top"], "$top") if "$top" in options else None,
        count=_boolean(options.get("$count", "false")),
        skiptoken=options.get("$skiptoken"),
        apply=options.get("$apply"),
    )


def _expanded(reading: Reading) -> int:
    return sum(1 + _expanded(expand.reading) for expand in reading.expand)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _orders(text: str, aliases: Mapping[str, str]) -> tuple[Order, ...]:
    orders = []
    for name in _names(text):
        part = re.sub(r"^@\w+", lambda alias: aliases.get(alias[0], alias[0]), name)
        match = re.fullmatch(r"(\w+(?:/\w+)*)(?:\s+(asc|desc))?", part, re.ASCII)
        if match is None:
            raise malformed("syntax error", "$orderby")
        orders.append(Order(tuple(match[1].split("/")), match[2] == "desc"))
    return tuple(orders)


def _expands(text: str, aliases: Mapping[str, str], depth: int) -> tuple[Expand, ...]:
    if depth >= DEEPEST_EXPAND and text:
        raise malformed("it is nested too deeply", "$expand")
    return tuple(_expand(part, aliases, depth) for part in split_outside(text, ",") if part.strip())


def _expand(text: str, aliases: Mapping[str, str], depth: int) -> Expand:
    match = re.fullmatch(r"\s*(\w+(?:/\$ref)?)\s*(?:\((.*)\))?\s*", text, re.DOTALL | re.ASCII)
    if match is None:
        raise malformed("syntax error", "$expand")
    options: dict[str, str] = {}
    for part in split_outside(match[2] or "", ";"):
        name, equals, value = part.strip().partition("=")
        if not name:
            continue
        if not equals or name not in ("$select", "$filter", "$orderby", "$top", "$expand", "$count"):
            raise malformed(f"'{name}' is no option of it", "$expand")
        options[name] = value
    if match[1].endswith("/$ref"):
        options["$select"] = "$ref"
    text = "&".join(f"{name}={quote(_with_values(value, aliases))}" for name, value in options.items())
    return Expand(match[1].removesuffix("/$ref"), _reading(options, aliases, depth + 1), text)


def _with_values(text: str, aliases: Mapping[str, str]) -> str:
    """An option with the values of its parameter aliases, so that it can stand by itself in a link."""
    return _ALIAS_OR_TEXT.sub(lambda found: aliases.get(found[0], found[0]), text)


def shape_of(reading: Reading) -> str:
    """What was selected and expanded, as the context of an answer names it: ``(name,ownerid(fullname))``.

    http://docs.oasis-open.org/odata/odata/v4.0/odata-v4.0-part1-protocol.html, section 10.9
    """
    expanded = [f"{item.name}{shape_of(item.reading) or '()'}" for item in reading.expand]
    names = [*(name for name in reading.select if name != "$ref"), *expanded]
    return f"({','.join(names)})" if names else ""


def shape_of_options(options: Mapping[str, str]) -> str:
    """The same of options that are read otherwise, as those of metadata are."""
    shapes = list(_names(options.get("$select", "")))
    for part in split_outside(options.get("$expand", ""), ","):
        name, _, inner = part.strip().removesuffix(")").partition("(")
        given = dict(option.strip().partition("=")[::2] for option in split_outside(inner, ";"))
        if name:
            shapes.append(name + (shape_of_options(given) or "()"))
    return f"({','.join(shapes)})" if shapes else ""


def split_outside(text: str, separator: str) -> list[str]:
    """Split at separators that are in no brackets and in no quotes."""
    parts, depth, quotes, start = [], 0, False, 0
    for place, char in enumerate(text):
        if char == "'":
            quotes = not quotes
        elif not quotes:
            depth += (char in "([{") - (char in ")]}")
            if char == separator and depth == 0:
                parts.append(text[start:place])
                start = place + 1
    return [*parts, text[start:]]


def _whole_number(text: str, name: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < 1:
        raise malformed("it takes a positive whole number", name)
    return int(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise malformed("it takes true or false", "$count")
    return text == "true"
