"""What can be done to a table: the unit that policy rules speak of."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Action(StrEnum):
    """What an operation does to a table: the unit that policy rules speak of."""

    READ = "read"
    SEARCH = "search"
    AGGREGATE = "aggregate"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    QUALIFY = "qualify"
    WIN = "win"
    LOSE = "lose"
    REOPEN = "reopen"
    ASSIGN = "assign"
    MERGE = "merge"
    LINK = "link"
    BULK = "bulk"


READING = frozenset({Action.READ, Action.SEARCH, Action.AGGREGATE})
"""The actions that change nothing."""

STATE_ACTIONS: Mapping[tuple[str, int | None], Action] = {
    ("opportunity", 0): Action.REOPEN,
    ("opportunity", 1): Action.WIN,
    ("opportunity", 2): Action.LOSE,
    ("lead", 0): Action.REOPEN,
    ("lead", 1): Action.QUALIFY,
}
"""What it means to take a row of a table to a state."""
