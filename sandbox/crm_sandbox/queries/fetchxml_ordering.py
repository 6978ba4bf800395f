"""The order of a fetch's rows, and the paging cookies that lead from a page to the next.

https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/order-rows
https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/page-results
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from crm_sandbox.errors import ODataError
from crm_sandbox.queries.fetchxml_columns import FetchColumn, Selection
from crm_sandbox.queries.fetchxml_reading import (
    ATTRIBUTE_NOT_FOUND,
    UNKNOWN_ALIAS,
    flag,
    parse,
    refused,
    required,
)
from crm_sandbox.queries.fetchxml_sources import Block, Shown, named_source, operand_of
from crm_sandbox.queries.ordering import Sort, after
from crm_sandbox.queries.sql import Condition, Operand, Source
from crm_sandbox.schema.model import (
    CHOICE_TYPES,
    ID_TYPES,
    REAL_NUMBER_TYPES,
    TEXT_TYPES,
    Column,
    Schema,
    Table,
)
from crm_sandbox.store import fold, quoted

_ESCAPED = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;", '"': "&quot;"}
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FetchSort:
    """One sort key. ``shown`` is the SQL of the value that a cookie names, ``sort`` how it sorts."""

    name: str
    column: Column
    shown: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class CookieKey:
    """One element of a cookie: the attribute, its column, and where its value stands in a result row."""

    name: str
    column: Column
    place: int


def sorts_of(
    tables: Sequence[Shown], block: Block, schema: Schema, *, raw: bool, distinct: bool
) -> tuple[list[FetchSort], bool]:
    """The sort keys, and whether pages can be told apart by a cookie.

    Orders of links come after those of the entity. The primary key comes last, so that no two rows are
    equal. Rows sorted by columns of links, and distinct rows, have no cookie.

    Raises:
        ODataError: 400, an attribute or alias does not exist.
    """
    root = tables[0].source
    sorts: list[FetchSort] = []
    of_root = True
    for shown in tables:
        for order in shown.element.findall("order"):
            if order.get("attribute") is None:
                raise refused("The attribute of an order is not specified.", ATTRIBUTE_NOT_FOUND)
            name = order.get("entityname")
            source = shown.source if name is None else named_source(name, block)
            of_root = of_root and source is root
            sorts.append(_sort(operand_of(source, required(order, "attribute")), order, schema, raw=raw))
    if not distinct and not any(sort.shown == root.key for sort in sorts):
        sorts.append(_key(root))
    return sorts, of_root and not distinct and len({sort.name for sort in sorts}) == len(sorts)


def _key(root: Source) -> FetchSort:
    column = root.table.columns[root.table.key]
    return FetchSort(column.name, column, root.key, Sort(root.key, descending=False))


def _sort(operand: Operand, order: Element, schema: Schema, *, raw: bool) -> FetchSort:
    shown, sql = _keys(operand, schema, raw=raw)
    return FetchSort(operand.column.name, operand.column, shown, Sort(sql, flag(order, "descending")))


def _keys(operand: Operand, schema: Schema, *, raw: bool) -> tuple[str, str]:
    """How a column is shown in a cookie, and how it sorts: lookups by name, choices by label."""
    column = operand.column
    if column.is_lookup:
        names = [_name_of(operand, schema[target]) for target in column.targets]
        shown = names[0] if len(names) == 1 else f"COALESCE({', '.join(names)})"
        return shown, f"fold({shown})"
    if column.type in CHOICE_TYPES and not raw:
        label = _rank(operand)
        return label, label
    return operand.sql, operand.compared


def _name_of(operand: Operand, target: Table) -> str:
    name, key = quoted(target.primary_name), quoted(target.key)
    return f"(SELECT {name} FROM {quoted(target.name)} WHERE {key} = {operand.sql})"  # noqa: S608 - names of the schema


def _rank(operand: Operand) -> str:
    """The place of a choice's label among all labels. Values that are no choice stand last."""
    choices = sorted(operand.column.choices, key=lambda choice: (str(fold(choice.label)), choice.value))
    cases = " ".join(f"WHEN {choice.value} THEN {place}" for place, choice in enumerate(choices))
    if not cases:
        return operand.sql
    known = f"CASE {operand.sql} {cases} ELSE {len(choices)} END"
    return f"(CASE WHEN {operand.sql} IS NOT NULL THEN {known} END)"


def sorts_of_aggregate(tables: Iterable[Shown], selection: Selection, schema: Schema) -> list[Sort]:
    """The sort keys of aggregated rows, which are sorted by aliases; groups come in their order otherwise.

    Raises:
        ODataError: 400, no attribute has the alias.
    """
    sorts = []
    for shown in tables:
        for order in shown.element.findall("order"):
            alias = order.get("alias") or order.get("attribute") or ""
            if alias not in selection.aliases:
                raise refused(f"The specified alias does not exist: '{alias[:80]}'.", UNKNOWN_ALIAS)
            column, sql = selection.aliases[alias]
            sorts.append(Sort(_aggregate_key(column, sql, schema), flag(order, "descending")))
    return [*sorts, *(Sort(group, descending=False) for group in selection.groups)]


def _aggregate_key(result: FetchColumn, sql: str, schema: Schema) -> str:
    if result.column is None or result.table is None or result.is_aggregate:
        return sql
    if result.column.type in TEXT_TYPES:
        return f"fold({sql})"
    _, key = _keys(Operand(sql, result.column, result.table), schema, raw=False)
    return key


def make_cookie(keys: Sequence[CookieKey], rows: Sequence[Sequence[Any]], page: int) -> str | None:
    """The value of ``@Microsoft.Dynamics.CRM.fetchxmlpagingcookie`` after a page.

    It is a cookie about the page's first and last row, percent-encoded twice, within an element. None
    where a value has characters that XML cannot hold: the next page is then reached by its number.

    https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/page-results#paging-cookie-examples
    """
    first, last = rows[0], rows[-1]
    parts = "".join(f"<{key.name} {_edge('last', key, last)} {_edge('first', key, first)} />" for key in keys)
    if _NOT_IN_XML.search(parts):
        return None
    cookie = f'<cookie page="{page}">{parts}</cookie>'
    encoded = quote(_encoded(cookie), safe="")
    return f'<cookie pagenumber="{page + 1}" pagingcookie="{encoded}" istracking="False" />'


def _encoded(cookie: str) -> str:
    """Percent-encoded with small letters, as the service does."""
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quote(cookie, safe=""))


def _edge(name: str, key: CookieKey, row: Sequence[Any]) -> str:
    value = row[key.place]
    if value is None:
        return f'{name}null="1"'
    if key.column.type in ID_TYPES and not key.column.is_lookup:
        value = f"{{{str(value).upper()}}}"
    return f"{name}={quoteattr(str(value), _ESCAPED)}"


def read_cookie(cookie: str, sorts: Sequence[FetchSort]) -> tuple[Condition, int]:
    """What comes behind the rows that a cookie is about, and the number of their page.

    Raises:
        ODataError: 400, the cookie is none of this query.
    """
    try:
        root = parse(cookie)
    except ODataError:
        raise _bad_cookie() from None
    page = root.get("page", "")
    if root.tag != "cookie" or not re.fullmatch(r"\d{1,9}", page, re.ASCII):
        raise _bad_cookie()
    if [child.tag for child in root] != [sort.name for sort in sorts]:
        raise _bad_cookie()
    keys = [_edge_value(child, sort) for child, sort in zip(root, sorts, strict=True)]
    return after(keys, [sort.sort for sort in sorts]), int(page)


def _edge_value(element: Element, sort: FetchSort) -> Any:
    """The value of a sort key that a cookie names."""
    if element.get("lastnull") is not None:
        return None
    text, column = element.get("last"), sort.column
    if text is None:
        raise _bad_cookie()
    if column.is_lookup or column.type in TEXT_TYPES:
        return fold(text)
    if column.type in ID_TYPES:
        return text.strip("{}").lower()
    if _WHOLE.fullmatch(text):
        return int(text)
    if column.type in REAL_NUMBER_TYPES:
        try:
            return float(text)
        except ValueError:
            raise _bad_cookie() from None
    return text


def _bad_cookie() -> ODataError:
    return refused("Malformed XML in the Paging Cookie.")
