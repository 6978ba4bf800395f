"""Requests to Dataverse search, read from their JSON bodies.

https://learn.microsoft.com/power-apps/developer/data-platform/search/query#parameters
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crm_sandbox.coverage import Missing
from crm_sandbox.errors import UNKNOWN_NAME, ODataError, bad_property, not_here

LONGEST_SEARCH = 100
MOST_RESULTS = 100
FURTHEST = 100_000
_LONGEST_TEXT = 32_768
_MOST_NAMES = 500
_QUERY = frozenset(
    {"search", "count", "entities", "facets", "filter", "options", "orderby", "skip", "top", "propertybag"}
)
_SUGGEST = frozenset({"search", "entities", "filter", "fuzzy", "options", "orderby", "top"})
_AUTOCOMPLETE = frozenset({"search", "entities", "filter", "fuzzy"})


@dataclass(frozen=True, slots=True)
class Entity:
    """A table that is searched: what of it is answered and searched, and which rows."""

    name: str
    select: tuple[str, ...]
    search: tuple[str, ...]
    filter: str | None


@dataclass(frozen=True, slots=True)
class SearchOrder:
    """One part of ``orderby``; no name means the score."""

    name: str | None
    descending: bool


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A request. ``entities`` is None where every table that is enabled for search is meant."""

    search: str
    entities: tuple[Entity, ...] | None
    filter: str | None
    orderby: tuple[SearchOrder, ...]
    top: int
    skip: int
    count: bool
    fuzzy: bool
    lucene: bool
    every_word: bool
    best_effort: bool


def read_query(body: object) -> SearchRequest:
    """The request of ``query``.

    Raises:
        ODataError: 400, it is not as documented; 501, it asks for facets.
    """
    return _request(body, _QUERY, shortest=1, top=50)


def read_suggest(body: object) -> SearchRequest:
    """The request of ``suggest``, whose text has at least three characters.

    Raises:
        ODataError: 400, it is not as documented.
    """
    return _request(body, _SUGGEST, shortest=3, top=5)


def read_autocomplete(body: object) -> SearchRequest:
    """The request of ``autocomplete``.

    Raises:
        ODataError: 400, it is not as documented.
    """
    return _request(body, _AUTOCOMPLETE, shortest=1, top=1)


def _request(body: object, known: frozenset[str], *, shortest: int, top: int) -> SearchRequest:
    if not isinstance(body, Mapping):
        raise bad_property("a JSON object is expected.")
    for name in body:
        if name not in known:
            raise bad_property(f"the parameter '{name}' is not known.")
    if _json(body, "facets"):
        raise not_here(Missing.FACETS)
    search = _search(body, shortest)
    options = _options(body)
    return SearchRequest(
        search=search,
        entities=_entities(body),
        filter=_text(body, "filter"),
        orderby=_orders(body),
        top=_number(body, "top", top, 1, MOST_RESULTS),
        skip=_number(body, "skip", 0, 0, FURTHEST),
        count=_flag(body, "count"),
        fuzzy=_flag(body, "fuzzy"),
        lucene=options.get("querytype") == "lucene",
        every_word=options.get("searchmode") == "all",
        best_effort=options.get("besteffortsearchenabled") == "true",
    )


def _search(body: Mapping[str, Any], shortest: int) -> str:
    text = body.get("search")
    if not isinstance(text, str):
        raise bad_property("the parameter 'search' is required and must be a string.")
    # A control character separates words as a space does.
    text = re.sub(r"[\x00-\x1f\x7f]", " ", _storable(text)).strip()
    if not shortest <= len(text) <= LONGEST_SEARCH:
        raise ODataError(
            400,
            UNKNOWN_NAME,
            f"The search text must have {shortest} to {LONGEST_SEARCH} characters.",
        )
    return text


def _text(body: Mapping[str, Any], name: str) -> str | None:
    """A string; the samples of the documentation write ``"null"`` for none."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise bad_property(f"the parameter '{name}' must be a string.")
    return None if value.strip() in ("", "null") else _storable(value)


def _storable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise bad_property("a string has half of a surrogate pair.") from None
    return text


def _number(body: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_property(f"the parameter '{name}' must be a whole number.")
    if not least <= value <= most:
        raise ODataError(400, UNKNOWN_NAME, f"The parameter '{name}' must be from {least} to {most}.")
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if value is not None and not isinstance(value, bool):
        raise bad_property(f"the parameter '{name}' must be true or false.")
    return bool(value)


def _json(body: Mapping[str, Any], name: str) -> Any:
    """What a parameter's string holds as JSON."""
    text = _text(body, name)
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise bad_property(f"the parameter '{name}' must be a string that holds JSON.") from None


def _entities(body: Mapping[str, Any]) -> tuple[Entity, ...] | None:
    found = _json(body, "entities")
    if found is None or found == []:
        return None
    if not isinstance(found, list) or len(found) > _MOST_NAMES:
        raise bad_property("the parameter 'entities' must hold an array.")
    return tuple(map(_entity, found))


def _entity(item: object) -> Entity:
    """One table; the documentation writes the names of its properties in several ways of capitals."""
    if not isinstance(item, dict):
        raise bad_property("an item of 'entities' must be an object.")
    given = {name.lower(): value for name, value in item.items()}
    unknown = given.keys() - {"name", "selectcolumns", "searchcolumns", "filter"}
    if unknown or not isinstance(given.get("name"), str):
        raise bad_property("an item of 'entities' has name, selectColumns, searchColumns and filter.")
    return Entity(
        _storable(given["name"]),
        _names(given.get("selectcolumns"), "selectColumns"),
        _names(given.get("searchcolumns"), "searchColumns"),
        _text(given, "filter"),
    )


def _names(value: object, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST_NAMES:
        raise bad_property(f"'{name}' must be an array of strings.")
    if not all(isinstance(item, str) for item in value):
        raise bad_property(f"'{name}' must be an array of strings.")
    return tuple(dict.fromkeys(map(_storable, value)))


def _orders(body: Mapping[str, Any]) -> tuple[SearchOrder, ...]:
    """The documentation shows an array, and a string that holds one."""
    value = body.get("orderby")
    clauses = _names(value if isinstance(value, list) else _json(body, "orderby"), "orderby")
    orders = []
    for clause in clauses:
        match = re.fullmatch(r"\s*(@search\.score|\w{1,128})(?:\s+(asc|desc))?\s*", clause, re.ASCII)
        if match is None:
            raise bad_property("'orderby' must hold clauses such as 'createdon desc'.")
        name = None if match[1] == "@search.score" else match[1]
        orders.append(SearchOrder(name, match[2] == "desc"))
    return tuple(orders)


def _options(body: Mapping[str, Any]) -> dict[str, str]:
    """``options`` holds a dictionary of strings, which the documentation writes with single quotes."""
    text = _text(body, "options")
    if text is None:
        return {}
    try:
        found = json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise bad_property("the parameter 'options' must be a string that holds a dictionary.")
    return {name.lower(): str(value).lower() for name, value in found.items()}
