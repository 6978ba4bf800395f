"""Filters: parsed by odata-query, written as SQL with bound values, refused when not understood.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crm_sandbox.coverage import Missing
from crm_sandbox.errors import UNKNOWN_NAME, ODataError, not_here, unknown_property
from crm_sandbox.schema import tables
from crm_sandbox.store import quoted
from crm_tools.tables import CHOICE_TYPES, NUMBER_TYPES, Column, ColumnType, Table

if TYPE_CHECKING:
    from odata_query import ast

LONGEST = 16_000
DEEPEST = 50
MOST_TOKENS = 4_000
_TEXT_TYPES = (ColumnType.STRING, ColumnType.MEMO)
_ID_TYPES = (ColumnType.UNIQUEIDENTIFIER, ColumnType.LOOKUP)
_DATE_TYPES = (ColumnType.DATE_ONLY, ColumnType.DATE_TIME)


@dataclass
class Joins:
    """The tables that lookup paths lead to, each joined once."""

    clauses: list[str] = field(default_factory=list)
    _aliases: dict[tuple[str, str], str] = field(default_factory=dict)

    def follow(self, alias: str, table: Table, name: str) -> tuple[str, Table]:
        """The alias and table of the row that a lookup leads to."""
        navigation = table.navigations.get(name)
        if navigation is None:
            raise unknown_property(name, table.name)
        target = tables()[navigation.table]
        known = self._aliases.get((alias, name))
        if known is None:
            known = self._aliases[alias, name] = f"j{len(self._aliases) + 1}"
            self.clauses.append(
                f"LEFT JOIN {quoted(target.name)} {known} "
                f"ON {known}.{quoted(target.key)} = {alias}.{quoted(navigation.column)}"
            )
        return known, target


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL with a mark for each value."""

    sql: str
    values: tuple[Any, ...] = ()


def filter_condition(text: str, table: Table, alias: str, joins: Joins) -> Condition:
    """The condition of a ``$filter`` on the table that is known as ``alias``.

    Raises:
        ODataError: 400 for what is not a filter, 501 for what the sandbox does not do.
    """
    return _Compiler(table, alias, joins).condition(_parse(text))


def _parse(text: str) -> ast._Node:
    from odata_query.exceptions import ODataException
    from odata_query.grammar import ODataLexer, ODataParser

    if len(text) > LONGEST:
        raise _malformed("the filter is too long")
    try:
        tokens = list(ODataLexer().tokenize(text.strip()))
        _check_size(tokens)
        tree: ast._Node | None = ODataParser().parse(iter(_with_commas(tokens)))
    except ODataException:
        raise _malformed("syntax error in the filter") from None
    if tree is None:
        raise _malformed("the filter is empty")
    return tree


def _malformed(why: str) -> ODataError:
    return ODataError(400, UNKNOWN_NAME, f"The query option $filter is not valid: {why}.")


def _check_size(tokens: list[Any]) -> None:
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.type, 0)
        if depth > DEEPEST:
            raise _malformed("it is nested too deeply")
    if len(tokens) > MOST_TOKENS or sum(token.type in ("AND", "OR", "NOT") for token in tokens) > 300:
        raise _malformed("it has too many conditions")


def _with_commas(tokens: list[Any]) -> Iterator[Any]:
    """Give one-item lists after ``in`` the trailing comma that odata-query's grammar asks for."""
    from sly.lex import Token

    opened = False
    commas = 0
    previous = None
    for token in tokens:
        if token.type == "(" and previous == "IN":
            opened, commas = True, 0
        elif opened and token.type == ",":
            commas += 1
        elif opened and token.type == ")":
            opened = False
            if not commas:
                comma = Token()
                comma.type, comma.value, comma.lineno, comma.index = ",", ",", token.lineno, token.index
                yield comma
        previous = token.type
        yield token


class _Compiler:
    """Writes a syntax tree as SQL."""

    def __init__(self, table: Table, alias: str, joins: Joins) -> None:
        self._table = table
        self._alias = alias
        self._joins = joins

    def condition(self, node: ast._Node) -> Condition:
        from odata_query import ast as nodes

        match node:
            case nodes.BoolOp(op=op, left=left, right=right):
                first, second = self.condition(left), self.condition(right)
                word = "AND" if isinstance(op, nodes.And) else "OR"
                return Condition(f"({first.sql} {word} {second.sql})", first.values + second.values)
            case nodes.UnaryOp(op=nodes.Not(), operand=operand):
                inner = self.condition(operand)
                return Condition(f"(NOT {inner.sql})", inner.values)
            case nodes.Compare():
                return self._comparison(node)
            case nodes.Call():
                return self._call(node)
            case nodes.CollectionLambda():
                raise not_here(Missing.LAMBDAS)
            case nodes.BinOp():
                raise not_here(Missing.ARITHMETIC)
        raise _malformed("a condition is expected")

    def _comparison(self, node: ast.Compare) -> Condition:
        from odata_query import ast as nodes

        operand, column = self._operand(node.left)
        right = node.right
        if isinstance(node.comparator, nodes.In):
            values = (
                tuple(_bound(item, column) for item in right.val) if isinstance(right, nodes.List) else ()
            )
            if not values:
                raise _malformed("in takes a list")
            collate = " COLLATE CI" if column.type in _TEXT_TYPES else ""
            return Condition(f"({operand}{collate} IN ({','.join('?' * len(values))}))", values)
        equal, unequal = isinstance(node.comparator, nodes.Eq), isinstance(node.comparator, nodes.NotEq)
        if isinstance(right, nodes.Null):
            if not equal and not unequal:
                raise _malformed("null can only be compared by eq and ne")
            return Condition(f"({operand} IS {'' if equal else 'NOT '}NULL)")
        if isinstance(right, nodes.Identifier | nodes.Attribute):
            other, _ = self._operand(right)
            return _compared(operand, type(node.comparator).__name__, other, column, ())
        if isinstance(right, nodes.BinOp | nodes.Call):
            raise not_here(Missing.ARITHMETIC)
        value = _bound(right, column)
        if (
            isinstance(value, str)
            and (equal or unequal)
            and column.type in _TEXT_TYPES
            and _has_wildcard(value)
        ):
            like = f"crm_like({operand}, ?)"
            return Condition(like if equal else f"(NOT {like} OR {operand} IS NULL)", (value,))
        return _compared(operand, type(node.comparator).__name__, "?", column, (value,))

    def _call(self, node: ast.Call) -> Condition:
        from odata_query import ast as nodes

        if node.func.namespace:
            raise not_here(Missing.FUNCTIONS)
        patterns = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
        if node.func.name not in patterns:
            raise not_here(Missing.ARITHMETIC)
        operand, column = self._operand(node.args[0])
        value = node.args[1]
        if column.type not in _TEXT_TYPES or not isinstance(value, nodes.String):
            raise _malformed(f"{node.func.name} takes a text column and a text")
        return Condition(f"crm_like({operand}, ?)", (patterns[node.func.name].format(value.val),))

    def _operand(self, node: ast._Node) -> tuple[str, Column]:
        from odata_query import ast as nodes

        names: list[str] = []
        while isinstance(node, nodes.Attribute):
            names.insert(0, node.attr)
            node = node.owner
        if isinstance(node, nodes.Call | nodes.BinOp | nodes.UnaryOp):
            raise not_here(Missing.ARITHMETIC)
        if not isinstance(node, nodes.Identifier) or node.namespace:
            raise _malformed("a column is expected on the left of an operator")
        return column_operand([node.name, *names], self._table, self._alias, self._joins)


def column_operand(path: list[str], table: Table, alias: str, joins: Joins) -> tuple[str, Column]:
    """The SQL of a column, through lookups when the path has several names.

    Raises:
        ODataError: 400, a name does not exist.
    """
    *lookups, name = path
    for lookup in lookups:
        alias, table = joins.follow(alias, table, lookup)
    column = table.columns.get(name)
    if column is None:
        raise unknown_property(name, table.name)
    return f"{alias}.{quoted(name)}", column


def _compared(operand: str, operator: str, other: str, column: Column, values: tuple[Any, ...]) -> Condition:
    collate = " COLLATE CI" if column.type in _TEXT_TYPES else ""
    sign = {"Eq": "=", "NotEq": "<>", "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">="}[operator]
    sql = f"{operand} {sign} {other}{collate}"
    # In Dataverse ne also matches rows where the column holds nothing.
    return Condition(f"({sql} OR {operand} IS NULL)" if operator == "NotEq" else f"({sql})", values)


def _has_wildcard(value: str) -> bool:
    return any(char in value for char in "%_[")


def _bound(node: ast._Node, column: Column) -> Any:
    """The value of a literal as the column stores it.

    Raises:
        ODataError: 400, the literal is of another type.
    """
    from odata_query import ast as nodes

    match node:
        case nodes.String(val=value) if column.type in _TEXT_TYPES:
            return value
        case nodes.Integer(val=value) if column.type in CHOICE_TYPES or column.type in NUMBER_TYPES:
            return _in_range(int(value))
        case nodes.Float(val=value) if column.type in NUMBER_TYPES:
            return float(value)
        case nodes.GUID(val=value) if column.type in _ID_TYPES:
            return value.lower()
        case nodes.Date(val=value) | nodes.DateTime(val=value) if column.type in _DATE_TYPES:
            return stored_time(value, column)
    raise _malformed(f"the value does not fit the type of {column.name}")


def _in_range(value: int) -> int:
    if abs(value) >= 2**63:
        raise _malformed("a number is out of range")
    return value


def stored_time(text: str, column: Column) -> str:
    """A date, or a time in UTC, as the column stores it.

    Raises:
        ODataError: 400, no such date.
    """
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?", text):
        raise _malformed("not a date")
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _malformed("no such date") from None
    return moment.strftime("%Y-%m-%d" if column.type is ColumnType.DATE_ONLY else "%Y-%m-%dT%H:%M:%SZ")
