"""SQL queries parsed, held against the tables, and written anew.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/sql
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

from crm_sandbox.queries.aggregates import (
    MOST_JOINS,
    MOST_ROWS,
    Aggregate,
    aggregate_sql,
    too_many_joins,
)
from crm_sandbox.queries.sql import Asker, Condition, Operand, Source, all_of
from crm_sandbox.queries.sql_conditions import Conditions, Scope, conjuncts, only
from crm_sandbox.queries.sql_query import LARGEST_PAGE, SqlColumn, SqlQuery, refused
from crm_sandbox.schema.base_columns import VERSION
from crm_sandbox.schema.model import TEXT_TYPES, Column, Schema, Table
from crm_sandbox.store import quoted

LONGEST = 65_536
"""An address in a ``$batch`` may have so many characters; a plain one has half of them."""
MOST_TOKENS = 3_000
MOST_COLUMNS = 200
DEEPEST = 20
FURTHEST = 1_000_000
_ALIAS = re.compile(r"[A-Za-z_]\w{0,127}", re.ASCII)
_DIALECT = "tsql"
_AGGREGATES: dict[type[exp.Expression], Aggregate] = {
    exp.Count: Aggregate.COUNT,
    exp.Sum: Aggregate.SUM,
    exp.Avg: Aggregate.AVERAGE,
    exp.Min: Aggregate.MIN,
    exp.Max: Aggregate.MAX,
}
_REFUSED_CLAUSES = {
    "having": "HAVING is not supported. Filter with WHERE before aggregating.",
    "with": "WITH is not supported.",
}
_JOINS = {
    ("", ""): "INNER JOIN",
    ("", "INNER"): "INNER JOIN",
    ("LEFT", ""): "LEFT JOIN",
    ("LEFT", "OUTER"): "LEFT JOIN",
}
_CLAUSES = ("expressions", "from_", "from", "joins", "where", "group", "order", "distinct", "limit", "offset")


def compile_sql(text: str, schema: Schema, asker: Asker) -> SqlQuery:
    """The statement that answers a query.

    Raises:
        ODataError: 400, it is no SELECT of the documented subset, or names what does not exist.
    """
    try:
        return _Statement(_parsed(text), schema, asker).query()
    except RecursionError:
        raise refused("it is nested too deeply.") from None


def _parsed(text: str) -> exp.Select:
    if len(text) > LONGEST:
        raise refused("it is too long.")
    try:
        _check_tokens(sqlglot.tokenize(text, read=_DIALECT))
        statements = [found for found in sqlglot.parse(text, read=_DIALECT) if found is not None]
    except SqlglotError:
        raise refused("it has a syntax error.") from None
    except (ValueError, TypeError, AttributeError, LookupError):
        # The parser answers some texts that are no SQL with errors of its own making.
        raise refused("it has a syntax error.") from None
    if len(statements) != 1:
        raise refused("it must be a single SELECT statement.")
    (statement,) = statements
    if isinstance(statement, exp.SetOperation):
        raise refused("UNION, EXCEPT and INTERSECT are not supported.")
    if not isinstance(statement, exp.Select):
        raise refused("it must be a single SELECT statement.")
    for clause, value in statement.args.items():
        why = _REFUSED_CLAUSES.get(clause.strip("_"))
        if value and why:
            raise refused(why)
    if any(node is not statement for node in statement.find_all(exp.Query)):
        raise refused("subqueries are not supported.")
    only(statement, *_CLAUSES)
    return statement


def _check_tokens(found: list[Token]) -> None:
    if len(found) > MOST_TOKENS:
        raise refused("it has too many parts.")
    if not found or found[0].token_type not in (TokenType.SELECT, TokenType.WITH):
        raise refused("it must be a single SELECT statement.")
    depth = 0
    for token in found:
        if token.token_type is TokenType.LIMIT:
            raise refused("LIMIT is not supported. Use TOP.")
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
        if depth > DEEPEST:
            raise refused("it is nested too deeply.")


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of the select list: a column, an aggregate of one, or COUNT(*), which has no operand."""

    name: str
    operand: Operand | None
    aggregate: Aggregate | None
    renamed: bool

    @property
    def column(self) -> Column | None:
        """What the value is formatted as."""
        return None if self.operand is None or self.aggregate is Aggregate.COUNT else self.operand.column

    @property
    def compared(self) -> str:
        """The expression that it is sorted and told from others by."""
        if self.operand is None:
            return "count(*)"
        if self.aggregate is None:
            return self.operand.compared
        return aggregate_sql(self.aggregate, self.operand)


class _Statement:
    """Writes the statement of one query."""

    def __init__(self, select: exp.Select, schema: Schema, asker: Asker) -> None:
        self._select = select
        self._schema = schema
        self._scope = Scope({})
        self._conditions = Conditions(self._scope, asker)
        self._body: list[str] = []
        self._values: list[Any] = []
        self._selected: list[str] = []
        self._columns: list[SqlColumn] = []

    def query(self) -> SqlQuery:
        self._from()
        items = [self._item(node) for node in self._select.expressions]
        if not 0 < len(items) <= MOST_COLUMNS:
            raise refused("it must select some columns, but not too many.")
        root = next(iter(self._scope.sources.values()))
        keys = self._groups(items)
        version = None
        if keys is None:
            version = self._rows_of(root, items)
        for item in items:
            self._add(item, root.table, grouped=keys is not None)
        order = self._order(items, keys)
        aggregated = any(item.aggregate is not None for item in items)
        first, most = self._window()
        body = " ".join(self._body)
        groups = f" GROUP BY {', '.join(keys)}" if keys else ""
        ordered = f" ORDER BY {', '.join(order)}" if order else ""
        return SqlQuery(
            table=root.table,
            tables=tuple(source.table for source in self._scope.sources.values()),
            sql=f"SELECT {', '.join(self._selected)} {body}{groups}{ordered}",
            values=tuple(self._values),
            columns=tuple(self._columns),
            version_position=version,
            first=first,
            most=most,
            count_sql=f"SELECT count(*) FROM (SELECT 1 {body} LIMIT {MOST_ROWS + 1})" if aggregated else None,  # noqa: S608 - names of the schema
        )

    def _from(self) -> None:
        start = self._select.args.get("from_") or self._select.args.get("from")
        if start is None:
            raise refused("FROM is missing.")
        source = self._source(start.this)
        self._body.append(f"FROM {quoted(source.table.name)} {source.alias}")
        joins = self._select.args.get("joins") or []
        if len(joins) > MOST_JOINS:
            raise too_many_joins()
        for join in joins:
            self._join(join)
        where = self._select.args.get("where")
        if where is not None:
            self._condition("WHERE", self._conditions.condition(where.this))

    def _source(self, node: exp.Expression) -> Source:
        """Take a table of the query into the scope."""
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise refused("FROM and JOIN take the name of a table.")
        only(node, "this", "alias")
        if node.args.get("alias"):
            only(node.args["alias"], "this")
        table = self._schema.get(node.name.lower())
        if table is None:
            raise refused(f"there is no table '{node.name}'.")
        alias = (node.alias or node.name).lower()
        if alias in self._scope.sources:
            raise refused(f"two tables are called '{alias}'; give one an alias.")
        source = Source(f"s{len(self._scope.sources)}", table)
        self._scope.sources[alias] = source
        return source

    def _join(self, join: exp.Join) -> None:
        only(join, "this", "side", "kind", "on")
        kind = (join.side.upper(), join.kind.upper())
        if kind not in _JOINS:
            raise refused("only INNER JOIN and LEFT JOIN are supported.")
        on = join.args.get("on")
        if on is None:
            raise refused("a JOIN must have ON; CROSS JOIN is not supported.")
        joined = self._source(join.this)
        self._body.append(f"{_JOINS[kind]} {quoted(joined.table.name)} {joined.alias}")
        self._condition("ON", self._join_condition(on, joined))

    def _join_condition(self, on: exp.Expression, joined: Source) -> Condition:
        """One column of each side, equal; and conditions on the joined table alone."""
        links: list[Condition] = []
        filters: list[Condition] = []
        for part in conjuncts(on):
            if isinstance(part, exp.EQ) and all(isinstance(side, exp.Column) for side in _sides(part)):
                links.append(self._link(part, joined))
                continue
            if any(self._scope.source(column) != joined for column in part.find_all(exp.Column)):
                raise refused("additional conditions in ON must be on columns of the joined table.")
            filters.append(self._conditions.condition(part))
        if len(links) != 1:
            raise refused("ON must have one condition of the form a.column = b.column.")
        return all_of([*links, *filters])

    def _link(self, node: exp.EQ, joined: Source) -> Condition:
        if sum(self._scope.source(side) == joined for side in _sides(node)) != 1:
            raise refused("ON must compare a column of the joined table with one of another table.")
        left, right = (self._scope.operand(side) for side in _sides(node))
        return Condition(f"({left.compared} = {right.compared})")

    def _condition(self, word: str, condition: Condition) -> None:
        self._body.append(f"{word} {condition.sql}")
        self._values += condition.values

    def _item(self, node: exp.Expression) -> _Item:
        alias = node.alias if isinstance(node, exp.Alias) else ""
        if alias and not _ALIAS.fullmatch(alias):
            raise refused(f"'{alias[:128]}' cannot be an alias.")
        shown = node.this if isinstance(node, exp.Alias) else node
        if isinstance(shown, exp.Star) or (
            isinstance(shown, exp.Column) and isinstance(shown.this, exp.Star)
        ):
            raise refused("SELECT * is not supported. Name each column.")
        aggregate = _AGGREGATES.get(type(shown))
        if aggregate is None:
            operand = self._scope.operand(shown)
            return _Item(alias or operand.column.wire, operand, None, renamed=bool(alias))
        only(shown, "this")
        if not alias:
            raise refused("an aggregate must have an alias.")
        if aggregate is Aggregate.COUNT and isinstance(shown.this, exp.Star):
            return _Item(alias, None, aggregate, renamed=False)
        return _Item(alias, self._scope.operand(shown.this), aggregate, renamed=False)

    def _groups(self, items: list[_Item]) -> list[str] | None:
        """The expressions that rows are grouped by; none at all where each row stands for itself."""
        group, distinct = self._select.args.get("group"), self._select.args.get("distinct")
        aggregated = any(item.aggregate is not None for item in items)
        if distinct is not None:
            only(distinct)
            if group is not None or aggregated:
                raise refused("DISTINCT cannot be combined with GROUP BY or aggregates.")
            return [item.compared for item in items]
        if group is None and not aggregated:
            return None
        keys: list[str] = []
        if group is not None:
            only(group, "expressions")
            keys = [self._scope.operand(node).compared for node in group.expressions]
        for item in items:
            if item.aggregate is None and item.compared not in keys:
                raise refused(f"'{item.name}' is neither in an aggregate nor in GROUP BY.")
        return keys

    def _rows_of(self, root: Source, items: list[_Item]) -> int | None:
        """Add what rows of a table are answered with beside what is selected: their version and their key."""
        key = root.operand(root.table.key)
        if all(item.operand != key or item.renamed for item in items):
            items.append(_Item(key.column.wire, key, None, renamed=False))
        if VERSION not in root.table.columns:
            return None
        self._selected.append(root.operand(VERSION).sql)
        return len(self._selected) - 1

    def _add(self, item: _Item, root: Table, *, grouped: bool) -> None:
        if any(known.name == item.name for known in self._columns):
            raise refused(f"two columns are called '{item.name}'; give one an alias.")
        operand, type_position = item.operand, None
        position = len(self._selected)
        # Texts that differ in case only are one group, which shows one of them.
        text = operand is not None and operand.column.type in TEXT_TYPES
        if operand is None or item.aggregate is not None:
            self._selected.append(item.compared)
        else:
            self._selected.append(f"min({operand.sql})" if grouped and text else operand.sql)
            if operand.column.is_polymorphic:
                type_position = len(self._selected)
                type_column = f"{operand.sql.partition('.')[0]}.{quoted(operand.column.type_column)}"
                self._selected.append(f"min({type_column})" if grouped else type_column)
        table = root if operand is None else operand.table
        self._columns.append(SqlColumn(item.name, item.column, table, position, item.renamed, type_position))

    def _order(self, items: list[_Item], keys: list[str] | None) -> list[str]:
        """The sort keys. Those at the end make the order the same each time, so that pages fit together."""
        order = self._select.args.get("order")
        sorts = []
        for node in order.expressions if order is not None else ():
            key = self._sort_key(node.this, items)
            aggregated = any(item.aggregate is not None and item.compared == key for item in items)
            if keys is not None and key not in keys and not aggregated:
                raise refused("ORDER BY takes columns that are selected or grouped by.")
            sorts.append(f"{key} {'DESC' if node.args.get('desc') else 'ASC'}")
        last = [source.key for source in self._scope.sources.values()] if keys is None else keys
        return [*sorts, *last]

    def _window(self) -> tuple[int, int | None]:
        """How many rows OFFSET passes over, and how many TOP or FETCH lets through."""
        offset, limit = self._select.args.get("offset"), self._select.args.get("limit")
        if offset is not None and self._select.args.get("order") is None:
            raise refused("OFFSET needs ORDER BY.")
        if limit is not None and limit.args.get("limit_options") is not None:
            only(limit.args["limit_options"], "rows")
        first = 0 if offset is None else _whole_number(offset.expression, FURTHEST)
        if limit is None:
            return first, None
        if isinstance(limit, exp.Fetch):
            return first, _whole_number(limit.args.get("count"), LARGEST_PAGE)
        return first, _whole_number(limit.expression, LARGEST_PAGE)

    def _sort_key(self, node: exp.Expression, items: list[_Item]) -> str:
        if isinstance(node, exp.Column) and not node.table:
            for item in items:
                if item.name.lower() == node.name.lower():
                    return item.compared
        return self._scope.operand(node).compared


def _whole_number(node: exp.Expression | None, most: int) -> int:
    text = str(node.this) if isinstance(node, exp.Literal) and not node.is_string else ""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) > most:
        raise refused(f"TOP, OFFSET and FETCH take a whole number up to {most}.")
    return int(text)


def _sides(node: exp.EQ) -> tuple[exp.Expression, exp.Expression]:
    return node.this, node.expression
