"""What is done to a record besides creating, changing and deleting it: acts of selling and of keeping order.

Each is a value as those of :mod:`crm_tools.operations` are, and is broken into accesses that a policy judges.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/actions
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crm_tools.actions import Action
from crm_tools.operations import Access

OPEN = 0
QUALIFIED, DISQUALIFIED = 1, 2
WON, LOST = 1, 2
_MERGED_STATES = {"account": (1, 2), "contact": (1, 2), "lead": (2, 7)}
"""State and status reason of the record that goes in a merge."""


@dataclass(frozen=True, slots=True)
class Qualify:
    """A lead to qualify, and what to make of it. ``status`` is the status reason of the qualified lead.

    ``uses`` are an account and a contact that exist, by table: the lead is linked to them, and what is made
    of it belongs to them.
    """

    key: str
    account: bool = True
    contact: bool = True
    opportunity: bool = True
    status: int = 3
    uses: Mapping[str, str] = field(default_factory=dict)

    action = Action.QUALIFY
    table = "lead"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The tables of what is made."""
        flags = {"account": self.account, "contact": self.contact, "opportunity": self.opportunity}
        return tuple(table for table, flag in flags.items() if flag)

    @property
    def links(self) -> Mapping[str, str]:
        """The lookups of the lead to what is used."""
        return {f"_parent{table}id_value": key for table, key in self.uses.items()}

    @property
    def written(self) -> Mapping[str, Any]:
        """What the lead holds afterwards."""
        return {"statecode": QUALIFIED, "statuscode": self.status, **self.links}

    def accesses(self) -> tuple[Access, ...]:
        """Qualifying the lead, changing its links, and creating what is made of it."""
        lead = Access(self.action, self.table, writes=frozenset(self.written), values=self.written)
        made = (Access(Action.CREATE, table) for table in self.wanted)
        if not self.uses:
            return (lead, *made)
        linked = Access(Action.UPDATE, self.table, writes=frozenset(self.links), values=self.links)
        return (lead, linked, *made)


@dataclass(frozen=True, slots=True)
class Close:
    """An opportunity to close as won or lost.

    ``status`` is the status reason, ``revenue`` the actual value, ``closed_on`` a date as ``2026-12-31``;
    what is None is left to Dataverse.
    """

    key: str
    won: bool
    status: int
    subject: str
    revenue: float | None = None
    closed_on: str | None = None
    note: str | None = None

    table = "opportunity"

    @property
    def action(self) -> Action:
        """Winning and losing are different things to a policy."""
        return Action.WIN if self.won else Action.LOSE

    @property
    def written(self) -> Mapping[str, Any]:
        """What the opportunity holds afterwards."""
        given = {"actualvalue": self.revenue, "actualclosedate": self.closed_on}
        state = {"statecode": WON if self.won else LOST, "statuscode": self.status}
        return state | {name: value for name, value in given.items() if value is not None}

    def accesses(self) -> tuple[Access, ...]:
        """Closing the opportunity."""
        return (Access(self.action, self.table, writes=frozenset(self.written), values=self.written),)


@dataclass(frozen=True, slots=True)
class Merge:
    """Two records of a table that become one: ``key`` goes, ``into`` stays and gets what belonged to it.

    ``values`` are columns of the one that stays that take what the other one holds. ``into_name`` is what a
    human is shown.
    """

    table: str
    key: str
    into: str
    into_name: str
    values: Mapping[str, Any] = field(default_factory=dict)

    action = Action.MERGE

    @property
    def written(self) -> Mapping[str, Any]:
        """What the record that goes holds afterwards."""
        state, status = _MERGED_STATES[self.table]
        return {"statecode": state, "statuscode": status}

    def accesses(self) -> tuple[Access, ...]:
        """Merging both, and changing the one that stays."""
        merge = Access(self.action, self.table, writes=frozenset(self.values), values=self.values)
        if not self.values:
            return (merge,)
        return (
            merge,
            Access(Action.UPDATE, self.table, writes=frozenset(self.values), values=self.values),
        )


@dataclass(frozen=True, slots=True)
class Link:
    """Two records to connect by a many-to-many relationship, or with ``unlink`` to take apart.

    ``navigation`` is the collection of ``table`` that holds the rows of ``other_table``; ``other_name`` is
    what a human is shown.
    """

    table: str
    key: str
    navigation: str
    other_table: str
    other_key: str
    other_name: str
    unlink: bool = False

    action = Action.LINK

    @property
    def written(self) -> Mapping[str, Any]:
        """No column: what was connected, for the journal."""
        return {LINKED: [self.navigation, self.other_table, self.other_key, self.unlink]}

    def accesses(self) -> tuple[Access, ...]:
        """Connecting touches both tables."""
        return (Access(self.action, self.table), Access(self.action, self.other_table))


LINKED = "link"
"""Under this name the journal keeps what :class:`Link` connected."""

Act = Qualify | Close | Merge | Link
