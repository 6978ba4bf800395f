"""Filters without ``not``, so that a filter and its negation share all rows between them.

In SQL, and so in Dataverse, neither ``revenue gt 1`` nor ``not (revenue gt 1)`` selects a row whose revenue
is null. Here the negation of a condition selects each row that the condition does not.

``ne`` includes null already, and ``not`` before a query function is refused:
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_tools.errors import InputError

if TYPE_CHECKING:
    from odata_query import ast

_OPPOSITE_FUNCTIONS = {"EqualUserId": "NotEqualUserId", "NotEqualUserId": "EqualUserId"}


def without_not(node: ast._Node, *, negated: bool = False) -> ast._Node:
    """The same condition, or its negation, with each ``not`` drawn into the parts that compare.

    Raises:
        InputError: It compares in a way that has no negation.
    """
    from odata_query import ast as nodes

    match node:
        case nodes.UnaryOp(op=nodes.Not(), operand=operand):
            return without_not(operand, negated=not negated)
        case nodes.BoolOp(op=op, left=left, right=right):
            is_and = isinstance(op, nodes.And) is not negated
            return nodes.BoolOp(
                nodes.And() if is_and else nodes.Or(),
                without_not(left, negated=negated),
                without_not(right, negated=negated),
            )
    if isinstance(node, nodes.Compare):
        _require_order(node)
    return _negation(node) if negated else node


def _require_order(node: ast.Compare) -> None:
    from odata_query import ast as nodes

    if isinstance(node.right, nodes.Null) and not isinstance(node.comparator, nodes.Eq | nodes.NotEq):
        raise InputError("A column can be eq null or ne null; nothing comes before or after null.")


def _negation(node: ast._Node) -> ast._Node:
    from odata_query import ast as nodes

    match node:
        case nodes.Compare(comparator=nodes.Eq(), left=left, right=right) if not _is_column(right):
            return nodes.Compare(nodes.NotEq(), left, right)
        case nodes.Compare(comparator=nodes.NotEq(), left=left, right=right) if not _is_column(right):
            return nodes.Compare(nodes.Eq(), left, right)
        case nodes.Compare(left=left, right=right):
            columns = [left, right] if _is_column(right) else [left]
            return _or_null(_not(node), columns)
        case nodes.Call(func=nodes.Identifier(name=name, namespace=()), args=[column, _]):
            return _or_null(_not(node), [column])
        case nodes.Call(func=nodes.Identifier(name=name, namespace=namespace), args=args):
            if name not in _OPPOSITE_FUNCTIONS:
                raise InputError(f"{name} has no negation; say which rows are meant in another way.")
            return nodes.Call(nodes.Identifier(_OPPOSITE_FUNCTIONS[name], namespace), args)
    return _not(node)


def _is_column(node: ast._Node) -> bool:
    from odata_query import ast as nodes

    return isinstance(node, nodes.Identifier | nodes.Attribute)


def _not(node: ast._Node) -> ast._Node:
    from odata_query import ast as nodes

    return nodes.UnaryOp(nodes.Not(), node)


def _or_null(node: ast._Node, columns: list[ast._Node]) -> ast._Node:
    from odata_query import ast as nodes

    for column in columns:
        node = nodes.BoolOp(nodes.Or(), node, nodes.Compare(nodes.Eq(), column, nodes.Null()))
    return node
