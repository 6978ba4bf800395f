"""Reads that answer with totals instead of rows, and the search for words in several tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from crm_tools.actions import Action
from crm_tools.operations import THROUGH_FILTER, Access

MOST_GROUPS = 1_000
"""Groups that are taken of one question."""


class Measure(StrEnum):
    """What is made of the values of a column; ``COUNT`` counts rows and needs none."""

    COUNT = "count"
    SUM = "sum"
    AVERAGE = "average"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Total:
    """A total of a column (wire name), under ``name`` in the answer."""

    measure: Measure
    column: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Totals of the rows of a table, for each combination of the values of the columns ``by``.

    ``filter`` and ``named`` are those of :class:`~crm_tools.operations.Query`.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/aggregate-data
    """

    table: str
    totals: tuple[Total, ...]
    by: tuple[str, ...] = ()
    filter: str | None = None
    named: Mapping[str, frozenset[str]] = field(default_factory=dict)

    key = ""

    def accesses(self) -> tuple[Access, ...]:
        """The reads a policy has to allow. A total discloses values as a filter does."""
        own = {*self.by, *(total.column for total in self.totals if total.column is not None)}
        used = frozenset(own) | self.named.get(self.table, frozenset())
        related = [
            Access(Action.READ, table, reads=columns, used=columns, via=THROUGH_FILTER)
            for table, columns in self.named.items()
            if table != self.table
        ]
        return (Access(Action.AGGREGATE, self.table, reads=used, used=used), *related)


@dataclass(frozen=True, slots=True)
class Search:
    """Words to look for in columns of a table; which rows are found, not what they hold."""

    table: str
    text: str
    columns: tuple[str, ...]
    top: int = 10

    key = ""

    def accesses(self) -> tuple[Access, ...]:
        """The search a policy has to allow."""
        columns = frozenset(self.columns)
        return (Access(Action.SEARCH, self.table, reads=columns, used=columns),)
