"""Answers as text of few tokens: rows that are alike as a table, facts a line each, names for lookups.

The same facts as the structured content, which has the ids besides. Numbers and moments are written in the
form of those who ask (:mod:`crm_tools.forms`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from crm_tools.forms import Form

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_CURRENCY = re.compile(r"[A-Z]{3}")
_CURRENCIES = ("currency", "transactioncurrencyid")
"""Where an answer says the code of the currency that the amounts beside it have."""
_UNREAD = frozenset({"etag", "url", "record_url"})
"""What a concise text leaves out; the structured content has it."""
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CHARACTERS_A_TOKEN = 3
"""A cautious estimate: tokenizers differ, and numbers and names take more tokens than prose."""


def rendered(content: Mapping[str, Any], form: Form, *, detailed: bool = False) -> str:
    """The answer as text; ``detailed`` shows ids in rows as well."""
    currency = _currency_in(content, None)
    lines: list[str] = []
    for name, value in content.items():
        lines += _part(name, value, form, currency, detailed)
    return "\n".join(lines)


def tokens_about(content: Mapping[str, Any]) -> int:
    """About how many tokens an answer costs, rather too many than too few."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return -(-len(text) // _CHARACTERS_A_TOKEN)


def fitted(content: dict[str, Any], lists: Sequence[str], most: int | None) -> dict[str, Any]:
    """The answer with as many items of its ``lists`` as fit ``most`` tokens; says what was cut.

    What comes last is cut first, a list at a time, so that what matters most stays whole. A list inside of a
    part goes by both names: ``opportunities.records``. What counts the items of the only list follows.
    """
    if most is None or tokens_about(content) <= most:
        return content
    cut = dict(content)
    left_out: list[str] = []
    for path in reversed(lists):
        whole = _items(cut, path)
        kept = list(whole)
        while kept and _with_note(_replaced(cut, path, kept)) > most:
            kept.pop()
        # An empty list would say that there is nothing.
        gone = bool(whole) and not kept and len(lists) > 1
        cut = _replaced(cut, path, None if gone else kept)
        if len(kept) < len(whole):
            left_out.append(f"{len(whole) - len(kept)} of {len(whole)} {path.partition('.')[0]}")
        if _with_note(cut) <= most:
            break
    if len(lists) == 1 and left_out:
        cut |= {"shown": len(_items(cut, lists[0])), "more": True}
    too_long = "" if _with_note(cut) <= most else " What is left is longer all the same."
    told = f"left out: {', '.join(left_out)}." if left_out else "nothing could be left out."
    cut["cut"] = f"To fit max_tokens {most:,}, {told}{too_long}"
    return cut


def _with_note(content: Mapping[str, Any]) -> int:
    return tokens_about({**content, "cut": "x" * 150})


def _items(content: Mapping[str, Any], path: str) -> Sequence[Any]:
    name, _, inner = path.partition(".")
    found = content.get(name) or ()
    return _items(found, inner) if inner and isinstance(found, Mapping) else found


def _replaced(content: Mapping[str, Any], path: str, items: Sequence[Any] | None) -> dict[str, Any]:
    """The content with these items at the path, if there is something; without that list for None."""
    name, _, inner = path.partition(".")
    rest = dict(content)
    if name in rest:
        old = rest.pop(name)
        if inner:
            return {**content, name: _replaced(old, inner, items)}
        if items is not None:
            return {**content, name: list(items)}
    return rest


def _part(name: str, value: Any, form: Form, currency: str | None, detailed: bool) -> list[str]:
    if name in _UNREAD and not detailed:
        return []
    if isinstance(value, Mapping) and not _is_lookup(value):
        if not value:
            return []
        told = value if detailed else _told(value)
        own = _currency_in(value, currency)
        inner = [line for key, item in told.items() for line in _part(key, item, form, own, detailed)]
        return [f"{name}:", *(f"  {line}" for line in inner)]
    if isinstance(value, list | tuple):
        return _list(name, value, form, currency, detailed)
    return [f"{name}: {_cell(value, form, name, currency)}"]


def _list(name: str, items: Sequence[Any], form: Form, currency: str | None, detailed: bool) -> list[str]:
    if not items:
        return [f"{name}: none"]
    if not all(isinstance(item, Mapping) for item in items):
        return [f"{name}: {', '.join(_cell(item, form) for item in items)}"]
    header = list(dict.fromkeys(key for item in items for key in item))
    if not detailed and _names_differ(items):
        header = [key for key in header if key not in _UNREAD and not _holds_ids(items, key)] or header

    def cell(item: Mapping[str, Any], key: str) -> str:
        return _cell(item.get(key), form, key, _currency_in(item, currency))

    same = [key for key in header if _all_same(items, key)]
    varying = [key for key in header if key not in same] or header
    common = "; ".join(f"{key} {cell(items[0], key)}" for key in same if varying is not header)
    title = f"{name} ({len(items)}{', all: ' + common if common else ''}):"
    rows = [" | ".join(cell(item, key) for key in varying) for item in items]
    return [title, "  " + " | ".join(varying), *(f"  {row}" for row in rows)]


def _currency_in(content: Mapping[str, Any], around: str | None) -> str | None:
    """The code of the currency that a part of an answer names, else that of what is around it."""
    named = [content[key] for key in _CURRENCIES if key in content]
    codes = [code for code in named if isinstance(code, str) and _CURRENCY.fullmatch(code)]
    return codes[0] if codes else None if named else around


def _told(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record without its id, where its name stands for it."""
    told = {name: value for name, value in record.items() if not _is_id(value)}
    return told if any(name not in _UNREAD for name in told) else record


def _names_differ(items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether records are told apart by their names: what stands first besides the id."""
    names = [next((str(value) for value in item.values() if not _is_id(value)), "") for item in items]
    return len({name.casefold() for name in names}) == len(names)


def _holds_ids(items: Sequence[Mapping[str, Any]], key: str) -> bool:
    return all(_is_id(item[key]) for item in items if item.get(key) is not None)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _GUID.fullmatch(value) is not None


def _all_same(items: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len(items) > 2 and all(item.get(key) == items[0].get(key) for item in items)


def _is_lookup(value: Mapping[str, Any]) -> bool:
    return "id" in value and not value.keys() - {"id", "name", "table"}


def _cell(value: Any, form: Form, name: str = "", currency: str | None = None) -> str:
    """A value on one line."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return form.number(value, name, currency)
        case Mapping():
            if _is_lookup(value):
                return str(value.get("name") or value["id"])
            own = _currency_in(value, currency)
            return "; ".join(f"{key} {_cell(item, form, key, own)}" for key, item in value.items())
        case list() | tuple():
            return ", ".join(_cell(item, form, name, currency) for item in value)
        case str() if _MOMENT.fullmatch(value):
            return form.moment(datetime.fromisoformat(value))
        case str() if _DAY.fullmatch(value):
            return _day(value, form)
    return " ".join(str(value).split("\n"))


def _day(text: str, form: Form) -> str:
    try:
        return form.day(date.fromisoformat(text))
    except ValueError:
        return text  # somebody's text that is no day of the calendar
