"""``?sql=SELECT ...``: a query in a small part of Transact-SQL.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/sql

That page says that TOP and OFFSET ... FETCH are not supported. Microsoft's SDK for Python documents that they
are, and its users send them (https://learn.microsoft.com/power-apps/developer/data-platform/sdk-python/query),
so they are taken here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crm_sandbox.errors import UNKNOWN_NAME, ODataError
from crm_sandbox.queries.aggregates import MOST_ROWS, too_many_rows
from crm_sandbox.queries.work import bounded
from crm_sandbox.schema.model import Column, Table
from crm_sandbox.store import Store

LARGEST_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A property of the answer: the value at ``position`` of a result row, under ``name``.

    ``column`` is what the value is formatted as, None where it is a count; ``table`` is the table of the
    column. ``renamed`` says that the query gave it another name, so that the annotation
    ``OData.Community.Display.V1.AttributeName`` tells the column's own. ``type_position`` is where the
    table of a polymorphic lookup's row is found.
    """

    name: str
    column: Column | None
    table: Table
    position: int
    renamed: bool = False
    type_position: int | None = None


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """A compiled query. ``table`` is the one after FROM, which the entity set must match.

    ``tables`` are all that it reads. ``version_position`` is where the version for the ETag stands; None
    where rows of the answer are no rows of the table: with aggregates, GROUP BY or DISTINCT.
    ``first`` and ``most`` are what OFFSET and TOP or FETCH say. ``count_sql`` counts the rows that an
    aggregate is over, None without aggregates.
    """

    table: Table
    tables: tuple[Table, ...]
    sql: str
    values: tuple[Any, ...]
    columns: tuple[SqlColumn, ...]
    version_position: int | None
    first: int
    most: int | None
    count_sql: str | None

    def rows(self, store: Store, limit: int = LARGEST_PAGE, offset: int = 0) -> list[tuple[Any, ...]]:
        """Rows of a page; :attr:`columns` say what stands where. One row too many says that more follow.

        Raises:
            ODataError: 400 0x8004e023, there are more than 50,000 rows to aggregate; 400 0x80044151, it
                takes too long, as joins on columns that many rows share do.
        """
        if self.count_sql is not None:
            ((count,),) = _run(store, self.count_sql, self.values)
            if count > MOST_ROWS:
                raise too_many_rows()
        left = limit if self.most is None else max(min(limit, self.most - offset), 0)
        return _run(store, f"{self.sql} LIMIT ? OFFSET ?", (*self.values, left, self.first + offset))


def _run(store: Store, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    with bounded(store.connection):
        return store.connection.execute(sql, values).fetchall()


def refused(why: str) -> ODataError:
    """The refusal of a query. The documentation names no code for it."""
    return ODataError(400, UNKNOWN_NAME, f"The SQL query is not supported: {why}")
