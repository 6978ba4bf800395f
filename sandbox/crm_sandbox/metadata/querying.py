"""``$select``, ``$filter`` and ``$expand`` on metadata, which is little enough to be filtered one by one.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crm_sandbox.coverage import Missing
from crm_sandbox.errors import UNKNOWN_NAME, ODataError, not_here
from crm_sandbox.metadata.definitions import Definition
from crm_sandbox.queries.lexing import malformed
from crm_sandbox.queries.options import split_outside
from crm_sandbox.queries.parsing import parse_filter
from crm_sandbox.queries.syntax import Both, Comparison, Either, InList, Literal, Negation, Node, Path

_ENUMERATION = re.compile(r"Microsoft\.Dynamics\.CRM\.\w+('(?:[^']|'')*')", re.ASCII)
_KNOWN = frozenset({"$select", "$filter", "$expand", "$top", "$count", "LabelLanguages", "$orderby"})
Expansion = Callable[[Definition, str, Mapping[str, str]], Any]


def shaped(
    definitions: Iterable[Definition], options: Mapping[str, str], kind: str, expand: Expansion
) -> list[Definition]:
    """The definitions that a filter finds, with the properties that are selected and expanded.

    ``kind`` is the name of their type, for errors; ``expand`` gives the value of an expanded property.

    Raises:
        ODataError: 400, an option is malformed or names what does not exist; 501, a function in a filter.
    """
    _check(options)
    found = list(definitions)
    if "$filter" in options:
        node = parse_filter(_ENUMERATION.sub(r"\1", options["$filter"]))
        found = [definition for definition in found if _holds(node, definition, kind)]
    if "$top" in options:
        if not re.fullmatch(r"\d{1,6}", options["$top"], re.ASCII):
            raise malformed("it takes a whole number", "$top")
        found = found[: int(options["$top"])]
    return [one(definition, options, kind, expand) for definition in found]


def one(definition: Definition, options: Mapping[str, str], kind: str, expand: Expansion) -> Definition:
    """A definition with the properties that are selected and expanded.

    Raises:
        ODataError: 400, an option is malformed or names what does not exist.
    """
    _check(options)
    shown = selected(definition, options.get("$select", ""), kind)
    for item in split_outside(options.get("$expand", ""), ","):
        match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", item, re.DOTALL | re.ASCII)
        if not item.strip():
            continue
        if match is None:
            raise malformed("syntax error", "$expand")
        inner = dict(
            part.strip().partition("=")[::2] for part in split_outside(match[2] or "", ";") if part.strip()
        )
        shown[match[1]] = expand(definition, match[1], inner)
    return shown


def selected(definition: Definition, select: str, kind: str) -> Definition:
    """A definition with the properties that ``$select`` names; its id always comes.

    Raises:
        ODataError: 400, a name does not exist.
    """
    names = [name.strip() for name in select.split(",") if name.strip()]
    if not names:
        return dict(definition)
    for name in names:
        if name not in definition:
            raise _unknown(name, kind)
    kept = {"@odata.type", "MetadataId", *names}
    return {name: value for name, value in definition.items() if name in kept}


def _check(options: Mapping[str, str]) -> None:
    for name in options:
        if name.startswith("$") and name not in _KNOWN:
            raise ODataError(400, UNKNOWN_NAME, f"The query parameter {name} is not supported.")


def _unknown(name: str, kind: str) -> ODataError:
    return ODataError(
        400,
        UNKNOWN_NAME,
        f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{kind}'.",
    )


def _holds(node: Node, definition: Definition, kind: str) -> bool:
    match node:
        case Both(operands):
            return all(_holds(operand, definition, kind) for operand in operands)
        case Either(operands):
            return any(_holds(operand, definition, kind) for operand in operands)
        case Negation(operand):
            return not _holds(operand, definition, kind)
        case InList(path, values):
            return _value(definition, path, kind) in [literal.value for literal in values]
        case Comparison(operator, left, right):
            if not isinstance(right, Literal):
                raise malformed("a property can only be compared with a value")
            return _compared(operator, _value(definition, left, kind), right.value)
    # Dataverse answers 501 to functions in a filter of metadata.
    raise not_here(Missing.METADATA_FUNCTIONS)


def _value(definition: Definition, path: Path, kind: str) -> Any:
    value: Any = definition
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise _unknown("/".join(path), kind)
        value = value[name]
    return value


def _compared(operator: str, value: Any, wanted: Any) -> bool:
    if operator in ("eq", "ne"):
        return bool(value == wanted) is (operator == "eq")
    try:
        order = (value > wanted) - (value < wanted)
    except TypeError:
        return False
    return bool({"gt": order > 0, "ge": order >= 0, "lt": order < 0, "le": order <= 0}[operator])
