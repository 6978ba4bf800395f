"""Reads: query options, expansion and paging.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from crm_sandbox.annotating import answer_row
from crm_sandbox.coverage import Missing
from crm_sandbox.errors import UNKNOWN_NAME, ODataError, not_here, unknown_property
from crm_sandbox.filtering import Condition, Joins, column_operand, filter_condition
from crm_sandbox.schema import by_entity_set, tables
from crm_sandbox.store import Store, quoted
from crm_tools.tables import Column, ColumnType, Table

LARGEST_PAGE = 5_000
COUNT_LIMIT = 5_000
MOST_EXPANDED = 15
_REFUSED = {
    "$apply": Missing.APPLY,
    "fetchXml": Missing.FETCH_XML,
    "sql": Missing.SQL,
}
_KNOWN = frozenset({"$select", "$filter", "$orderby", "$expand", "$top", "$count", "$skiptoken"})


@dataclass(frozen=True, slots=True)
class Expand:
    """One expanded navigation property with its own options."""

    name: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """The options of a read, split but not yet resolved against the schema."""

    select: tuple[str, ...] = ()
    filter: str | None = None
    orderby: str | None = None
    expand: tuple[Expand, ...] = ()
    top: int | None = None
    count: bool = False
    skiptoken: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Rows as they are answered, and what a page says about the rest."""

    rows: list[dict[str, Any]]
    next_token: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class _Sort:
    sql: str
    descending: bool
    collate: str = ""
    name: str = field(default="")


def read_options(options: Mapping[str, str], *, one_row: bool = False) -> Reading:
    """Split the query options.

    Raises:
        ODataError: 400 for what is refused or malformed, 501 for what the sandbox does not do.
    """
    for name in options:
        if name in _REFUSED:
            raise not_here(_REFUSED[name])
        if name.startswith("@"):
            raise not_here(Missing.ALIASES)
        if name == "$skip":
            raise ODataError(400, UNKNOWN_NAME, "Skip Clause is not supported in CRM")
        if name not in _KNOWN or (one_row and name not in ("$select", "$expand")):
            raise ODataError(400, UNKNOWN_NAME, f"The query parameter {name} is not supported.")
    return Reading(
        select=_names(options.get("$select", "")),
        filter=options.get("$filter"),
        orderby=options.get("$orderby"),
        expand=_split_expand(options.get("$expand", "")),
        top=_whole_number(options["$top"], "$top") if "$top" in options else None,
        count=_boolean(options.get("$count", "false")),
        skiptoken=options.get("$skiptoken"),
    )


def read_rows(
    store: Store, table: Table, reading: Reading, page_size: int | None, annotated: bool, root: str
) -> Found:
    """A page of rows."""
    joins = Joins()
    where = [] if reading.filter is None else [filter_condition(reading.filter, table, "t", joins)]
    sorts = _sorts(reading.orderby, table, joins)
    total = _count(store, table, joins, where) if reading.count else None
    if reading.skiptoken is not None:
        where.append(_after(reading.skiptoken, sorts))
    # With a page size, $top is ignored: the page says whether there is more.
    limit = min(page_size or reading.top or LARGEST_PAGE, LARGEST_PAGE)
    found = _select(store, table, joins, where, sorts, limit + 1)
    more = len(found) > limit and (page_size is not None or reading.top is None)
    rows = found[:limit]
    token = _token(rows[-1], sorts) if more else None
    return Found([_answer(store, table, row, reading, annotated, root) for row in rows], token, total)


def read_row(
    store: Store, table: Table, row: Mapping[str, Any], reading: Reading, annotated: bool, root: str
) -> dict[str, Any]:
    """One row as it is answered."""
    return _answer(store, table, row, reading, annotated, root)


def _answer(
    store: Store, table: Table, row: Mapping[str, Any], reading: Reading, annotated: bool, root: str
) -> dict[str, Any]:
    answered = answer_row(store, table, row, _selected(reading.select, table), annotated)
    if len(reading.expand) > MOST_EXPANDED:
        raise ODataError(400, UNKNOWN_NAME, f"At most {MOST_EXPANDED} $expand options are supported.")
    for expand in reading.expand:
        answered[expand.name] = _related(store, table, row, expand, annotated, root)
        if isinstance(answered[expand.name], list):
            address = f"{root}{table.entity_set}({row[table.key]})/{expand.name}"
            answered[f"{expand.name}@odata.nextLink"] = f"{address}?{_query_of(expand.options)}"
    return answered


def _related(
    store: Store, table: Table, row: Mapping[str, Any], expand: Expand, annotated: bool, root: str
) -> Any:
    if "$expand" in expand.options:
        raise not_here(Missing.NESTED_EXPAND)
    if relationship := table.relationships.get(expand.name):
        related = tables()[relationship.table]
        column = related.navigations[relationship.lookup].column
        reading = read_options(expand.options)
        joins = Joins()
        where = [Condition(f"t.{quoted(column)} = ?", (row[table.key],))]
        if reading.filter is not None:
            where.append(filter_condition(reading.filter, related, "t", joins))
        sorts = _sorts(reading.orderby, related, joins)
        found = _select(store, related, joins, where, sorts, min(reading.top or LARGEST_PAGE, LARGEST_PAGE))
        return [_answer(store, related, child, reading, annotated, root) for child in found]
    navigation = table.navigations.get(expand.name)
    if navigation is None:
        raise unknown_property(expand.name, table.name)
    if expand.options.keys() - {"$select", "$filter"}:
        raise ODataError(400, UNKNOWN_NAME, "Only $select and $filter are supported for this $expand.")
    related = tables()[navigation.table]
    key = row[navigation.column]
    target = store.find(related, key) if key else None
    reading = read_options(expand.options)
    return None if target is None else _answer(store, related, target, reading, annotated, root)


def _selected(names: tuple[str, ...], table: Table) -> tuple[str, ...]:
    if not names or names == ("*",):
        return tuple(table.columns)
    for name in names:
        if name not in table.columns:
            raise unknown_property(name, table.name)
    return tuple(dict.fromkeys((*names, table.key)))


def _sorts(text: str | None, table: Table, joins: Joins) -> list[_Sort]:
    sorts = []
    for part in _names(text or ""):
        match = re.fullmatch(r"([\w/]+)(?:\s+(asc|desc))?", part)
        if match is None:
            raise ODataError(400, UNKNOWN_NAME, "The query option $orderby is not valid.")
        operand, column = column_operand(match[1].split("/"), table, "t", joins)
        sorts.append(_sort(operand, column, match[2] == "desc"))
    sorts.append(_Sort(f"t.{quoted(table.key)}", descending=False))
    return sorts


def _sort(operand: str, column: Column, descending: bool) -> _Sort:
    if column.type is ColumnType.LOOKUP:
        # Lookups sort by the primary name of the row they lead to.
        names = [_name_of(operand, tables()[target]) for target in column.targets]
        return _Sort(f"COALESCE({', '.join([*names, 'NULL'])})", descending, " COLLATE CI")
    textual = column.type in (ColumnType.STRING, ColumnType.MEMO)
    return _Sort(operand, descending, " COLLATE CI" if textual else "")


def _name_of(operand: str, target: Table) -> str:
    name, key = quoted(target.primary_name), quoted(target.key)
    return f"(SELECT {name} FROM {quoted(target.name)} WHERE {key} = {operand})"  # noqa: S608 - names of the schema


def _select(
    store: Store, table: Table, joins: Joins, where: list[Condition], sorts: list[_Sort], limit: int
) -> list[dict[str, Any]]:
    keys = ", ".join(f"{sort.sql} AS {quoted(f'sort.{number}')}" for number, sort in enumerate(sorts))
    order = ", ".join(f"{sort.sql}{sort.collate} {'DESC' if sort.descending else 'ASC'}" for sort in sorts)
    body, values = _from(table, joins, where)
    return store.rows(f"SELECT t.*, {keys} {body} ORDER BY {order} LIMIT ?", [*values, limit])


def _count(store: Store, table: Table, joins: Joins, where: list[Condition]) -> int:
    body, values = _from(table, joins, where)
    counted = store.rows(f"SELECT COUNT(*) AS total FROM (SELECT 1 {body} LIMIT ?)", [*values, COUNT_LIMIT])  # noqa: S608 - names of the schema
    return int(counted[0]["total"])


def _from(table: Table, joins: Joins, where: list[Condition]) -> tuple[str, list[Any]]:
    condition = f" WHERE {' AND '.join(part.sql for part in where)}" if where else ""
    values = [value for part in where for value in part.values]
    return f"FROM {quoted(table.name)} t {' '.join(joins.clauses)}{condition}", values


def _token(row: Mapping[str, Any], sorts: list[_Sort]) -> str:
    """Where the page ended, by its last row's sort keys: rows that come and go elsewhere change nothing."""
    keys = [row[f"sort.{number}"] for number in range(len(sorts))]
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode()


def _after(token: str, sorts: list[_Sort]) -> Condition:
    refused = ODataError(400, UNKNOWN_NAME, "The query option $skiptoken is not valid.")
    try:
        keys = json.loads(base64.urlsafe_b64decode(unquote(token)))
    except ValueError:
        raise refused from None
    if not isinstance(keys, list) or len(keys) != len(sorts):
        raise refused
    if not all(isinstance(key, str | int | float | None) for key in keys):
        raise refused
    alternatives, values = [], []
    for place, (sort, key) in enumerate(zip(sorts, keys, strict=True)):
        equal = [f"{before.sql}{before.collate} IS ?" for before in sorts[:place]]
        beyond, bound = _beyond(sort, key)
        alternatives.append(f"({' AND '.join([*equal, beyond])})")
        values += [*keys[:place], *bound]
    return Condition(f"({' OR '.join(alternatives)})", tuple(values))


def _beyond(sort: _Sort, key: Any) -> tuple[str, list[Any]]:
    """What comes after a key. Null sorts first: smaller than every value."""
    if sort.descending:
        if key is None:
            return "0", []
        return f"({sort.sql}{sort.collate} < ? OR {sort.sql} IS NULL)", [key]
    if key is None:
        return f"{sort.sql} IS NOT NULL", []
    return f"{sort.sql}{sort.collate} > ?", [key]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _split_expand(text: str) -> tuple[Expand, ...]:
    return tuple(_expand_item(part) for part in split_outside(text, ",") if part.strip())


def _expand_item(text: str) -> Expand:
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", text, re.DOTALL)
    if match is None:
        raise ODataError(400, UNKNOWN_NAME, "The query option $expand is not valid.")
    options: dict[str, str] = {}
    for part in split_outside(match[2] or "", ";"):
        name, equals, value = part.strip().partition("=")
        if not equals and name:
            raise ODataError(400, UNKNOWN_NAME, "The query option $expand is not valid.")
        if name:
            options[name] = value
    return Expand(match[1], options)


def split_outside(text: str, separator: str) -> list[str]:
    """Split at separators that are in no parentheses and in no quotes."""
    parts, depth, quotes, start = [], 0, False, 0
    for place, char in enumerate(text):
        if char == "'":
            quotes = not quotes
        elif not quotes:
            depth += {"(": 1, ")": -1}.get(char, 0)
            if char == separator and depth == 0:
                parts.append(text[start:place])
                start = place + 1
    return [*parts, text[start:]]


def _query_of(options: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value)}" for name, value in options.items())


def _whole_number(text: str, name: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or int(text) < 1:
        raise ODataError(400, UNKNOWN_NAME, f"The query option {name} takes a positive whole number.")
    return int(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ODataError(400, UNKNOWN_NAME, "The query option $count takes true or false.")
    return text == "true"


def table_of(entity_set: str) -> Table:
    """The table of an entity set.

    Raises:
        ODataError: 404, no such set.
    """
    from crm_sandbox.errors import unknown_segment

    found = by_entity_set().get(entity_set)
    if found is None:
        raise unknown_segment(entity_set)
    return found
