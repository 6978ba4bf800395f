"""Whether a condition contradicts itself: no values can ever satisfy it.

Only what is proved counts; a condition that is too large or holds what is not understood here is taken to be
satisfiable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any

from crm_tools.tables import ColumnType, Table

if TYPE_CHECKING:
    from odata_query import ast

_MOST_CASES = 200
_NEGATED = {"Eq": "NotEq", "NotEq": "Eq"}


@dataclass(frozen=True, slots=True)
class _Test:
    """One comparison of a column with values: ``Eq`` with one of them, the others with the only one."""

    column: str
    comparator: str
    wanted: tuple[Any, ...]


_Case = frozenset[_Test]
"""Comparisons that have to hold together. What is not understood is left out of a case."""


def is_contradictory(text: str, table: Table) -> bool:
    """Whether no row of the table can satisfy this filter, which :func:`parse_filter` has written."""
    from odata_query.grammar import ODataLexer, ODataParser

    cases = _cases(ODataParser().parse(ODataLexer().tokenize(text)), holds=True)
    return cases is not None and not any(_possible(case, table) for case in cases)


def _cases(node: ast._Node, *, holds: bool) -> list[_Case] | None:
    """The cases in which a condition holds, or does not hold; None where there are too many."""
    from odata_query import ast as nodes

    match node:
        case nodes.BoolOp(op=op, left=left, right=right):
            one, other = _cases(left, holds=holds), _cases(right, holds=holds)
            if one is None or other is None:
                return None
            either = isinstance(op, nodes.Or) is holds
            cases = [*one, *other] if either else [first | second for first, second in product(one, other)]
            return cases if len(cases) <= _MOST_CASES else None
        case nodes.UnaryOp(op=nodes.Not(), operand=operand):
            return _cases(operand, holds=not holds)
        case nodes.Compare(comparator=comparator, left=nodes.Identifier(name=name), right=right):
            test = _test(type(comparator).__name__, name, right, holds=holds)
            return [frozenset() if test is None else frozenset({test})]
    return [frozenset()]


def _test(comparator: str, column: str, right: ast._Node, *, holds: bool) -> _Test | None:
    from odata_query import ast as nodes

    wanted = tuple(map(_literal, right.val if isinstance(right, nodes.List) else [right]))
    if any(value is _UNKNOWN for value in wanted):
        return None
    if comparator == "In":
        # A list that a value must not be in is rare, and no part of a proof here.
        return _Test(column, "Eq", wanted) if holds else None
    if not holds:
        # Nothing is in no order, so only equality can be turned around.
        if comparator not in _NEGATED:
            return None
        comparator = _NEGATED[comparator]
    return _Test(column, comparator, wanted)


_UNKNOWN = object()


def _literal(node: ast._Node) -> Any:
    from odata_query import ast as nodes

    match node:
        case nodes.Null():
            return None
        case nodes.Integer(val=text) | nodes.Float(val=text):
            return float(text)
        case nodes.Boolean(val=text):
            return float(text == "true")
        case nodes.Date(val=text) | nodes.DateTime(val=text):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        case nodes.String(val=text) | nodes.GUID(val=text) if not any(char in text for char in "%_["):
            return text.casefold()
    return _UNKNOWN


def _possible(case: _Case, table: Table) -> bool:
    by_column: dict[str, list[_Test]] = {}
    for test in case:
        by_column.setdefault(test.column, []).append(test)
    return all(_has_value(tests, _choices(column, table)) for column, tests in by_column.items())


def _choices(column: str, table: Table) -> tuple[float, ...] | None:
    """All the values that a column can have, where they are known.

    A state is never empty, and nobody can add one; an organisation may add options to its other choices.
    """
    facts = table.columns.get(column)
    if facts is None or facts.type is not ColumnType.STATE or not facts.choices:
        return None
    return tuple(float(choice.value) for choice in facts.choices)


def _has_value(tests: Iterable[_Test], choices: tuple[Any, ...] | None) -> bool:
    tests = list(tests)
    candidates: tuple[Any, ...] | None = choices
    for test in tests:
        if test.comparator == "Eq":
            candidates = (
                test.wanted if candidates is None else tuple(one for one in test.wanted if one in candidates)
            )
    if candidates is not None:
        return any(all(_satisfies(value, test) for test in tests) for value in candidates)
    return _range_is_open(tests)


def _satisfies(value: Any, test: _Test) -> bool:
    if test.comparator == "Eq":
        return value in test.wanted
    (wanted,) = test.wanted
    if test.comparator == "NotEq":
        return bool(value != wanted)
    if value is None or wanted is None:
        return False
    if type(value) is not type(wanted):
        return True
    return bool(
        {"Lt": value < wanted, "LtE": value <= wanted, "Gt": value > wanted, "GtE": value >= wanted}[
            test.comparator
        ]
    )


def _range_is_open(tests: Iterable[_Test]) -> bool:
    """Whether bounds leave room. Texts are left out: how they sort is the database's own matter."""
    ordered = [test for test in tests if test.comparator != "NotEq"]
    if any(test.wanted == (None,) for test in ordered):
        return False
    bounds = [(test.comparator, test.wanted[0]) for test in ordered if not isinstance(test.wanted[0], str)]
    lower = [(bound, comparator == "GtE") for comparator, bound in bounds if comparator.startswith("G")]
    upper = [(bound, comparator == "LtE") for comparator, bound in bounds if comparator.startswith("L")]
    for low, low_included in lower:
        for high, high_included in upper:
            if type(low) is not type(high):
                continue
            if low > high or (low == high and not (low_included and high_included)):
                return False
    return True
