"""Conditions that a policy holds rows and values against: sent to Dataverse as a filter, or evaluated here.

A condition is written as a filter, with ``@me``, ``@my_team`` and ``@my_business_unit`` for the caller:
``ownerid eq @me and estimatedvalue lt 100000``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from crm_tools.errors import InputError
from crm_tools.filters import parse_filter, syntax_tree, write_filter
from crm_tools.negation import without_not
from crm_tools.tables import Table

if TYPE_CHECKING:
    from odata_query import ast

Values = Mapping[str, Any]
"""Values by wire name; a column that is missing is one that nothing is said of."""


class Verdict(Enum):
    """What values tell of a condition. ``SILENT``: it speaks of none of them."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"
    SILENT = "silent"


Evaluator = Callable[[Values], Verdict]

_CALLERS = {
    "me": "EqualUserId",
    "my_team": "EqualUserTeams",
    "my_business_unit": "EqualBusinessId",
}
_CALLER = re.compile(r"(\w+)\s+eq\s+@(\w+)")
_OWNER, _OWNER_COLUMN = "ownerid", "_ownerid_value"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on rows of a table.

    ``text`` is the filter that is sent, ``negation`` one that selects all other rows, for conditions that are
    read to be negated. ``columns`` are the table's own columns that it names, ``needs_caller`` says that it
    depends on who asks.
    """

    text: str
    negation: str | None
    columns: frozenset[str]
    needs_caller: bool
    _evaluate: Evaluator

    def judge(self, values: Values) -> Verdict:
        """Whether it holds for these values. Parts that speak of other columns are left out of it."""
        return self._evaluate(values)

    def covers(self, values: Values) -> bool:
        """Whether these values are all that it speaks of, so that the judgement is one of the row."""
        needed = self.columns - {_OWNER_COLUMN} if self.needs_caller else self.columns
        return needed <= values.keys()


def parse_condition(
    text: str, table: Table, tables: Mapping[str, Table], *, to_negate: bool = False
) -> Condition:
    """Read a condition on rows of ``table``; ``to_negate`` where all other rows are meant.

    Raises:
        InputError: It is no filter, names what does not exist, or cannot be negated.
    """
    plain = _CALLER.sub(_caller_function, text)
    if "@" in re.sub(r"'(?:[^']|'')*'", "", plain):
        raise InputError(f"Known after @ are {', '.join(_CALLERS)}, each compared as in: ownerid eq @me.")
    given = syntax_tree(parse_filter(plain, table, tables).text, table)
    tree = without_not(given)
    filter_ = write_filter(tree, table, tables)
    return Condition(
        filter_.text,
        write_filter(without_not(given, negated=True), table, tables).text if to_negate else None,
        filter_.named.get(table.name, frozenset()),
        "Microsoft.Dynamics.CRM." in filter_.text,
        _compile(tree),
    )


def _caller_function(match: re.Match[str]) -> str:
    if match[2] not in _CALLERS:
        raise InputError(f"Unknown @{match[2]}. Known: {', '.join('@' + name for name in _CALLERS)}.")
    return f"Microsoft.Dynamics.CRM.{_CALLERS[match[2]]}(PropertyName='{match[1]}')"


def _compile(node: ast._Node) -> Evaluator:
    """An evaluator; what cannot be evaluated here, such as a path to another table, is unknown."""
    from odata_query import ast as nodes

    match node:
        case nodes.BoolOp(op=op, left=left, right=right):
            deciding = Verdict.TRUE if isinstance(op, nodes.Or) else Verdict.FALSE
            return _both(_compile(left), _compile(right), deciding=deciding)
        case nodes.UnaryOp(op=nodes.Not(), operand=operand):
            inner = _compile(operand)
            return lambda values: _OPPOSITE[inner(values)]
        case nodes.Compare(comparator=comparator, left=nodes.Identifier(name=name), right=right):
            return _comparison(type(comparator).__name__, name, right)
        case nodes.Call(
            func=nodes.Identifier(name=name, namespace=()), args=[nodes.Identifier(name=column), value]
        ):
            return _text_function(name, column, value)
        case nodes.Call(
            func=nodes.Identifier(name="EqualUserId"), args=[nodes.NamedParam(param=nodes.String(val=own))]
        ):
            # Whoever creates a row without saying whose it is owns it.
            return lambda values: _is_own(values, own)
    return _unknown


def _is_own(values: Values, column: str) -> Verdict:
    own = column == _OWNER and _OWNER_COLUMN not in values
    return Verdict.TRUE if own else Verdict.UNKNOWN


def _both(left: Evaluator, right: Evaluator, *, deciding: Verdict) -> Evaluator:
    """And, or with ``deciding`` true or: one side with that verdict decides alone."""

    def evaluate(values: Values) -> Verdict:
        one, other = left(values), right(values)
        if Verdict.SILENT in (one, other):
            return other if one is Verdict.SILENT else one
        if deciding in (one, other):
            return deciding
        return Verdict.UNKNOWN if Verdict.UNKNOWN in (one, other) else _OPPOSITE[deciding]

    return evaluate


_OPPOSITE = {
    Verdict.TRUE: Verdict.FALSE,
    Verdict.FALSE: Verdict.TRUE,
    Verdict.UNKNOWN: Verdict.UNKNOWN,
    Verdict.SILENT: Verdict.SILENT,
}


def _verdict(holds: bool) -> Verdict:
    return Verdict.TRUE if holds else Verdict.FALSE


def _unknown(_values: Any) -> Verdict:
    return Verdict.UNKNOWN


def _comparison(comparator: str, name: str, right: ast._Node) -> Evaluator:
    from odata_query import ast as nodes

    if isinstance(right, nodes.Identifier | nodes.Attribute):
        return _unknown
    if isinstance(right, nodes.List):
        compare = _any_of([_literal(item) for item in right.val])
    else:
        compare = _compared_with(comparator, _literal(right))
    return lambda values: compare(values[name]) if name in values else Verdict.SILENT


def _has_wildcards(wanted: Any) -> bool:
    """Dataverse reads these as wildcards, so that text would be compared with something else here."""
    return isinstance(wanted, str) and any(char in wanted for char in "%_[")


def _any_of(wanted: list[Any]) -> Evaluator:
    if any(_has_wildcards(one) for one in wanted):
        return _unknown
    return lambda value: _verdict(_comparable(value) in wanted)


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
}


def _compared_with(comparator: str, wanted: Any) -> Callable[[Any], Verdict]:
    """One value against another; nothing is in no order, and differs from everything else."""
    if _has_wildcards(wanted):
        return _unknown
    if comparator in ("Eq", "NotEq"):
        return lambda value: _verdict((_comparable(value) == wanted) is (comparator == "Eq"))
    in_order = _ORDERS[comparator]

    def compared(value: Any) -> Verdict:
        given = _comparable(value)
        if given is None or wanted is None:
            return Verdict.FALSE
        # What cannot be put in an order is not known.
        return _verdict(in_order(given, wanted)) if type(given) is type(wanted) else Verdict.UNKNOWN

    return compared


_TEXT_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


def _text_function(name: str, column: str, node: ast._Node) -> Evaluator:
    wanted = _literal(node)
    if not isinstance(wanted, str) or _has_wildcards(wanted):
        return _unknown
    test = _TEXT_TESTS[name]

    def evaluate(values: Values) -> Verdict:
        if column not in values:
            return Verdict.SILENT
        text = values[column]
        return _verdict(isinstance(text, str) and test(text.casefold(), wanted))

    return evaluate


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
            return _moment(text)
        case nodes.String(val=text) | nodes.GUID(val=text):
            return text.casefold()
    raise InputError("A condition compares columns with values.")


def _comparable(value: Any) -> Any:
    """A value as literals are: numbers as floats, moments as datetimes, texts without case."""
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str):
        return _moment(value) if re.match(r"\d{4}-\d\d-\d\d(T|$)", value) else value.casefold()
    return value


def _moment(text: str) -> Any:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text.casefold()
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
