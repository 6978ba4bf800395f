"""Which column of a table each column of an import goes to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_tools.errors import InputError, UnknownNameError, closest
from crm_tools.tables import CHOICE_TYPES, Column, ColumnType, Navigation, Table
from crm_tools.wording import column_named

ID = "id"
"""The name under which a column of record ids is known, besides the key's own."""
_BY_TOOLS = frozenset({ColumnType.STATE, ColumnType.STATUS})


@dataclass(frozen=True, slots=True)
class Mapped:
    """A column of the source, by ``name``, and where its values go.

    ``ways`` are the navigations of a lookup; ``is_key`` says that it holds the ids of the records.
    """

    name: str
    column: Column
    ways: tuple[Navigation, ...] = ()
    is_key: bool = False


def mapped(
    names: Sequence[str], mapping: Mapping[str, str | None], table: Table, *, creates: bool
) -> list[Mapped]:
    """The columns of the source that go to a column of the table; those mapped to null are left out.

    Raises:
        InputError: Columns that are not known, that cannot be set, or that two go to; all of them are named.
    """
    _require_named(mapping, names)
    found: list[Mapped] = []
    problems: list[str] = []
    example: tuple[str, str] | None = None
    for name in names:
        target = mapping.get(name, name)
        if target is None:
            continue
        try:
            found.append(_mapped(name, target, table, creates=creates))
        except UnknownNameError:
            near = _near(target, table)
            example = example or (name, near[0] if near else table.primary_name)
            problems.append(_unknown(name, near, table))
        except InputError as error:
            problems.append(error.message)
    problems += _twice(found)
    if problems:
        name, target = example or (names[0], table.primary_name)
        such = json.dumps({name[:40]: target}, ensure_ascii=False)
        raise InputError(
            f"{' '.join(problems)} Give mapping, such as {such}; null leaves a column out. Nothing was "
            "changed."
        )
    if not found:
        raise InputError("No column is left to import.")
    return found


def _require_named(mapping: Mapping[str, str | None], names: Sequence[str]) -> None:
    for name in mapping:
        if name not in names:
            raise UnknownNameError("column in mapping", name, names)


def _mapped(name: str, target: str, table: Table, *, creates: bool) -> Mapped:
    if target.casefold() in (ID, table.key):
        return _key_column(name, table, creates=creates)
    if (navigation := table.navigations.get(target)) is not None and navigation.writable:
        return Mapped(name, table.columns[navigation.column], (navigation,))
    column = column_named(target, table)
    if column.name == table.key:
        return _key_column(name, table, creates=creates)
    if column.type is ColumnType.LOOKUP:
        return Mapped(name, column, _ways(column, table))
    if column.type in _BY_TOOLS:
        raise InputError(
            f"An import does not set {column.label} ({column.name}): records are closed one by one."
        )
    if not (column.on_create if creates else column.on_update):
        when = "set when a record is created" if creates else "changed"
        raise InputError(f"{column.label} ({column.name}) cannot be {when}.")
    return Mapped(name, column)


def _key_column(name: str, table: Table, *, creates: bool) -> Mapped:
    if creates:
        raise InputError(
            f"Column {name[:80]!r} tells which record is meant: give mode update, or map it to null."
        )
    return Mapped(name, table.columns[table.key], is_key=True)


def _ways(column: Column, table: Table) -> tuple[Navigation, ...]:
    ways = tuple(item for item in table.navigations.values() if item.column == column.name and item.writable)
    if not ways:
        raise InputError(f"{column.label} ({column.short_name}) cannot be set by an import.")
    return ways


def _near(target: str, table: Table) -> list[str]:
    """The names of the columns whose name or label is nearest."""
    columns = table.columns.values()
    known = {word: item.short_name for item in columns for word in (item.short_name, item.label)}
    return list(dict.fromkeys(known[word] for word in closest(target, known)))


def _unknown(name: str, near: list[str], table: Table) -> str:
    like = f"; did you mean {' or '.join(near)}?" if near else "."
    return f"Column {name[:80]!r} is no column of {table.name}{like}"


def _twice(found: Sequence[Mapped]) -> list[str]:
    by_column: dict[str, str] = {}
    problems = []
    for item in found:
        if item.column.name in by_column:
            problems.append(
                f"{by_column[item.column.name]!r} and {item.name!r} both go to {item.column.short_name}."
            )
        by_column[item.column.name] = item.name
    return problems


def target_name(item: Mapped) -> str:
    """Where a column goes, as people read it."""
    if item.is_key:
        return "the record's id"
    kind = " (by label)" if item.column.type in CHOICE_TYPES else ""
    return f"{item.column.short_name}{kind or (' (by name)' if item.ways else '')}"
