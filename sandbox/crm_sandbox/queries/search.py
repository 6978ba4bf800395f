"""Dataverse search: words looked for in many tables at once.

https://learn.microsoft.com/power-apps/developer/data-platform/search/overview
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from crm_sandbox.errors import UNKNOWN_NAME, ODataError, unknown_property
from crm_sandbox.queries.aggregates import check_joins
from crm_sandbox.queries.search_filters import compile_search_filter
from crm_sandbox.queries.search_finding import Finder, Hit, Scope
from crm_sandbox.queries.search_index import (
    HIT,
    HIT_END,
    FullText,
    is_spelling,
    searched_columns,
    searched_tables,
)
from crm_sandbox.queries.search_request import (
    Entity,
    SearchRequest,
    read_autocomplete,
    read_query,
    read_suggest,
)
from crm_sandbox.queries.search_syntax import AllOf, Expression, Word, misspelled, parse_search
from crm_sandbox.queries.sql import Asker, From, all_of
from crm_sandbox.representing import NAVIGATION, Annotations, Presenter
from crm_sandbox.schema.base_columns import CREATED, MODIFIED
from crm_sandbox.schema.model import Column, Table
from crm_sandbox.store import Store, quoted

MayRead = Callable[[Table], bool]


class SearchIndex:
    """Answers the operations of Dataverse search on the rows of a store.

    ``may_read`` says of a table whether the caller may read it: rows of other tables are not found.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = FullText(store)

    def build(self) -> None:
        """Make the indexes of all searched tables; a search by itself makes those that it needs."""
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
        request, finder = read_query(body), Finder(self._store, self._index)
        scopes = self._scopes(request, asker, may_read)
        wanted = parse_search(request.search, lucene=request.lucene, every_word=request.every_word)
        if wanted is not None and request.best_effort and not finder.count(scopes, wanted):
            wanted = misspelled(wanted)
        found: list[dict[str, Any]] = []
        if wanted is not None:
            hits = finder.page(scopes, wanted, request.orderby, request.top, request.skip)
            found = [self._result(hit, finder.highlights(hit, wanted)) for hit in hits]
        count = -1
        if request.count:
            count = 0 if wanted is None else finder.count(scopes, wanted)
        return _response({"Error": None, "Value": found, "Facets": {}, "QueryContext": None, "Count": count})

    def suggest(self, body: object, asker: Asker, may_read: MayRead) -> dict[str, Any]:
        """The answer to ``/api/search/v2.0/suggest``: rows in whose names words begin like the text.

        https://learn.microsoft.com/power-apps/developer/data-platform/search/suggest

        Raises:
            ODataError: 400, the request is not as documented.
        """
        request = read_suggest(body)
        scopes = [
            replace(scope, search=(primary,))
            for scope in self._scopes(request, asker, may_read)
            if (primary := scope.table.columns[scope.table.primary_name]) in searched_columns(scope.table)
        ]
        wanted, finder = _beginning(request), Finder(self._store, self._index)
        hits = [] if wanted is None else finder.page(scopes, wanted, request.orderby, request.top)
        found = [self._suggestion(hit, request.search) for hit in hits]
        return _response({"Error": None, "Value": found, "QueryContext": None})

    def autocomplete(self, body: object, asker: Asker, may_read: MayRead) -> dict[str, Any]:
        """The answer to ``/api/search/v2.0/autocomplete``: the commonest word that begins like the last one.

        https://learn.microsoft.com/power-apps/developer/data-platform/search/autocomplete

        Raises:
            ODataError: 400, the request is not as documented.
        """
        request = read_autocomplete(body)
        scopes = self._scopes(request, asker, may_read)
        *before, last = request.search.split()
        best = self._completed(scopes, Word(last, prefix=True))
        if best is None and request.fuzzy:
            best = self._completed(scopes, Word(last, prefix=True, edits=1))
        value = None if best is None else f"{HIT}{' '.join([*before, best])}{HIT_END}"
        return _response({"Error": None, "Value": value, "QueryContext": None})

    def statistics(self) -> dict[str, Any]:
        """The answer to ``/api/search/v2.0/statistics``.

        https://learn.microsoft.com/power-apps/developer/data-platform/search/statistics-status#statistics
        """
        self.build()
        size = documents = 0
        for table in searched_tables(self._store.schema):
            size += self._index.size(table)
            sql = f"SELECT count(*) FROM {quoted(table.name)}"  # noqa: S608 - a name of the schema
            ((rows,),) = self._store.connection.execute(sql).fetchall()
            documents += rows
        value = {"storagesizeinbytes": size, "storagesizeinmb": size >> 20, "documentcount": documents}
        return _response({"value": value})

    def status(self) -> dict[str, Any]:
        """The answer to ``/api/search/v2.0/status``: what is enabled for search.

        https://learn.microsoft.com/power-apps/developer/data-platform/search/statistics-status#status
        """
        synced = f"{self._store.remembered('version')}!{self._store.now():%m/%d/%Y %H:%M:%S}"
        value = {
            "entitystatusresults": [_status(table, synced) for table in searched_tables(self._store.schema)],
            "manytomanyrelationshipsyncstatus": [],
            "status": "provisioned",
            "lockboxstatus": "Disabled",
            "cmkstatus": "Disabled",
        }
        return _response({"value": value})

    def _scopes(self, request: SearchRequest, asker: Asker, may_read: MayRead) -> list[Scope]:
        """The tables that a request searches, without those that the caller may not read."""
        scopes: list[Scope] = []
        unfit: ODataError | None = None
        for table, entity in self._entities(request):
            scope = self._scope(table, entity, asker)
            if request.filter is not None:
                try:
                    filtered = compile_search_filter(request.filter, scope.start)
                except ODataError as error:
                    # It is of columns that tables share; a table that has others has no match.
                    unfit = error
                    continue
                scope = replace(scope, where=all_of([scope.where, filtered]))
            check_joins(scope.start.sql, scope.where.sql)
            scopes.append(scope)
        if unfit is not None and not scopes:
            raise unfit
        readable = [scope for scope in scopes if may_read(scope.table)]
        for scope in readable:
            self._index.prepare(scope.table)
        return readable

    def _entities(self, request: SearchRequest) -> list[tuple[Table, Entity | None]]:
        """The tables that a request names, each once; all tables when it names none."""
        tables = {table.name: table for table in searched_tables(self._store.schema)}
        if request.entities is None:
            return [(table, None) for table in tables.values()]
        for entity in request.entities:
            if entity.name not in tables:
                raise ODataError(400, UNKNOWN_NAME, f"The table '{entity.name}' is not enabled for search.")
        named = {entity.name: entity for entity in request.entities}
        return [(tables[name], entity) for name, entity in named.items()]

    def _scope(self, table: Table, entity: Entity | None, asker: Asker) -> Scope:
        start = From.of(self._store.schema, table, asker)
        indexed = searched_columns(table)
        if entity is None:
            shown = dict.fromkeys((table.columns[table.primary_name], *indexed))
            select = (*shown, *(table.columns[name] for name in (CREATED, MODIFIED)))
            return Scope(table, select, indexed, start, all_of(()))
        primary = (table.primary_name,)
        search = tuple(_named(table, entity.search or primary))
        for column in search:
            if column not in indexed:
                raise ODataError(
                    400, UNKNOWN_NAME, f"The column '{column.name}' of '{table.name}' is not searchable."
                )
        where = all_of([] if entity.filter is None else [compile_search_filter(entity.filter, start)])
        return Scope(table, tuple(_named(table, entity.select or primary)), search, start, where)

    def _result(self, hit: Hit, highlights: dict[str, list[str]]) -> dict[str, Any]:
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
            "Highlights": highlights,
            "Score": round(hit.score, 7),
        }

    def _suggestion(self, hit: Hit, search: str) -> dict[str, Any]:
        table = hit.scope.table
        name = str((self._store.find(table, hit.key) or {}).get(table.primary_name) or "")
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

    def _completed(self, scopes: Iterable[Scope], word: Word) -> str | None:
        """The commonest word of the searched columns that a word is the beginning of."""
        counted: Counter[str] = Counter()
        finder = Finder(self._store, self._index)
        for scope in scopes:
            for text in finder.texts(scope, word):
                counted.update(
                    found for found in set(re.findall(r"\w+", text.lower())) if is_spelling(word, found)
                )
        return min(counted, key=lambda found: (-counted[found], found), default=None)


def _beginning(request: SearchRequest) -> Expression | None:
    """All words of the request, the last of which may be the beginning of one."""
    edits = 1 if request.fuzzy else 0
    *before, last = (Word(text, edits=edits) for text in request.search.split())
    words = [*before, replace(last, prefix=True)]
    findable = tuple(word for word in words if any(char.isalnum() for char in word.text))
    return AllOf(findable) if findable else None


def _named(table: Table, names: Iterable[str]) -> Iterable[Column]:
    for name in names:
        column = table.columns.get(name)
        if column is None:
            raise unknown_property(name, table.name)
        yield column


def _status(table: Table, synced: str) -> dict[str, Any]:
    return {
        "entitylogicalname": table.name,
        "objecttypecode": table.object_type_code,
        "primarynamefield": table.primary_name,
        "lastdatasynctimestamp": synced,
        "lastprincipalobjectaccesssynctimestamp": synced,
        "entitystatus": "EntitySyncComplete",
        "searchableindexedfieldinfomap": {
            column.name: {"indexfieldname": f"a{number}"}
            for number, column in enumerate(searched_columns(table))
        },
    }


def _response(content: dict[str, Any]) -> dict[str, Any]:
    return {"response": json.dumps(content, ensure_ascii=False)}
