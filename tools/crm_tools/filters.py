"""Reads OData filters and writes them anew.

A filter is parsed (odata-query), every name in it is looked up in the table facts, and the text that is sent
is written from the syntax tree. So what a policy judged is exactly what Dataverse sees. What cannot be
understood is refused, with the position and an example that is right.

Helpful on the way: choice labels become numbers (``statecode eq 'Open'``), a lookup's own name becomes its
column (``parentaccountid`` -> ``_parentaccountid_value``), quoted GUIDs and dates lose their quotes.

Grammar: https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from crm_tools.errors import FilterSyntaxError, InputError, UnknownNameError
from crm_tools.filter_values import kind_of, plain_literal, value_text
from crm_tools.tables import TEXT_TYPES, Column, Table

if TYPE_CHECKING:
    # odata-query builds its parser tables on import (a quarter of a second), so the first filter pays for it.
    from odata_query import ast

LONGEST_FILTER = 8_000
DEEPEST_NESTING = 30
MOST_CONDITIONS = 150

_STRING_FUNCTIONS = frozenset({"contains", "startswith", "endswith"})
_CRM_NAMESPACE = ("Microsoft", "Dynamics", "CRM")
_UNITS = ("Hours", "Days", "Weeks", "Months", "Years")
CRM_FUNCTIONS = frozenset(
    {"Today", "Yesterday", "Tomorrow", "Last7Days", "Next7Days", "On", "OnOrAfter", "OnOrBefore"}
    | {f"{which}{unit}" for which in ("Last", "This", "Next") for unit in ("Week", "Month", "Year")}
    | {f"{which}X{unit}" for which in ("Last", "Next", "OlderThan") for unit in _UNITS}
    | {"OlderThanXMinutes", "EqualUserId", "NotEqualUserId", "EqualUserTeams", "EqualBusinessId"}
)
"""Query functions of one column and at most one value. Those that take lists are not offered.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/queryfunctions
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as it will be sent, and the columns it names for each table it touches."""

    text: str
    named: Mapping[str, frozenset[str]]


def parse_filter(text: str, table: Table, tables: Mapping[str, Table]) -> Filter:
    """Read a filter on ``table`` and write it anew.

    Raises:
        FilterSyntaxError: The text is not a filter; ``position`` counts characters from 0.
        UnknownNameError: A column, lookup, label or function does not exist.
        InputError: A value does not fit its column.
    """
    return write_filter(syntax_tree(text, table), table, tables)


def write_filter(tree: ast._Node, table: Table, tables: Mapping[str, Table]) -> Filter:
    """The filter on ``table`` that a syntax tree stands for; errors as of :func:`parse_filter`."""
    writer = _Writer(table, tables)
    written = writer.condition(tree, table)
    return Filter(written, {name: frozenset(columns) for name, columns in writer.named.items()})


def example_for(table: Table, word: str = "smith") -> str:
    """A filter on this table that is right."""
    named = table.primary_name in table.columns and table.has_names
    parts = [f"contains({table.primary_name},'{word}')"] if named else []
    if "statecode" in table.columns:
        parts.append("statecode eq 0")
    return " and ".join(parts) or f"{table.key} ne null"


@lru_cache(maxsize=256)
def _parsed(text: str) -> ast._Node | None:
    """The tree of a text; trees are never changed, and the same questions are asked again and again."""
    from odata_query.grammar import ODataLexer, ODataParser

    tokens = list(ODataLexer().tokenize(text))
    _check_nesting(tokens)
    tree: ast._Node | None = ODataParser().parse(iter(_mend_single_item_lists(tokens)))
    return tree


def syntax_tree(text: str, table: Table) -> ast._Node:
    """The syntax tree of a filter on ``table``.

    Raises:
        FilterSyntaxError: The text is not a filter; ``position`` counts characters from 0.
    """
    from odata_query import exceptions

    if len(text) > LONGEST_FILTER:
        raise FilterSyntaxError(
            f"The filter is longer than {LONGEST_FILTER:,} characters. Split the question."
        )
    start = len(text) - len(text.lstrip())
    try:
        tree = _parsed(text.strip())
    except exceptions.TokenizingException as error:
        raise _syntax_error(text, table, start + error.token.index) from None
    except exceptions.ParsingException as error:
        position = len(text) if error.eof or error.token is None else start + error.token.index
        raise _syntax_error(text, table, position) from None
    except exceptions.UnknownFunctionException as error:
        known = sorted(_STRING_FUNCTIONS)
        raise UnknownNameError("filter function", error.function_name, known) from None
    except exceptions.ArgumentCountException as error:
        raise FilterSyntaxError(
            f"The filter function {error.function_name} takes {error.exp_min_args} arguments. "
            f"Example that is right: {example_for(table)}"
        ) from None
    if tree is None:
        raise _syntax_error(text, table, len(text))
    return tree


def _syntax_error(text: str, table: Table, position: int) -> FilterSyntaxError:
    hint = ""
    if '"' in text:
        hint = " Text goes in single quotes, not double quotes."
    elif re.search(r"(?<![A-Za-z])[=<>!]=?", text[max(0, position - 1) : position + 3]):
        hint = " Operators are words: eq ne gt ge lt le and or not."
    elif text.count("'") % 2:
        hint = " A quote is not closed; inside text a quote is written twice: 'O''Neil'."
    return FilterSyntaxError(
        f"The filter cannot be read at position {position}.{hint} "
        f"Example that is right: {example_for(table)}",
        position,
    )


def _check_nesting(tokens: Iterable[Any]) -> None:
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.type, 0)
        if depth > DEEPEST_NESTING:
            raise FilterSyntaxError(
                f"The filter nests deeper than {DEEPEST_NESTING} parentheses.", token.index
            )


def _mend_single_item_lists(tokens: list[Any]) -> Iterator[Any]:
    """Add the comma that odata-query wants in a list of one item, so that ``name in ('a')`` is read.

    OData writes one-item lists without it: OData 4.01 part 2, section 5.1.1.12.
    """
    from sly.lex import Token

    in_list, commas = False, 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "(" and before is not None and before.type == "IN":
            in_list, commas = True, 0
        elif in_list and token.type == ",":
            commas += 1
        elif in_list and token.type == ")":
            if commas == 0:
                comma = Token()
                comma.type, comma.value, comma.index, comma.lineno = ",", ",", token.index, token.lineno
                yield comma
            in_list = False
        yield token


class _Writer:
    """Walks the syntax tree once: checks each name, notes each column, writes the text to send."""

    def __init__(self, table: Table, tables: Mapping[str, Table]) -> None:
        self._root = table
        self._tables = tables
        self._lambdas: dict[str, Table] = {}
        self._conditions = 0
        self.named: defaultdict[str, set[str]] = defaultdict(set)

    def condition(self, node: ast._Node, table: Table) -> str:
        from odata_query import ast as nodes

        match node:
            case nodes.BoolOp(op=op, left=left, right=right):
                word = "and" if isinstance(op, nodes.And) else "or"
                return f"{self._operand(left, op, table)} {word} {self._operand(right, op, table)}"
            case nodes.UnaryOp(op=nodes.Not(), operand=operand):
                return f"not ({self.condition(operand, table)})"
            case nodes.Compare():
                return self._comparison(node, table)
            case nodes.Call():
                return self._call(node, table)
            case nodes.CollectionLambda():
                return self._lambda(node, table)
        raise self._not_a_condition()

    def _operand(self, node: ast._Node, around: ast._BoolOpToken, table: Table) -> str:
        """One side of ``and`` or ``or``. A row of one word nests no parentheses: services bound those."""
        from odata_query import ast as nodes

        text = self.condition(node, table)
        is_other = isinstance(node, nodes.BoolOp) and type(node.op) is not type(around)
        return f"({text})" if is_other else text

    def _not_a_condition(self) -> FilterSyntaxError:
        return FilterSyntaxError(
            "The filter holds something that is not a condition. Each part compares one column: "
            "column operator value, or contains(column,'text'). "
            f"Example that is right: {example_for(self._root)}"
        )

    def _count(self) -> None:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise FilterSyntaxError(
                f"The filter has more than {MOST_CONDITIONS} conditions. Split the question."
            )

    def _comparison(self, node: ast.Compare, table: Table) -> str:
        from odata_query import ast as nodes

        self._count()
        operators = {
            nodes.Eq: "eq", nodes.NotEq: "ne", nodes.Lt: "lt", nodes.LtE: "le",
            nodes.Gt: "gt", nodes.GtE: "ge", nodes.In: "in",
        }  # fmt: skip
        path, column = self._path(node.left, table)
        operator = operators[type(node.comparator)]
        if isinstance(node.right, nodes.List):
            items = [self._literal(item, column) for item in node.right.val]
            return f"{path} {operator} ({','.join(items)})"
        if isinstance(node.right, nodes.Identifier | nodes.Attribute):
            other, _ = self._path(node.right, table)
            return f"{path} {operator} {other}"
        return f"{path} {operator} {self._literal(node.right, column)}"

    def _call(self, node: ast.Call, table: Table) -> str:
        self._count()
        if node.func.namespace == _CRM_NAMESPACE:
            return self._crm_function(node, table)
        if node.func.name not in _STRING_FUNCTIONS:
            raise UnknownNameError("filter function", _function_name(node), sorted(_STRING_FUNCTIONS))
        path, column = self._path(node.args[0], table)
        if column.type not in TEXT_TYPES:
            raise InputError(f"{node.func.name} works on text columns; {column.name} is {kind_of(column)}.")
        return f"{node.func.name}({path},{self._literal(node.args[1], column)})"

    def _crm_function(self, node: ast.Call, table: Table) -> str:
        from odata_query import ast as nodes

        name = node.func.name
        if name not in CRM_FUNCTIONS:
            raise UnknownNameError("query function", name, sorted(CRM_FUNCTIONS))
        parameters = {arg.name.name: arg.param for arg in node.args if isinstance(arg, nodes.NamedParam)}
        column_name = parameters.get("PropertyName")
        if not isinstance(column_name, nodes.String) or parameters.keys() - {"PropertyName", "PropertyValue"}:
            raise FilterSyntaxError(
                f"{name} is written Microsoft.Dynamics.CRM.{name}(PropertyName='createdon') "
                "or with PropertyValue as a second parameter."
            )
        column = self._column(column_name.val, table)
        arguments = f"PropertyName='{column.short_name}'"  # a lookup goes by its own name here
        if value := parameters.get("PropertyValue"):
            if not isinstance(value, nodes.Integer | nodes.String | nodes.Date | nodes.DateTime | nodes.GUID):
                raise FilterSyntaxError(f"PropertyValue of {name} is a number, a date or a quoted text.")
            arguments += f",PropertyValue={plain_literal(value)}"
        return f"Microsoft.Dynamics.CRM.{name}({arguments})"

    def _lambda(self, node: ast.CollectionLambda, table: Table) -> str:
        from odata_query import ast as nodes

        if not isinstance(node.owner, nodes.Identifier) or node.owner.name not in table.relationships:
            name = node.owner.name if isinstance(node.owner, nodes.Identifier) else "path"
            raise UnknownNameError(f"relationship of {table.name}", name, table.relationships)
        relationship = table.relationships[node.owner.name]
        word = "any" if isinstance(node.operator, nodes.Any) else "all"
        related = self._tables[relationship.table]
        # Which rows are linked is disclosed even when no column is named.
        self.named[related.name].add(related.navigations[relationship.lookup].column)
        if node.lambda_ is None:
            return f"{relationship.name}/{word}()"
        variable = node.lambda_.identifier.name
        self._lambdas[variable] = related
        inner = self.condition(node.lambda_.expression, table)
        del self._lambdas[variable]
        return f"{relationship.name}/{word}({variable}:{inner})"

    def _path(self, node: ast._Node, table: Table) -> tuple[str, Column]:
        """A column of this table, of a lambda's variable, or of a row that a lookup leads to."""
        names = _path_names(node)
        if names is None:
            raise self._not_a_condition()
        if names[0] in self._lambdas:
            prefix, table, names = f"{names[0]}/", self._lambdas[names[0]], names[1:]
        else:
            prefix = ""
        while len(names) > 1:
            navigation = table.navigations.get(names[0])
            if navigation is None or navigation.table not in self._tables:
                readable = [nav.name for nav in table.navigations.values() if nav.table in self._tables]
                raise UnknownNameError(f"lookup of {table.name}", names[0], readable)
            self.named[table.name].add(navigation.column)
            prefix, table, names = f"{prefix}{navigation.name}/", self._tables[navigation.table], names[1:]
        if not names:
            raise self._not_a_condition()
        column = self._column(names[0], table)
        return f"{prefix}{column.name}", column

    def _column(self, name: str, table: Table) -> Column:
        column = table.by_short_name.get(name)
        if column is None:
            raise UnknownNameError(f"column of {table.name}", name, table.columns)
        self.named[table.name].add(column.name)
        return column

    def _literal(self, node: ast._Node, column: Column) -> str:
        from odata_query import ast as nodes

        if isinstance(node, nodes.Null):
            return "null"
        if isinstance(node, nodes.Identifier | nodes.Attribute | nodes.Call | nodes.List):
            raise self._not_a_condition()
        return value_text(node, column)


def _function_name(node: ast.Call) -> str:
    return ".".join([*node.func.namespace, node.func.name])


def _path_names(node: ast._Node) -> list[str] | None:
    from odata_query import ast as nodes

    match node:
        case nodes.Identifier(name=name, namespace=()):
            return [name]
        case nodes.Attribute(owner=owner, attr=attr):
            names = _path_names(owner)
            return None if names is None else [*names, attr]
    return None
