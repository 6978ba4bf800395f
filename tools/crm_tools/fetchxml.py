"""The FetchXML of a saved view as a tree of elements that are understood.

Whoever may customise the CRM wrote it, so it is read as anything from outside is: bounded in length and
depth, and without a document type, so without entities. What is not known to leave the rows as they are is
refused; passing it over would show other rows than the view does.

https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from crm_tools.errors import InputError

LONGEST = 65_536
DEEPEST = 30

_TABLE = frozenset({"attribute", "all-attributes", "no-attrs", "order", "filter", "link-entity"})
_CHILDREN: Mapping[str, frozenset[str]] = {
    "fetch": frozenset({"entity"}),
    "entity": _TABLE,
    "link-entity": frozenset({"attribute", "all-attributes", "no-attrs", "link-entity"}),
    "filter": frozenset({"condition", "filter"}),
    "condition": frozenset({"value"}),
}
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "fetch": frozenset(
        # None of these changes which rows there are: a row is one by its id, and pages are cut here.
        {"version", "mapping", "output-format", "distinct", "no-lock", "count", "page", "savedqueryid"}
        | {"returntotalrecordcount", "latematerialize", "options", "utc-offset"}
    ),
    "entity": frozenset({"name"}),
    "attribute": frozenset({"name"}),
    "order": frozenset({"attribute", "descending"}),
    "filter": frozenset({"type"}),
    "condition": frozenset({"attribute", "operator", "value", "uiname", "uitype", "uihidden"}),
    "value": frozenset({"uiname", "uitype"}),
}
_OFF = frozenset({"aggregate", "useraworderby", "isquickfindfields"})
"""Attributes that designers write out; turned on they change what the fetch is."""
_NAME = re.compile(r"[A-Za-z][\w-]{0,99}", re.ASCII)


def unusable(why: str) -> InputError:
    """The refusal of a view, with what to do instead."""
    return InputError(f"This view cannot be shown here: {why}. Ask with query_records and where instead.")


def shown(name: str | None) -> str:
    """A name of the view for a message; nothing of it where it is no name."""
    return name if name is not None and _NAME.fullmatch(name) else "(not a name)"


class _Builder(TreeBuilder):
    """Builds a tree that is not too deep, of a text that declares nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def doctype(self, *_parts: object) -> NoReturn:
        """Called before anything of the declaration counts, so no entity is ever declared."""
        raise unusable("its XML declares a document type")

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        if self._depth > DEEPEST:
            raise unusable("its XML is nested too deeply")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def read_entity(xml: str, table: str) -> Element:
    """The ``entity`` element of a view on ``table``, with known elements and attributes only.

    Links are those that only bring columns along: outer ones without conditions.

    Raises:
        InputError: It is no FetchXML, is about another table, or asks what cannot be asked here.
    """
    fetch = _parsed(xml)
    if fetch.tag != "fetch":
        raise unusable("it is no FetchXML")
    _check(fetch)
    if len(fetch) != 1 or fetch[0].get("name") != table:
        raise unusable("its FetchXML is about another table")
    return fetch[0]


def is_on(element: Element, name: str) -> bool:
    """Whether an attribute says yes."""
    return (element.get(name) or "").strip().lower() in ("true", "1")


def _parsed(xml: str) -> Element:
    if len(xml) > LONGEST:
        raise unusable(f"its XML is longer than {LONGEST:,} characters")
    parser = XMLParser(target=_Builder())  # noqa: S314 - the builder refuses document types
    try:
        parser.feed(xml)
        root: Element = parser.close()
    except (ParseError, ValueError):  # ValueError: characters that cannot be encoded
        raise unusable("its XML cannot be read") from None
    return root


def _check(element: Element) -> None:
    if element.tag == "link-entity" and element.get("link-type") != "outer":
        raise unusable(f"it depends on linked rows of {shown(element.get('name'))}")
    known = _ATTRIBUTES.get(element.tag)
    for name in element.attrib:
        if known is not None and name not in known and not (name in _OFF and not is_on(element, name)):
            raise unusable(f"its {element.tag} has {shown(name)}, which is not understood")
    allowed = _CHILDREN.get(element.tag, frozenset())
    for child in element:
        if child.tag not in allowed:
            raise unusable(f"its {element.tag} has {_said(child)}, which is not understood")
        _check(child)


def _said(child: Element) -> str:
    if child.tag == "link-entity":
        return f"conditions on linked rows of {shown(child.get('name'))}"
    return shown(child.tag)
