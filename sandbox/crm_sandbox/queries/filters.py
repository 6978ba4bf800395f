"""Filters as SQL conditions.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows
"""

from __future__ import annotations

from dataclasses import dataclass

from crm_sandbox.errors import unknown_property
from crm_sandbox.queries.lexing import malformed
from crm_sandbox.queries.literals import bound
from crm_sandbox.queries.sql import Condition, From, Operand, Source, all_of, any_of
from crm_sandbox.queries.syntax import (
    Both,
    Comparison,
    Either,
    InList,
    Lambda,
    Literal,
    LiteralKind,
    Negation,
    Node,
    Path,
    QueryFunction,
    TextTest,
)
from crm_sandbox.queries.text_matching import text_condition
from crm_sandbox.schema.model import TEXT_TYPES, Table
from crm_sandbox.store import quoted

_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def compile_filter(node: Node, start: From) -> Condition:
    """The condition of a filter on the rows of a FROM clause, which gets the joins that paths need.

    Raises:
        ODataError: 400, a name does not exist or a value does not fit its column; 403, who asks may not
            read a table that the filter reaches.
    """
    return _Compiler(start, start.root, None).condition(node)


@dataclass(frozen=True, slots=True)
class _Compiler:
    """Writes conditions on one source; inside a lambda, on the rows that its variable stands for."""

    start: From
    source: Source
    variable: str | None

    def condition(self, node: Node) -> Condition:
        match node:
            case Both(operands):
                return all_of(map(self.condition, operands))
            case Either(operands):
                return any_of(map(self.condition, operands))
            case Negation(operand):
                return self.condition(operand).negated()
            case Comparison():
                return self._comparison(node)
            case InList(path, values):
                return self._in(self._operand(path), values)
            case TextTest(function, path, text):
                return self._text_test(function, self._operand(path), text)
            case QueryFunction():
                return self._function(node)
            case Lambda():
                return self._lambda(node)

    def _comparison(self, node: Comparison) -> Condition:
        operand = self._operand(node.left)
        if not isinstance(node.right, Literal):
            return _columns(operand, node.operator, self._operand(node.right))
        if node.right.kind is LiteralKind.NULL:
            if node.operator not in ("eq", "ne"):
                raise malformed("null can only be compared by eq and ne")
            return Condition(f"({operand.sql} IS {'' if node.operator == 'eq' else 'NOT '}NULL)")
        value = bound(node.right, operand.column)
        if node.operator in ("eq", "ne") and _is_pattern(value, operand):
            like = Condition(f"crm_like({operand.compared}, ?)", (value,))
            return like if node.operator == "eq" else _or_null(like.negated(), operand)
        condition = Condition(f"({operand.compared} {_SIGNS[node.operator]} ?)", (value,))
        return _or_null(condition, operand) if node.operator == "ne" else condition

    def _in(self, operand: Operand, values: tuple[Literal, ...]) -> Condition:
        given = tuple(bound(value, operand.column) for value in values if value.kind is not LiteralKind.NULL)
        marks = ",".join("?" * len(given))
        condition = Condition(f"({operand.compared} IN ({marks}))", given)
        return condition if len(given) == len(values) else _or_null(condition, operand)

    def _text_test(self, function: str, operand: Operand, text: str) -> Condition:
        if operand.column.type not in TEXT_TYPES:
            raise malformed(f"{function} takes a column of text")
        return text_condition(function, operand, text)

    def _function(self, node: QueryFunction) -> Condition:
        # Loaded when a filter uses one, which few do.
        from crm_sandbox.queries.operators import query_function

        # PropertyName takes a column's logical name; lookups are also taken as the wire writes them.
        *navigations, name = node.path
        *_, source = self._sources(tuple(navigations))
        known = source.table.columns.get(name)
        operand = source.operand(name) if known is not None else source.wire_operand(name)
        return query_function(node, operand, self.start.asker, self.start.schema)

    def _lambda(self, node: Lambda) -> Condition:
        *navigations, collection = node.path
        if self.variable is not None and len(node.path) > 1:
            *navigations, collection = self._inside(node.path)
        *_, source = self._sources(tuple(navigations), inside=True)
        inner, link = self._related(source, collection)
        body = Condition("1")
        if node.body is not None:
            body = _Compiler(inner, inner.root, node.variable).condition(node.body)
        if node.every:
            sql = f"SELECT 1 FROM {inner.sql} WHERE {link} AND NOT coalesce({body.sql}, 0)"  # noqa: S608 - names of the schema
            return Condition(f"(NOT EXISTS ({sql}))", body.values)
        sql = f"SELECT 1 FROM {inner.sql} WHERE {link} AND {body.sql}"  # noqa: S608 - names of the schema
        return Condition(f"(EXISTS ({sql}))", body.values)

    def _related(self, source: Source, collection: str) -> tuple[From, str]:
        """The rows of a collection-valued navigation property, and what ties them to the source."""
        schema = self.start.schema
        lookup = schema.incoming(source.table).get(collection)
        if lookup is not None:
            inner = self._inner(schema[lookup.table])
            return inner, f"{inner.root.alias}.{quoted(lookup.column)} = {source.key}"
        many = source.table.many_to_many.get(collection)
        if many is None:
            raise unknown_property(collection, source.table.name)
        inner = self._inner(schema[many.other])
        through = (
            f"SELECT {quoted(many.other_column)} FROM {quoted(many.intersect)} "  # noqa: S608 - names of the schema
            f"WHERE {quoted(many.column)} = {source.key}"
        )
        return inner, f"{inner.root.key} IN ({through})"

    def _inner(self, table: Table) -> From:
        """The rows of a related table, under an alias of their own."""
        self.start.asker.require_read(table)
        aliases = self.start.aliases
        return From(self.start.schema, Source(aliases.fresh(), table), self.start.asker, aliases)

    def _operand(self, path: Path) -> Operand:
        return self.start.operand(self._inside(path), self.source)

    def _inside(self, path: Path) -> Path:
        """A path without the variable of the lambda that it stands in."""
        if self.variable is None:
            return path
        if path[0] != self.variable or len(path) == 1:
            raise malformed(f"'{'/'.join(path)}' does not begin with the range variable '{self.variable}'")
        return path[1:]

    def _sources(self, navigations: Path, *, inside: bool = False) -> list[Source]:
        """The sources along single-valued navigation properties, the present one first."""
        sources = [self.source]
        if navigations and self.variable is not None and not inside:
            navigations = navigations[1:] if navigations[0] == self.variable else navigations
        for navigation in navigations:
            lookup = sources[-1].table.lookups.get(navigation)
            if lookup is None:
                raise unknown_property(navigation, sources[-1].table.name)
            sources.append(self.start.follow(sources[-1], lookup))
        return sources


def _columns(left: Operand, operator: str, right: Operand) -> Condition:
    comparison = Condition(f"({left.compared} {_SIGNS[operator]} {right.compared})")
    return _or_null(comparison, left) if operator == "ne" else comparison


def _or_null(condition: Condition, operand: Operand) -> Condition:
    """In Dataverse ``ne`` also matches rows where the column holds nothing."""
    return Condition(f"({condition.sql} OR {operand.sql} IS NULL)", condition.values)


def _is_pattern(value: object, operand: Operand) -> bool:
    return (
        isinstance(value, str) and operand.column.type in TEXT_TYPES and any(char in value for char in "%_[")
    )
