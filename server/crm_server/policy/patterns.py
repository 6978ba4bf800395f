"""Tables by pattern: ``*`` stands for any characters of a logical name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from crm_tools.tables import Table

EVERY_TABLE = "*"


def is_pattern(name: str) -> bool:
    """Whether it stands for the tables that it matches, and is not the name of one."""
    return "*" in name


def is_like(table: str, names: Iterable[str]) -> bool:
    """Whether a table is one of these, or matches a pattern among them."""
    return any(table == name or (is_pattern(name) and fnmatchcase(table, name)) for name in names)


def tables_like(names: Iterable[str], tables: Mapping[str, Table]) -> tuple[Table, ...]:
    """The known tables among these names and patterns."""
    names = tuple(names)
    return tuple(tables[name] for name in sorted(tables) if is_like(name, names))


def may_match_later(pattern: str) -> bool:
    """Whether tables may match that are added later: custom tables begin with a publisher's prefix."""
    return "_" in pattern.partition("*")[0]


def covers(wider: str, name: str) -> bool:
    """Whether every table of ``name`` is surely one of ``wider``; either may be a pattern."""
    return wider == name or (is_pattern(wider) and fnmatchcase(name, wider))
