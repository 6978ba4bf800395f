"""Reads what narrows a rule: columns, masks, rows, values, callers, hours and environments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from crm_server.policy.contradiction import is_contradictory
from crm_server.policy.disclosure import with_disclosing
from crm_server.policy.model import Effect, Mask, Window
from crm_server.policy.problems import Path, PolicyTextError, unknown
from crm_server.policy.wording import DAYS
from crm_tools.conditions import Condition, parse_condition
from crm_tools.errors import InputError
from crm_tools.operations import Action
from crm_tools.tables import Table

_BY_TABLE = ("columns", "masked", "rows", "values")
"""The keys whose meaning depends on the tables."""

_WRITES = frozenset({Action.CREATE, Action.UPDATE})
_SHOWS = frozenset({Action.READ, Action.SEARCH})
_WITHOUT_COLUMNS = (Action.DELETE, Action.MERGE, Action.BULK)
_END_OF_DAY = "24:00"

MaskedColumns = Mapping[str, Mapping[str, Mask]]


@dataclass(frozen=True, slots=True)
class About:
    """What the rest of the rule says, which narrowing has to fit."""

    effect: Effect
    actions: frozenset[Action]
    named: tuple[Table, ...]
    """The known tables that the rule names or matches; none where it is about every table."""
    tables: Mapping[str, Table]


def narrowing_keys(given: Mapping[str, Any]) -> frozenset[str]:
    """The keys of a rule whose meaning depends on the tables."""
    return frozenset(_BY_TABLE) & given.keys()


def parse_narrowing(given: Mapping[str, Any], about: About) -> dict[str, Any]:
    """The fields of a rule that narrow it, from keys whose kinds are right.

    Raises:
        PolicyTextError: A key does not fit the rule's actions, tables or effect.
    """
    for key in _BY_TABLE:
        if key in given and not about.named:
            raise PolicyTextError(
                f'{key} needs tables that are known: name them, or use a pattern that matches some; not "*".',
                (key,),
            )
    masked = _masked(given.get("masked"), about)
    return {
        "columns": _columns(given.get("columns"), masked, about),
        "masked": masked,
        "withheld": {
            table.name: with_disclosing(table, masked[table.name]).difference(masked[table.name])
            for table in about.named
            if table.name in masked
        },
        "rows": _conditions(given.get("rows"), "rows", about),
        "values": _values(given.get("values"), about),
        "roles": frozenset(given.get("roles", ())),
        "users": frozenset(given.get("users", ())),
        "when": _window(given.get("when")),
        "environments": frozenset(given.get("environments", ())),
    }


def _columns(given: Any, masked: MaskedColumns, about: About) -> Mapping[str, frozenset[str]] | None:
    if given is None:
        return None
    for action in _WITHOUT_COLUMNS:
        if action in about.actions:
            raise PolicyTextError(
                f"columns says nothing of {action}, which has none; give it a rule of its own.",
                ("columns",),
            )
    found: dict[str, frozenset[str]] = {}
    for table in about.named:
        wire = frozenset(_column(name, table, ("columns", place)) for place, name in enumerate(given))
        if about.effect is Effect.DENY:
            if table.key in wire:
                raise PolicyTextError(
                    f"columns: {table.key} is the key of {table.name}, which every answer carries.",
                    ("columns",),
                )
            found[table.name] = with_disclosing(table, wire)
        else:
            # Every answer carries the key.
            found[table.name] = (wire | {table.key}).difference(masked.get(table.name, ()))
    return found


def _column(name: str, table: Table, path: Path) -> str:
    if name not in table.by_short_name:
        raise unknown(f"column of {table.name}", name, table.by_short_name, path)
    return table.by_short_name[name].name


def _masked(given: Any, about: About) -> MaskedColumns:
    if given is None:
        return {}
    if about.effect is Effect.DENY or not about.actions <= _SHOWS:
        raise PolicyTextError(
            'masked belongs to a rule that allows or confirms, with actions "read" and "search" only.',
            ("masked",),
        )
    found = {
        table.name: {_column(name, table, ("masked", name)): Mask(how) for name, how in given.items()}
        for table in about.named
    }
    for table in about.named:
        if table.key in found[table.name]:
            raise PolicyTextError(
                f"masked: {table.key} is the key of {table.name}, which every answer carries.", ("masked",)
            )
    return found


def _conditions(given: str | None, key: str, about: About) -> Mapping[str, Condition]:
    if given is None:
        return {}
    found: dict[str, Condition] = {}
    # Rows that are denied are taken out of what is read.
    denied = key == "rows" and about.effect is Effect.DENY
    for table in about.named:
        try:
            found[table.name] = parse_condition(given, table, about.tables, to_negate=denied)
        except InputError as error:
            raise PolicyTextError(f"{key}: {error.message}", (key,)) from None
        if is_contradictory(found[table.name].text, table):
            raise PolicyTextError(
                f"{key}: no row of {table.name} can satisfy this, so the rule would never hold.", (key,)
            )
    return found


def _values(given: str | None, about: About) -> Mapping[str, Condition]:
    if given is None:
        return {}
    if not about.actions <= _WRITES:
        raise PolicyTextError(
            'values is about what is written: its rule has actions "create" and "update" only.', ("values",)
        )
    found = _conditions(given, "values", about)
    for table in about.named:
        condition = found[table.name]
        if condition.needs_caller:
            raise PolicyTextError(
                "values compares what is written with values, not with the caller.", ("values",)
            )
        for column in sorted(condition.columns - _written(table, about.actions)):
            raise PolicyTextError(
                f"values: {table.columns[column].short_name} of {table.name} is never written by "
                f"{' or '.join(sorted(about.actions))}, so nothing could be held against it.",
                ("values",),
            )
    return found


def _written(table: Table, actions: frozenset[Action]) -> frozenset[str]:
    """The columns that a create or an update may set."""
    own = {
        name
        for name, column in table.columns.items()
        if (Action.CREATE in actions and column.on_create) or (Action.UPDATE in actions and column.on_update)
    }
    return frozenset(own | {item.column for item in table.navigations.values() if item.writable})


def _window(given: Mapping[str, Any] | None) -> Window | None:
    if given is None:
        return None
    days = frozenset(map(DAYS.index, given.get("days", DAYS)))
    start, end = _clock(given.get("from", "00:00")), _clock(given.get("to", _END_OF_DAY))
    if start == end:
        raise PolicyTextError("when: from and to are the same, so the rule would never hold.", ("when",))
    return Window(days, start, end, _zone(given.get("timezone", "UTC")))


def _clock(given: str) -> time:
    return time.max if given == _END_OF_DAY else time.fromisoformat(given)


def _zone(given: str) -> ZoneInfo:
    try:
        return ZoneInfo(given)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise unknown(
            "time zone", given, sorted(available_timezones()), ("when", "timezone"), "when: "
        ) from None
