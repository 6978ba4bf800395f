"""The text of FetchXML as a tree of known elements.

Attributes that FetchXML does not have are passed over, as the service does; elements it does not have
are refused. https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference/
"""

from __future__ import annotations

import re
from typing import NoReturn
from xml.etree.ElementTree import (
    Element,
    ParseError,
    TreeBuilder,
    XMLParser,
)

from crm_sandbox.errors import INVALID_ARGUMENT, ODataError

LONGEST = 65_536
"""An address in a ``$batch`` may have so many characters; a plain one has half of them."""
MOST_LINKS = 15
MOST_CONDITIONS = 500
DEEPEST = 40

NO_TABLE = "0x80041102"
NO_ATTRIBUTE = "0x80041103"
NOT_AGGREGATED = "0x80041107"
INVALID_ALIAS = "0x80041109"
UNKNOWN_ALIAS = "0x8004110a"
NO_ALIAS = "0x8004110b"
NOT_POSITIVE = "0x8004110c"
INVALID_DISTINCT = "0x80041115"
INVALID_LINK_TYPE = "0x80041117"
LINK_ATTRIBUTES = "0x80041118"
INVALID_DESCENDING = "0x80041119"
INVALID_AGGREGATE = "0x8004111a"
INVALID_NODE = "0x8004111c"
ATTRIBUTE_NOT_FOUND = "0x8004111e"
INVALID_FILTER_TYPE = "0x80041122"
ELEMENT_NOT_FOUND = "0x80041123"
EMPTY_XML = "0x80041124"
TOP_NOT_POSITIVE = "0x80041127"
TOO_MANY_CONDITIONS = "0x8004430c"
TOO_MANY_LINKS = "0x8004430d"
"""Codes of the QueryBuilder errors.

https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
"""

_OF_TABLE = frozenset({"attribute", "all-attributes", "no-attrs", "order", "filter", "link-entity"})
_CHILDREN: dict[str, frozenset[str]] = {
    "fetch": frozenset({"entity"}),
    "entity": _OF_TABLE,
    "link-entity": _OF_TABLE,
    "filter": frozenset({"condition", "filter", "link-entity"}),
    "condition": frozenset({"value"}),
}
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_CODES_OF_FLAGS = {"distinct": INVALID_DISTINCT, "descending": INVALID_DESCENDING}


def refused(message: str, code: str = INVALID_ARGUMENT) -> ODataError:
    """The refusal of a fetch."""
    return ODataError(400, code, message)


class _Builder(TreeBuilder):
    """Builds a tree that is not too deep, of a text that declares nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def doctype(self, *_parts: object) -> NoReturn:
        """Called before anything of the declaration counts."""
        raise refused("Invalid XML: a document type declaration is not allowed.")

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        if self._depth > DEEPEST:
            raise refused("Invalid XML: elements are nested too deeply.")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def parse(xml: str) -> Element:
    """The root element of a text.

    Raises:
        ODataError: 400, it is too long, empty, no XML, too deep, or declares a document type.
    """
    if len(xml) > LONGEST:
        raise refused("Invalid XML: it is too long.")
    if not xml.strip():
        raise refused("The fetch xml is empty.", EMPTY_XML)
    parser = XMLParser(target=_Builder())  # noqa: S314 - the builder refuses document types
    try:
        parser.feed(xml)
        root: Element = parser.close()
    except (ParseError, ValueError):  # ValueError: characters that cannot be encoded
        raise refused("Invalid XML.") from None
    return root


def read_fetch(xml: str) -> Element:
    """The ``fetch`` element of a FetchXML text, with known elements only.

    Raises:
        ODataError: 400, as :func:`parse`, or an element is unknown, missing or one too many.
    """
    fetch = parse(xml)
    if fetch.tag != "fetch":
        raise refused(f"Invalid node: the root is fetch, not '{_shown(fetch.tag)}'.", INVALID_NODE)
    _check(fetch)
    if len(fetch) != 1:
        raise refused("The fetch element takes one entity element.", ELEMENT_NOT_FOUND)
    links = sum(1 for _ in fetch.iter("link-entity"))
    if links > MOST_LINKS:
        raise refused("Number of link entities in query exceeded maximum limit.", TOO_MANY_LINKS)
    if links + sum(1 for _ in fetch.iter("condition")) > MOST_CONDITIONS:
        raise refused("Number of conditions in query exceeded maximum limit.", TOO_MANY_CONDITIONS)
    return fetch


def _check(element: Element) -> None:
    allowed = _CHILDREN.get(element.tag, frozenset())
    if element.tag != "value" and (element.text or "").strip():
        raise refused(f"Invalid node: text is not allowed in '{element.tag}'.", INVALID_NODE)
    for child in element:
        if child.tag not in allowed:
            valid = ", ".join(sorted(allowed)) or "none"
            raise refused(
                f"Invalid Child Node, valid nodes are {valid}. NodeName = {_shown(child.tag)}", INVALID_NODE
            )
        if (child.tail or "").strip():
            raise refused(f"Invalid node: text is not allowed in '{element.tag}'.", INVALID_NODE)
        _check(child)


def _shown(name: object) -> str:
    return str(name)[:80]


def required(element: Element, name: str) -> str:
    """An attribute that must be there.

    Raises:
        ODataError: 400, it is not.
    """
    value = element.get(name)
    if not value:
        raise refused(
            f"A required attribute was not specified: {name} of {element.tag}.", ATTRIBUTE_NOT_FOUND
        )
    return value


def flag(element: Element, name: str) -> bool:
    """An attribute that is true or false, and false where it is not there.

    Raises:
        ODataError: 400, it is neither.
    """
    value = element.get(name)
    if value is None:
        return False
    if value.lower() not in _FLAGS:
        raise refused(
            f"The only valid values for '{name}' attribute are 'true', 'false', '1', and '0'.",
            _CODES_OF_FLAGS.get(name, INVALID_ARGUMENT),
        )
    return _FLAGS[value.lower()]


def positive(element: Element, name: str, code: str = NOT_POSITIVE) -> int | None:
    """An attribute that is a positive whole number, or None where it is not there.

    Raises:
        ODataError: 400, it is none.
    """
    value = element.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"\d{1,9}", value.strip(), re.ASCII) or int(value) < 1:
        raise refused(f"A required attribute must be greater than zero: {name}.", code)
    return int(value)


def alias_of(element: Element) -> str | None:
    """The alias of an element.

    Raises:
        ODataError: 400, it has characters that no alias has.
    """
    alias = element.get("alias")
    if alias is not None and not re.fullmatch(r"[A-Za-z_]\w{0,127}", alias, re.ASCII):
        raise refused(
            f"Invalid character specified for alias: {_shown(alias)}. Only characters within the ranges "
            "[A-Z], [a-z] or [0-9] or _ are allowed. The first character may only be in the ranges [A-Z], "
            "[a-z] or _.",
            INVALID_ALIAS,
        )
    return alias
