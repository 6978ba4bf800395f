"""Aggregate functions as SQL, and the limits of queries that use them.

https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/aggregate-data
"""

from __future__ import annotations

from enum import StrEnum

from crm_sandbox.errors import TOO_MANY_TO_AGGREGATE, UNKNOWN_NAME, ODataError
from crm_sandbox.queries.sql import Operand
from crm_sandbox.schema.model import NUMBER_TYPES, TIME_TYPES, WHOLE_NUMBER_TYPES

MOST_ROWS = 50_000
"""An aggregate over more rows than this is refused."""
MOST_JOINS = 15
TOO_MANY_JOINS = "0x8004430d"
_DIGITS = 10
"""Decimal places of a sum or average: the most that a column has, so that binary noise is rounded off."""


class Aggregate(StrEnum):
    """What is made of the values of a column."""

    SUM = "sum"
    AVERAGE = "average"
    MIN = "min"
    MAX = "max"
    COUNT = "count"
    COUNT_DISTINCT = "countdistinct"


def aggregate_sql(aggregate: Aggregate, operand: Operand) -> str:
    """The SQL of an aggregate of a column. Nulls do not count; a sum of nothing is 0, as documented.

    Raises:
        ODataError: 400, the column's type has no such aggregate.
    """
    column = operand.column
    if aggregate is Aggregate.COUNT:
        return f"count({operand.sql})"
    if aggregate is Aggregate.COUNT_DISTINCT:
        return f"count(DISTINCT {operand.compared})"
    fitting = NUMBER_TYPES if aggregate in (Aggregate.SUM, Aggregate.AVERAGE) else NUMBER_TYPES | TIME_TYPES
    if column.type not in fitting:
        raise ODataError(
            400,
            UNKNOWN_NAME,
            f"The aggregate {aggregate} is not supported for the column '{column.name}' "
            f"of type {column.type}.",
        )
    if aggregate in (Aggregate.MIN, Aggregate.MAX):
        return f"{aggregate}({operand.sql})"
    # Summed as a real number, because SQLite stops with an error where a sum of integers overflows.
    function = "total" if aggregate is Aggregate.SUM else "avg"
    value = f"{function}({operand.sql})"
    # The average of whole numbers is a whole number: the documented one of nine that sum to 35,200 is 3,911.
    return f"CAST({value} AS INTEGER)" if column.type in WHOLE_NUMBER_TYPES else f"round({value}, {_DIGITS})"


def too_many_rows() -> ODataError:
    """The refusal of an aggregate over more than 50,000 rows."""
    return ODataError(
        400, TOO_MANY_TO_AGGREGATE, "AggregateQueryRecordLimit exceeded. Cannot perform this operation."
    )


def check_joins(*parts: str) -> None:
    """Check that the parts of a statement do not join too many tables.

    Raises:
        ODataError: 400 0x8004430d, it joins more than 15:
            https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/join-tables
    """
    if sum(part.count(" JOIN ") for part in parts) > MOST_JOINS:
        raise too_many_joins()


def too_many_joins() -> ODataError:
    """The refusal of a query that joins more than 15 tables."""
    return ODataError(400, TOO_MANY_JOINS, "Number of link entities in query exceeded maximum limit.")
