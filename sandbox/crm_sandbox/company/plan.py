"""What is to be made, and the blocks in which it is made.

A block holds accounts together with all that refers to them. Every table of a block has dice of its own, so
that the rows of one table can be made without those of the others and are the same in any process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, count
from typing import Any, TypeVar

from crm_sandbox.company import sizes
from crm_sandbox.company.company_names import CompanyNames
from crm_sandbox.company.dice import Dice
from crm_sandbox.company.organisation import Organisation

T = TypeVar("T")

BLOCK_TABLES = (
    "account",
    "contact",
    "lead",
    "opportunity",
    "opportunityclose",
    "task",
    "phonecall",
    "appointment",
    "activityparty",
    "annotation",
)
"""The tables whose rows are made in blocks."""


@dataclass(frozen=True)
class Plan:
    """A company of a size. ``first_version`` is the number that its first row of a block gets."""

    seed: int
    accounts: int
    first_version: int
    organisation: Organisation = field(init=False)
    names: CompanyNames = field(init=False)
    rows: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "organisation", Organisation(self.seed))
        object.__setattr__(self, "names", CompanyNames(self.seed))
        object.__setattr__(self, "rows", sizes.rows_of(self.accounts))

    def blocks(self) -> Iterator[Block]:
        """The blocks, one after the other."""
        for number in range(sizes.blocks(self.accounts)):
            yield Block(self, number)

    @cached_property
    def versions(self) -> dict[str, int]:
        """The first version number of each table of the blocks."""
        starts = accumulate((self.rows[table] for table in BLOCK_TABLES), initial=self.first_version)
        return dict(zip(BLOCK_TABLES, starts, strict=False))

    @property
    def last_version(self) -> int:
        """The version number of the last row."""
        return self.first_version - 1 + sum(self.rows[table] for table in BLOCK_TABLES)


class Block:
    """Some accounts with all that belongs to them."""

    def __init__(self, plan: Plan, number: int) -> None:
        self.plan = plan
        self.organisation = plan.organisation
        self.number = number
        self._parts: dict[Callable[[Block], Any], Any] = {}

    def dice(self, purpose: str) -> Dice:
        """The dice of a purpose, from their start."""
        return Dice(self.plan.seed, self.number, purpose)

    def numbers(self, table: str) -> range:
        """The numbers of the rows of a table that are in the block."""
        first, end = (self._before(table, block) for block in (self.number, self.number + 1))
        return range(first, end)

    def versions(self, table: str) -> Iterator[int]:
        """Version numbers for the rows of a table, in the order of the rows."""
        return count(self.plan.versions[table] + self.numbers(table).start)

    def _before(self, table: str, block: int) -> int:
        """How many rows of a table the blocks before one have."""
        if table == "opportunityclose":
            return sizes.closed(self._before("opportunity", block))
        if table == "activityparty":
            return sizes.parties(self._before("phonecall", block), self._before("appointment", block))
        return self.plan.rows[table] * block // sizes.blocks(self.plan.accounts)

    def part(self, make: Callable[[Block], T]) -> T:
        """What a function makes of the block, made once: parts refer to each other's objects."""
        if make not in self._parts:
            self._parts[make] = make(self)
        made: T = self._parts[make]
        return made
