"""The syntax tree of a filter, and of what ``$apply`` shares with it.

http://docs.oasis-open.org/odata/odata/v4.0/odata-v4.0-part2-url-conventions.html, section 5.1.1
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Path = tuple[str, ...]
"""Names joined by slashes: ``primarycontactid/fullname``."""


class LiteralKind(StrEnum):
    """What a literal is, as its form says."""

    NULL = "null"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    GUID = "guid"
    DATE = "date"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal: ``value`` is None, bool, int, float or str as its kind says; dates and GUIDs are str."""

    kind: LiteralKind
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right``; operator is eq, ne, gt, ge, lt or le."""

    operator: str
    left: Path
    right: Literal | Path


@dataclass(frozen=True, slots=True)
class InList:
    """``path in (a,b)``."""

    path: Path
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """``left and right``, or with several operands."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """``left or right``, or with several operands."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """``not operand``."""

    operand: Node


@dataclass(frozen=True, slots=True)
class TextTest:
    """``contains(path,'text')``, ``startswith`` or ``endswith``."""

    function: str
    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class QueryFunction:
    """``Microsoft.Dynamics.CRM.Between(PropertyName='revenue',PropertyValues=['1','2'])``.

    ``name`` is without the namespace; ``values`` are those of PropertyValue or PropertyValues.
    """

    name: str
    path: Path
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Lambda:
    """``path/any(variable:body)`` or ``path/all(...)``; no body asks whether there is any."""

    path: Path
    every: bool
    variable: str
    body: Node | None


Node = Comparison | InList | Both | Either | Negation | TextTest | QueryFunction | Lambda
