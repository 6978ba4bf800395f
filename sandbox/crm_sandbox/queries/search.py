"""Dataverse search: words looked for in many tables at once.

https://learn.microsoft.com/power-apps/developer/data-platform/search/overview
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from crm_sandbox.errors import UNKNOWN_NAME, ODataError, unknown_property
from crm_sandbox.queries.aggregates import check_joins
from crm_sandbox.queries.search_filters import compile_search_filter
from crm_sandbox.queries.search_index import (
    HIT,
    HIT_END,
    FullText,
    index_name,
    searched_columns,
    searched_tables,
)
from crm_sandbox.queries.search_request import (
    Entity,
    SearchOrder,
    SearchRequest,
    read_autocomplete,
    read_query,
    read_suggest,
)
from crm_sandbox.queries.search_syntax import (
    AllOf,
    AnyOf,
    Everything,
    Expression,
    NotOf,
    Term,
    Word,
    holds_without_terms,
    parse_search,
    terms,
    with_edits,
)
from crm_sandbox.queries.sql import Asker, Condition, From, all_of, any_of
from crm_sandbox.representing import NAVIGATION, Annotations, Presenter
from crm_sandbox.schema.base_columns import CREATED, MODIFIED
from crm_sandbox.schema.model import Column, Table
from crm_sandbox.store import Store, quoted

_ALWAYS_SELECTED = (CREATED, MODIFIED)
_MOST_COMPLETED = 500

MayRead = Callable[[Table], bool]


@dataclass(frozen=True, slots=True)
class _Scope:
    """A table as a request searches it."""

    table: Table
    select: tuple[Column, ...]
    search: tuple[Column, ...]
    start: From
    where: Condition


@dataclass(frozen=True, slots=True)
class _Hit:
    """A row that was found."""

    scope: _Scope
    key: str
    rowid: int
    score: float


class SearchIndex:
    """Answers the operations of Dataverse search on the rows of a store.

    ``may_read`` says of a table whether the caller may read it: rows of other tables are not found.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = FullText(store)

    def build(self) -> None:
        """Make the indexes of all searched tables, which a search otherwise makes of those it needs."""
        for table in searched_tables(self._store.schema):
            self._index.prepare(table)

    def forget(self, table: str) -> None:
        """Remove the index of a table whose columns are about to change; the next search makes another."""
        self._index.remove(table)

    def query(self, body: object, asker: Asker, may_read: MayRead) -> dict[str, Any]:
        """The answer to ``/api/search/v2.0/query``: ``{"response": "<JSON>"}``.

        https://learn.microsoft.com/power-apps/developer/data-platform/search/query#response

        Raises:
            ODataError: 400, the request is not as documented; 501, it asks for facets.
        """
        request = read_query(body)
        scopes = self._scopes(request, asker, may_read)
        wanted = parse_search(request.search, lucene=request.lucene, every_word=request.every_word)
        count, hits = self._found(scopes, wanted, request)
        if not count and request.best_effort and wanted is not None:
            wanted = with_edits(wanted, 1)
            count, hits = self._found(scopes, wanted, request)
        found = [] if wanted is None else [self._result(hit, wanted) for hit in hits]
        return _response(
            {
                "Error": None,
                "Value": found,
                "Facets": {},
                "QueryContext": None,
                "Count": count if request.count else -1,
            }
        )

    def suggest(self, body: object, asker: Asker, may_read: MayRead) -> dict[str, Any]:
        """The answer to ``/api/search/v2.0/suggest``: rows whose names begin like the text.

        https://learn.microsoft.com/power-apps/developer/data-platform/search/suggest

        Raises:
            ODataError: 400, the request is not as documented.
        """
        request = read_suggest(body)
        scopes = [
            scope
            for scope in self._scopes(request, asker, may_read)
            if scope.table.columns[scope.table.primary_name] in searched_columns(scope.table)
        ]
        _, hits = self._found(scopes, _beginning(request), request, primary_name=True)
        found = [self._suggestion(hit, request.search) for hit in hits]
        return _response({"Error": None, "Value": found, "QueryContext": None})

    def autocomplete(self, body: object, asker: Asker, may_read: MayRead) -> dict[str, Any]:
        """The answer to ``/api/search/v2.0/autocomplete``: the commonest word that begins like the last one.

        https://learn.microsoft.com/power-apps/developer/data-platform/search/autocomplete

        Raises:
            ODataError: 400, the request is not as documented.
        """
        request = read_autocomplete(body)
        *_, last = request.search.lower().split()
        counted: Counter[str] = Counter()
        for scope in self._scopes(request, asker, may_read):
            for text in self._texts(scope, Word(last, prefix=True)):
                words = re.findall(r"\w+", text.lower())
                counted.update({word for word in words if word.startswith(last)})
        if not counted and request.fuzzy:
            counted.update(self._near(request, last, asker, may_read))
        best = min(counted, key=lambda word: (-counted[word], word), default=None)
        if best is None:
            return _response({"Error": None, "Value": None, "QueryContext": None})
        before = request.search[: len(request.search) - len(last)]
        return _response({"Error": None, "Value": f"{HIT}{before}{best}{HIT_END}", "QueryContext": None})

    def statistics(self) -> dict[str, Any]:
        """The answer to ``/api/search/v2.0/statistics``.

        https://learn.microsoft.com/power-apps/developer/data-platform/search/statistics-status#statistics
        """
        self.build()
        size = documents = 0
        for table in searched_tables(self._store.schema):
            size += self._index.size(table)
            ((rows,),) = self._store.connection.execute(
                f"SELECT count(*) FROM {quoted(table.name)}"  # noqa: S608 - a name of the schema
            ).fetchall()
            documents += rows
        value = {"storagesizeinbytes": size, "storagesizeinmb": size >> 20, "documentcount": documents}
        return _response({"value": value})

    def status(self) -> dict[str, Any]:
        """The answer to ``/api/search/v2.0/status``: what is enabled for search.

        https://learn.microsoft.com/power-apps/developer/data-platform/search/statistics-status#status
        """
        self.build()
        synced = f"{self._store.now():%m/%d/%Y %H:%M:%S}"
        tables = [_status(table, synced) for table in searched_tables(self._store.schema)]
        value = {
            "entitystatusresults": tables,
            "status": "provisioned",
            "lockboxstatus": "Disabled",
            "cmkstatus": "Disabled",
        }
        return _response({"value": value})

    def _scopes(self, request: SearchRequest, asker: Asker, may_read: MayRead) -> list[_Scope]:
        """The tables that a request searches, without those that the caller may not read."""
        tables = {table.name: table for table in searched_tables(self._store.schema)}
        if request.entities is None:
            entities = [_default_entity(table) for table in tables.values()]
        else:
            entities = list({entity.name: entity for entity in request.entities}.values())
        found = []
        unknown: ODataError | None = None
        for entity in entities:
            table = tables.get(entity.name)
            if table is None:
                raise ODataError(400, UNKNOWN_NAME, f"The table '{entity.name}' is not enabled for search.")
            start = From.of(self._store.schema, table)
            conditions = []
            if entity.filter is not None:
                conditions.append(compile_search_filter(entity.filter, start, asker))
            try:
                if request.filter is not None:
                    conditions.append(compile_search_filter(request.filter, start, asker))
            except ODataError as error:
                # A filter of all tables is of columns that tables share; a table without them has no match.
                unknown = error
                continue
            where = all_of(conditions)
            check_joins(start.sql, where.sql)
            select, search = _select_columns(table, entity), _search_columns(table, entity)
            if may_read(table):
                self._index.prepare(table)
                found.append(_Scope(table, select, search, start, where))
        if not found and unknown is not None:
            raise unknown
        return found

    def _found(
        self,
        scopes: list[_Scope],
        wanted: Expression | None,
        request: SearchRequest,
        *,
        primary_name: bool = False,
    ) -> tuple[int, list[_Hit]]:
        """How many rows match, and those of the page that is asked for."""
        if wanted is None or not scopes:
            return 0, []
        arms, values = [], []
        for place, scope in enumerate(scopes):
            columns = (scope.table.columns[scope.table.primary_name],) if primary_name else scope.search
            arm = self._arm(place, scope, columns, wanted, request.orderby)
            arms.append(arm.sql)
            values += arm.values
        union = " UNION ALL ".join(arms)
        count = 0
        if request.count or request.best_effort:
            ((count,),) = self._store.connection.execute(
                f"SELECT count(*) FROM ({union})",  # noqa: S608 - names of the schema
                values,
            ).fetchall()
        sorts = [f"sort{place} {_direction(order)}" for place, order in enumerate(request.orderby)]
        order = ", ".join([*sorts, "score DESC", "place", "id"])
        rows = self._store.connection.execute(
            f"SELECT place, id, number, score FROM ({union}) ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608 - names of the schema
            [*values, request.top, request.skip],
        )
        return count, [_Hit(scopes[place], key, number, score) for place, key, number, score in rows]

    def _arm(
        self,
        place: int,
        scope: _Scope,
        columns: tuple[Column, ...],
        wanted: Expression,
        orders: tuple[SearchOrder, ...],
    ) -> Condition:
        """The SELECT of the rows of one table that match, with their scores."""
        scores = self._scores(scope.table, columns, wanted)
        condition = self._condition(scope.table, columns, wanted)
        # Rows that have none of the terms are looked at only where they can match.
        join = "LEFT JOIN" if holds_without_terms(wanted) else "JOIN"
        sorts = "".join(
            f", {_sort_key(scope.start, order)} AS sort{number}" for number, order in enumerate(orders)
        )
        sql = (
            f"SELECT {place} AS place, {scope.start.root.key} AS id, t.rowid AS number, "  # noqa: S608 - names of the schema
            f"coalesce(m.score, 1.0) AS score{sorts} FROM {scope.start.sql} "
            f"{join} (SELECT number, sum(score) AS score FROM ({scores.sql}) GROUP BY number) m "
            f"ON m.number = t.rowid WHERE {condition.sql} AND {scope.where.sql}"
        )
        return Condition(sql, (*scores.values, *condition.values, *scope.where.values))

    def _scores(self, table: Table, columns: tuple[Column, ...], wanted: Expression) -> Condition:
        """The scores of the rows that have a term, once for each term that they have."""
        index = index_name(table)
        parts, values = [], []
        for term in terms(wanted):
            asked = self._index.match(table, columns, term)
            if asked is not None:
                parts.append(
                    f"SELECT rowid AS number, ? * -bm25({index}) AS score FROM {index} WHERE {index} MATCH ?"  # noqa: S608 - names of the schema
                )
                values += [term.boost, asked]
        return Condition(" UNION ALL ".join(parts or ["SELECT 0 AS number, 0 AS score"]), tuple(values))

    def _condition(self, table: Table, columns: tuple[Column, ...], wanted: Expression) -> Condition:
        match wanted:
            case AllOf(operands):
                return all_of(self._condition(table, columns, operand) for operand in operands)
            case AnyOf(operands):
                return any_of(self._condition(table, columns, operand) for operand in operands)
            case NotOf(operand):
                return self._condition(table, columns, operand).negated()
            case Everything():
                return Condition("1")
            case _:
                return self._has(table, columns, wanted)

    def _has(self, table: Table, columns: tuple[Column, ...], term: Term) -> Condition:
        asked = self._index.match(table, columns, term)
        if asked is None:
            return Condition("0")
        index = index_name(table)
        return Condition(f"(t.rowid IN (SELECT rowid FROM {index} WHERE {index} MATCH ?))", (asked,))  # noqa: S608 - names of the schema

    def _result(self, hit: _Hit, wanted: Expression) -> dict[str, Any]:
        table = hit.scope.table
        row = self._store.find(table, hit.key) or {}
        attributes: dict[str, Any] = {"@search.objecttypecode": table.object_type_code}
        presenter = Presenter(self._store, Annotations(f"*,-{NAVIGATION}"))
        for column in hit.scope.select:
            presenter.add(attributes, table, column, row, column.name)
        return {
            "Id": hit.key,
            "EntityName": table.name,
            # The documented samples have 0 here, and the code among the attributes.
            "ObjectTypeCode": 0,
            "Attributes": attributes,
            "Highlights": self._highlights(hit, wanted),
            "Score": round(hit.score, 7),
        }

    def _highlights(self, hit: _Hit, wanted: Expression) -> dict[str, list[str]]:
        """The texts of a row in which a term was found, with marks round it."""
        scope = hit.scope
        matches = [self._index.match(scope.table, scope.search, term) for term in terms(wanted)]
        asked = " OR ".join(f"({match})" for match in matches if match is not None)
        if not asked:
            return {}
        index = index_name(scope.table)
        columns = searched_columns(scope.table)
        texts = ", ".join(f"highlight({index}, {place}, ?, ?)" for place in range(len(columns)))
        rows = self._store.connection.execute(
            f"SELECT {texts} FROM {index} WHERE {index} MATCH ? AND rowid = ?",  # noqa: S608 - names of the schema
            [*(HIT, HIT_END) * len(columns), asked, hit.rowid],
        )
        return {
            column.name: [text]
            for row in rows
            for column, text in zip(columns, row, strict=True)
            if text is not None and HIT in text
        }

    def _suggestion(self, hit: _Hit, search: str) -> dict[str, Any]:
        table = hit.scope.table
        name = (self._store.find(table, hit.key) or {}).get(table.primary_name) or ""
        *_, last = search.split()
        beginning = re.search(rf"(?<!\w){re.escape(last)}", name, re.IGNORECASE)
        text = name
        if beginning is not None:
            start, end = beginning.span()
            text = f"{name[:start]}{HIT}{name[start:end]}{HIT_END}{name[end:]}"
        document = {
            "@search.objectid": hit.key,
            "@search.entityname": table.name,
            "@search.objecttypecode": table.object_type_code,
            table.primary_name: name,
        }
        return {"Text": text, "Document": document}

    def _texts(self, scope: _Scope, term: Term) -> Iterator[str]:
        """The texts of the searched columns of rows that have a term."""
        condition = self._has(scope.table, scope.search, term)
        columns = ", ".join(f"t.{quoted(column.name)}" for column in scope.search)
        rows = self._store.connection.execute(
            f"SELECT {columns} FROM {scope.start.sql} WHERE {condition.sql} AND {scope.where.sql} LIMIT ?",  # noqa: S608 - names of the schema
            [*condition.values, *scope.where.values, _MOST_COMPLETED],
        )
        return (str(text) for row in rows for text in row if text is not None)
