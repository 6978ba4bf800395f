"""The order of rows, and pages that are stable while rows come and go.

A page ends with the sort keys of its last row, and the next one begins behind them: rows that are added or
removed elsewhere change nothing. https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/page-results
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from crm_sandbox.queries.lexing import malformed
from crm_sandbox.queries.options import Order
from crm_sandbox.queries.sql import Condition, From, Operand
from crm_sandbox.schema.model import Schema, Table
from crm_sandbox.store import quoted


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key, as SQL."""

    sql: str
    descending: bool


def sorts_of(orders: Iterable[Order], start: From) -> list[Sort]:
    """The sort keys of ``$orderby``; the primary key comes last, so that no two rows are equal.

    Raises:
        ODataError: 400, a name does not exist.
    """
    sorts = [Sort(sort_key(start.operand(order.path), start.schema), order.descending) for order in orders]
    return [*sorts, Sort(start.root.key, descending=False)]


def sort_key(operand: Operand, schema: Schema) -> str:
    """The expression by which a column sorts: choices by number, lookups by the name of their row."""
    if not operand.column.is_lookup:
        return operand.compared
    names = [_name_of(operand.sql, schema[target]) for target in operand.column.targets]
    return names[0] if len(names) == 1 else f"coalesce({', '.join(names)})"


def _name_of(operand: str, target: Table) -> str:
    name, key = quoted(target.primary_name), quoted(target.key)
    return f"(SELECT fold({name}) FROM {quoted(target.name)} WHERE {key} = {operand})"  # noqa: S608 - names of the schema


def order_by(sorts: Iterable[Sort]) -> str:
    """The ORDER BY clause. SQLite sorts null first, as SQL Server does."""
    return "ORDER BY " + ", ".join(f"{sort.sql} {'DESC' if sort.descending else 'ASC'}" for sort in sorts)


def sort_columns(sorts: Sequence[Sort]) -> str:
    """Result columns that carry the sort keys of each row."""
    return ", ".join(f"{sort.sql} AS {quoted(f'sort.{place}')}" for place, sort in enumerate(sorts))


def make_token(row: Mapping[str, Any], sorts: Sequence[Sort], page: int) -> str:
    """The ``$skiptoken`` that leads behind a row: a cookie, percent-encoded once; a link encodes it again."""
    keys = [row[f"sort.{place}"] for place in range(len(sorts))]
    cookie = base64.urlsafe_b64encode(json.dumps(keys).encode()).decode()
    return quote(f'<cookie pagenumber="{page}" pagingcookie="{cookie}" istracking="False" />', safe="")


def read_token(token: str, sorts: Sequence[Sort]) -> tuple[Condition, int]:
    """What comes behind the place that a ``$skiptoken`` names, and the number of the page.

    Raises:
        ODataError: 400, the token is none of this query.
    """
    refused = malformed("the paging cookie is not one of this query", "$skiptoken")
    match = re.fullmatch(
        r'<cookie pagenumber="(\d{1,9})" pagingcookie="([\w=-]{1,20000})" istracking="False" />',
        unquote(token),
    )
    if match is None:
        raise refused
    try:
        keys = json.loads(base64.urlsafe_b64decode(match[2]))
        json.dumps(keys, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, binascii.Error, RecursionError):
        raise refused from None
    if not isinstance(keys, list) or len(keys) != len(sorts):
        raise refused
    if not all(key is None or _storable(key) for key in keys):
        raise refused
    return after(keys, sorts), int(match[1])


def _storable(key: Any) -> bool:
    if isinstance(key, int):
        return abs(key) < 2**63
    return isinstance(key, str | float)


def after(keys: Sequence[Any], sorts: Sequence[Sort]) -> Condition:
    """What comes after a row with these sort keys."""
    alternatives: list[str] = []
    values: list[Any] = []
    for place, (sort, key) in enumerate(zip(sorts, keys, strict=True)):
        equal = [f"{before.sql} IS ?" for before in sorts[:place]]
        beyond, given = _beyond(sort, key)
        alternatives.append(f"({' AND '.join([*equal, beyond])})")
        values += [*keys[:place], *given]
    condition = Condition(f"({' OR '.join(alternatives)})", tuple(values))
    first, key = sorts[0], keys[0]
    if key is None or len(sorts) == 1:
        return condition
    # Said once more about the first key alone, so that its index leads to the place at once.
    start = f"({first.sql} <= ? OR {first.sql} IS NULL)" if first.descending else f"{first.sql} >= ?"
    return Condition(f"({start} AND {condition.sql})", (key, *condition.values))


def _beyond(sort: Sort, key: Any) -> tuple[str, list[Any]]:
    """What comes after one key. Null sorts first: smaller than every value."""
    if sort.descending:
        return ("0", []) if key is None else (f"({sort.sql} < ? OR {sort.sql} IS NULL)", [key])
    return (f"{sort.sql} IS NOT NULL", []) if key is None else (f"{sort.sql} > ?", [key])
