"""Reads what narrows a rule: columns, masks, rows, values, callers, hours and environments."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crm_server.policy.disclosure import with_disclosing
from crm_server.policy.model import KINDS_OF_ENVIRONMENT, Effect, Mask, Window
from crm_tools.conditions import Condition, parse_condition
from crm_tools.errors import InputError, UnknownNameError
from crm_tools.operations import Action
from crm_tools.tables import Table

NARROWING_KEYS = ("columns", "masked", "rows", "values", "roles", "users", "when", "environments")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHEN_KEYS = ("days", "from", "to", "timezone")
_WRITES = frozenset({Action.CREATE, Action.UPDATE})


class NarrowingError(ValueError):
    """What narrows a rule is not understood. The message says what to change."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The parsed keys, by table where they name columns; see :class:`~crm_server.policy.model.Rule`."""

    columns: Mapping[str, frozenset[str]] | None = None
    masked: Mapping[str, Mapping[str, Mask]] = field(default_factory=dict)
    withheld: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rows: Mapping[str, Condition] = field(default_factory=dict)
    values: Mapping[str, Condition] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    when: Window | None = None
    environments: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class About:
    """What the rest of the rule says, which narrowing has to fit."""

    effect: Effect
    actions: frozenset[Action]
    named: tuple[Table, ...]
    """The tables that the rule names; none where it is about every table."""
    tables: Mapping[str, Table]


def parse_narrowing(given: Mapping[str, Any], about: About) -> Narrowing:
    """The narrowing of one rule.

    Raises:
        NarrowingError: A key is not understood, or does not fit the rule's actions, tables or effect.
    """
    for key in ("columns", "masked", "rows", "values"):
        if key in given and not about.named:
            raise NarrowingError(f'{key} needs tables that are named, not "*".')
    masked = _masked(given.get("masked"), about)
    return Narrowing(
        columns=_columns(given.get("columns"), masked, about),
        masked=masked,
        withheld={
            table.name: with_disclosing(table, masked[table.name]) - masked[table.name].keys()
            for table in about.named
            if table.name in masked
        },
        rows=_conditions(given.get("rows"), "rows", about),
        values=_values(given.get("values"), about),
        roles=_names(given.get("roles"), "roles"),
        users=_names(given.get("users"), "users"),
        when=_window(given.get("when")),
        environments=_environments(given.get("environments")),
    )


def _columns(
    given: Any, masked: Mapping[str, Mapping[str, Mask]], about: About
) -> Mapping[str, frozenset[str]] | None:
    if given is None:
        return None
    if Action.DELETE in about.actions:
        raise NarrowingError("columns says nothing of a delete; give deletes a rule of their own.")
    names = _names(given, "columns")
    found: dict[str, frozenset[str]] = {}
    for table in about.named:
        wire = frozenset(_column(name, table) for name in names)
        if about.effect is Effect.DENY:
            found[table.name] = with_disclosing(table, wire)
        else:
            # Every answer carries the key.
            found[table.name] = (wire | {table.key}) - masked.get(table.name, {}).keys()
    return found


def _column(name: str, table: Table) -> str:
    if name not in table.by_short_name:
        raise NarrowingError(UnknownNameError(f"column of {table.name}", name, table.by_short_name).message)
    return table.by_short_name[name].name


def _masked(given: Any, about: About) -> Mapping[str, Mapping[str, Mask]]:
    if given is None:
        return {}
    if about.effect is Effect.DENY or about.actions != {Action.READ}:
        raise NarrowingError('masked belongs to a rule that allows or confirms, with actions = ["read"].')
    if not isinstance(given, dict) or not given:
        raise NarrowingError('masked names columns and how they are shown: { emailaddress1 = "domain" }.')
    for how in given.values():
        _known("mask", how, list(Mask))
    found = {
        table.name: {_column(name, table): Mask(how) for name, how in given.items()} for table in about.named
    }
    for table in about.named:
        if table.key in found[table.name]:
            raise NarrowingError(f"{table.key} is the key of {table.name}, which every answer carries.")
    return found


def _conditions(given: Any, key: str, about: About) -> Mapping[str, Condition]:
    if given is None:
        return {}
    if not isinstance(given, str):
        raise NarrowingError(f'{key} is a filter in quotes, such as "ownerid eq @me".')
    try:
        # Rows that are denied are taken out of what is read.
        denied = key == "rows" and about.effect is Effect.DENY
        return {
            table.name: parse_condition(given, table, about.tables, to_negate=denied) for table in about.named
        }
    except InputError as error:
        raise NarrowingError(f"{key}: {error.message}") from None


def _values(given: Any, about: About) -> Mapping[str, Condition]:
    if given is not None and not about.actions <= _WRITES:
        raise NarrowingError(
            'values is about what is written: its rule has actions "create" and "update" only.'
        )
    found = _conditions(given, "values", about)
    for condition in found.values():
        if condition.needs_caller:
            raise NarrowingError("values compares what is written with values, not with the caller.")
    return found


def _names(given: Any, key: str) -> frozenset[str]:
    if given is None:
        return frozenset()
    if not isinstance(given, list) or not given or not all(isinstance(item, str) and item for item in given):
        raise NarrowingError(f"{key} is a list of texts, and names at least one.")
    return frozenset(given)


def _environments(given: Any) -> frozenset[str]:
    names = _names(given, "environments")
    for name in names:
        _known("kind of environment", name, KINDS_OF_ENVIRONMENT)
    return names


def _window(given: Any) -> Window | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise NarrowingError('when is { days = ["mon"], from = "08:00", to = "18:00", timezone = "UTC" }.')
    for name in given:
        _known("key of when", name, _WHEN_KEYS)
    days = _names(given.get("days", list(_DAYS)), "days")
    for day in days:
        _known("day", day, _DAYS)
    start, end = _clock(given.get("from", "00:00"), "from"), _clock(given.get("to", "23:59:59"), "to")
    if start == end:
        raise NarrowingError("when: from and to are the same, so the rule would never hold.")
    return Window(frozenset(map(_DAYS.index, days)), start, end, _zone(given.get("timezone", "UTC")))


def _clock(given: Any, key: str) -> time:
    try:
        return time.fromisoformat(given)
    except (TypeError, ValueError):
        raise NarrowingError(f'when: {key} is a time such as "08:00".') from None


def _zone(given: Any) -> ZoneInfo:
    try:
        return ZoneInfo(given)
    except (ZoneInfoNotFoundError, TypeError, ValueError):
        raise NarrowingError('when: timezone is a name such as "Europe/Berlin".') from None


def _known(what: str, given: Any, known: Collection[str]) -> None:
    if given not in known:
        raise NarrowingError(UnknownNameError(what, str(given), _texts(known)).message)


def _texts(known: Iterable[str]) -> list[str]:
    return [str(name) for name in known]
