"""The rows that a search finds, in order, and where their texts match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crm_sandbox.queries.search_index import HIT, HIT_END, FullText, index_name, searched_columns
from crm_sandbox.queries.search_request import SearchOrder
from crm_sandbox.queries.search_syntax import (
    AllOf,
    AnyOf,
    Everything,
    Expression,
    NotOf,
    Term,
    holds_without_terms,
    terms,
)
from crm_sandbox.queries.sql import Condition, From, all_of, any_of
from crm_sandbox.queries.work import bounded
from crm_sandbox.schema.model import Column, Table
from crm_sandbox.store import Store, quoted

_MOST_TEXTS = 500
_SCORE = "coalesce(m.score, 1.0)"
"""The score of a row, which is 1 where it matches without having any of the terms."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A table as a request searches it: the rows of ``start`` where a condition holds."""

    table: Table
    select: tuple[Column, ...]
    search: tuple[Column, ...]
    start: From
    where: Condition


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found; ``number`` is its row id in SQLite."""

    scope: Scope
    key: str
    number: int
    score: float


class Finder:
    """Finds rows for one request, of tables whose indexes have been prepared."""

    def __init__(self, store: Store, index: FullText) -> None:
        self._store = store
        self._index = index
        self._asked: dict[tuple[str, tuple[Column, ...], Term], str | None] = {}

    def count(self, scopes: Sequence[Scope], wanted: Expression) -> int:
        """How many rows match."""
        if not scopes:
            return 0
        union = self._union(scopes, wanted, ())
        sql = f"SELECT count(*) FROM ({union.sql})"  # noqa: S608 - names of the schema
        with bounded(self._store.connection):
            ((count,),) = self._store.connection.execute(sql, union.values).fetchall()
        return int(count)

    def page(
        self,
        scopes: Sequence[Scope],
        wanted: Expression,
        orders: Sequence[SearchOrder],
        top: int,
        skip: int = 0,
    ) -> list[Hit]:
        """The rows that match, best first unless an order is given.

        Raises:
            ODataError: 400, the order names a column that one of the tables does not have.
        """
        if not scopes:
            return []
        union = self._union(scopes, wanted, orders)
        sorts = [f"sort{place} {'DESC' if order.descending else 'ASC'}" for place, order in enumerate(orders)]
        order = ", ".join([*sorts, "score DESC", "place", "id"])
        sql = f"SELECT place, id, number, score FROM ({union.sql}) ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - names of the schema
        with bounded(self._store.connection):
            rows = self._store.connection.execute(sql, [*union.values, top, skip]).fetchall()
        return [Hit(scopes[place], key, number, score) for place, key, number, score in rows]

    def highlights(self, hit: Hit, wanted: Expression) -> dict[str, list[str]]:
        """The texts of a row in which a term was found, with marks round it."""
        scope = hit.scope
        matches = [self._match(scope, term) for term in terms(wanted)]
        asked = " OR ".join(f"({match})" for match in matches if match is not None)
        if not asked:
            return {}
        index, columns = index_name(scope.table), searched_columns(scope.table)
        texts = ", ".join(
            f"highlight({index}, {place}, '{HIT}', '{HIT_END}')" for place in range(len(columns))
        )
        sql = f"SELECT {texts} FROM {index} WHERE {index} MATCH ? AND rowid = ?"  # noqa: S608 - names of the schema
        rows = self._store.connection.execute(sql, [asked, hit.number])
        return {
            column.name: [text]
            for row in rows
            for column, text in zip(columns, row, strict=True)
            if text is not None and HIT in text
        }

    def texts(self, scope: Scope, term: Term) -> Iterator[str]:
        """The texts in the searched columns of rows that have a term."""
        condition = self._has(scope, term)
        columns = ", ".join(f"t.{quoted(column.name)}" for column in scope.search)
        sql = f"SELECT {columns} FROM {scope.start.sql} WHERE {condition.sql} AND {scope.where.sql} LIMIT ?"  # noqa: S608 - names of the schema
        values = [*condition.values, *scope.where.values, _MOST_TEXTS]
        with bounded(self._store.connection):
            rows = self._store.connection.execute(sql, values).fetchall()
        return (str(text) for row in rows for text in row if text is not None)

    def _union(self, scopes: Sequence[Scope], wanted: Expression, orders: Sequence[SearchOrder]) -> Condition:
        arms = [self._arm(place, scope, wanted, orders) for place, scope in enumerate(scopes)]
        return Condition(
            " UNION ALL ".join(arm.sql for arm in arms), tuple(value for arm in arms for value in arm.values)
        )

    def _arm(self, place: int, scope: Scope, wanted: Expression, orders: Sequence[SearchOrder]) -> Condition:
        """The SELECT of the rows of one table that match, with their scores."""
        scores, condition = self._scores(scope, wanted), self._condition(scope, wanted)
        sorts = "".join(
            f", {_sort_key(scope.start, order)} AS sort{number}" for number, order in enumerate(orders)
        )
        # Rows that have none of the terms are looked at only where they can match.
        join = "LEFT JOIN" if holds_without_terms(wanted) else "JOIN"
        sql = (
            f"SELECT {place} AS place, {scope.start.root.key} AS id, t.rowid AS number, "  # noqa: S608 - names of the schema
            f"{_SCORE} AS score{sorts} FROM {scope.start.sql} "
            f"{join} (SELECT number, sum(score) AS score FROM ({scores.sql}) GROUP BY number) m "
            f"ON m.number = t.rowid WHERE {condition.sql} AND {scope.where.sql}"
        )
        return Condition(sql, (*scores.values, *condition.values, *scope.where.values))

    def _scores(self, scope: Scope, wanted: Expression) -> Condition:
        """The scores of the rows that have a term, once for each term that they have."""
        index = index_name(scope.table)
        parts: list[str] = []
        values: list[float | str] = []
        for term in terms(wanted):
            asked = self._match(scope, term)
            if asked is not None:
                parts.append(
                    f"SELECT rowid AS number, ? * -rank AS score FROM {index} WHERE {index} MATCH ?"  # noqa: S608 - names of the schema
                )
                values += [term.boost, asked]
        return Condition(" UNION ALL ".join(parts or ["SELECT 0 AS number, 0 AS score"]), tuple(values))

    def _condition(self, scope: Scope, wanted: Expression) -> Condition:
        match wanted:
            case AllOf(operands):
                return all_of(self._condition(scope, operand) for operand in operands)
            case AnyOf(operands):
                return any_of(self._condition(scope, operand) for operand in operands)
            case NotOf(operand):
                return self._condition(scope, operand).negated()
            case Everything():
                return Condition("1")
            case _:
                return self._has(scope, wanted)

    def _match(self, scope: Scope, term: Term) -> str | None:
        """What the index is asked for a term. Made once: some terms are held against all words."""
        known = (scope.table.name, scope.search, term)
        if known not in self._asked:
            self._asked[known] = self._index.match(scope.table, scope.search, term)
        return self._asked[known]

    def _has(self, scope: Scope, term: Term) -> Condition:
        asked = self._match(scope, term)
        if asked is None:
            return Condition("0")
        index = index_name(scope.table)
        return Condition(f"(t.rowid IN (SELECT rowid FROM {index} WHERE {index} MATCH ?))", (asked,))  # noqa: S608 - names of the schema


def _sort_key(start: From, order: SearchOrder) -> str:
    return _SCORE if order.name is None else start.root.operand(order.name).compared
