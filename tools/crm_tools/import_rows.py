"""From cells to rows that can be sent: values checked, lookups found by name, records found to be changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from crm_tools.bulk import BulkRow, LeftOut
from crm_tools.column_values import column_value
from crm_tools.csv_text import as_text, is_formula
from crm_tools.errors import CrmError, InputError
from crm_tools.guids import is_guid
from crm_tools.import_columns import Mapped
from crm_tools.naming import Found, Wanted, find_each, quoted
from crm_tools.operations import Binding, Page
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, rows_of
from crm_tools.tables import TEXT_TYPES, Column, Table

_VALUES_A_QUERY = 20
_MOST_MATCHES = 200


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row as it was given: by the names of the source's columns; ``number`` is the one people know it by.

    ``problem`` says why it cannot be read.
    """

    number: int
    values: Mapping[str, Any]
    problem: str = ""


@dataclass(slots=True)
class Rows:
    """Rows that can be sent, with the numbers that people know them by, and those that are left out."""

    rows: list[BulkRow] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def leave_out(self, number: int, why: str) -> None:
        """Note a row that is not sent."""
        self.left_out.append(LeftOut(number, why))


def only_tells(item: Mapped, match_on: Column | None, *, creates: bool) -> bool:
    """Whether a column only tells which record is changed."""
    return not creates and (item.is_key or (match_on is not None and item.column.name == match_on.name))


async def prepared_rows(
    source: Sequence[SourceRow],
    columns: Sequence[Mapped],
    table: Table,
    tables: Tables,
    port: CrmPort,
    *,
    creates: bool,
    match_on: Column | None,
) -> Rows:
    """The rows that can be sent. What is wrong with a row leaves out that row, and says why.

    Raises:
        InputError: Records cannot be told by the column that was given.
        CrmError: The CRM or the policy does not let records be looked for.
    """
    found = Rows()
    zone = port.now().tzinfo
    set_here = [item for item in columns if not only_tells(item, match_on, creates=creates)]
    values = [(row, _values(row, set_here, table, zone, found, creates=creates)) for row in source]
    fit = [(row, given) for row, given in values if given is not None]
    links = await _links([row for row, _ in fit], set_here, tables, port)
    keys = await _keys([row for row, _ in fit], columns, match_on, table, tables, port)
    met: dict[str, int] = {}
    for row, given in fit:
        try:
            if creates:
                _require_first(row, _matching(columns, match_on), met)
            bindings = _bindings(row, set_here, links)
            key = _key(row, columns, keys, match_on, creates=creates)
        except InputError as error:
            found.leave_out(row.number, error.message)
            continue
        if not given and not bindings:
            found.leave_out(row.number, "There is nothing in it to set.")
            continue
        found.rows.append(BulkRow(given, bindings, key))
        found.numbers.append(row.number)
    found.left_out.sort(key=lambda item: item.number)
    return found


def _values(
    row: SourceRow,
    columns: Sequence[Mapped],
    table: Table,
    zone: tzinfo | None,
    found: Rows,
    *,
    creates: bool,
) -> dict[str, Any] | None:
    """The values of a row as the wire has them; None where one is wrong, which is noted."""
    if row.problem:
        found.leave_out(row.number, row.problem)
        return None
    given: dict[str, Any] = {}
    problems: list[str] = []
    for item in columns:
        value = row.values.get(item.name)
        if isinstance(value, str) and is_formula(value):
            problems.append(
                f"{item.name}: the cell is a formula, which is not imported. Put its value there, or an "
                "apostrophe before it if it is meant as text."
            )
        elif not item.is_key and not item.ways and not _is_empty(value):
            try:
                given[item.column.name] = _value(value, item.column, zone)
            except InputError as error:
                problems.append(f"{item.name}: {error.message}")
    if creates:
        problems += _missing(row, columns, table)
    if problems:
        found.leave_out(row.number, " ".join(problems))
        return None
    return given


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _value(value: Any, column: Column, zone: tzinfo | None) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and column.type in TEXT_TYPES:
        value = str(value)  # such as a postal code that was written without quotes
    if isinstance(value, str):
        value = as_text(value)
    return column_value(value, column, zone) if zone is not None else column_value(value, column)


def _missing(row: SourceRow, columns: Sequence[Mapped], table: Table) -> list[str]:
    filled = {item.column.name for item in columns if not _is_empty(row.values.get(item.name))}
    missing = [name for name in table.create_needs if name not in filled]
    return [f"A {table.label.lower()} needs {', '.join(missing)}."] if missing else []


Links = Mapping[tuple[str, str], Found | CrmError]


async def _links(
    rows: Sequence[SourceRow], columns: Sequence[Mapped], tables: Tables, port: CrmPort
) -> dict[tuple[str, str], Found | CrmError]:
    """The records that lookups name, by column of the source and text; each text is looked for once."""
    lookups = [item for item in columns if item.ways]
    wanted: dict[tuple[str, str], Wanted] = {}
    for item in lookups:
        for row in rows:
            value = row.values.get(item.name)
            if not _is_empty(value):
                text = as_text(str(value).strip())
                ways = tuple(way.table for way in item.ways)
                wanted.setdefault((item.name, text), Wanted(text, ways, item.name))
    found = await find_each(list(wanted.values()), tables, port) if wanted else []
    return dict(zip(wanted, found, strict=True))


def _bindings(row: SourceRow, columns: Sequence[Mapped], links: Links) -> tuple[Binding, ...]:
    bindings = []
    for item in columns:
        value = row.values.get(item.name)
        if not item.ways or _is_empty(value):
            continue
        text = as_text(str(value).strip())
        one = links[item.name, text]
        if isinstance(one, CrmError):
            raise InputError(f"{item.name} {text[:80]!r}: {one.message}")
        way = next(way for way in item.ways if way.table == one.table)
        bindings.append(Binding(way.name, way.column, way.table, one.key))
    return tuple(bindings)


async def _keys(
    rows: Sequence[SourceRow],
    columns: Sequence[Mapped],
    match_on: Column | None,
    table: Table,
    tables: Tables,
    port: CrmPort,
) -> dict[str, list[str]]:
    """By value of the column that tells records, in lower case, the keys of the records that have it."""
    item = _matching(columns, match_on)
    if item is None:
        return {}
    if not port.usable(table.name, (item.column.name,)):
        raise InputError(f"The policy does not let records be told by {item.column.short_name}.")
    values = list(dict.fromkeys(_text_of(row, item) for row in rows if _text_of(row, item)))
    parts = [values[start : start + _VALUES_A_QUERY] for start in range(0, len(values), _VALUES_A_QUERY)]
    queries = [
        rows_of(
            table,
            " or ".join(f"{item.column.name} eq {quoted(value)}" for value in part),
            (item.column.name,),
            tables,
            port,
            top=_MOST_MATCHES,
        )
        for part in parts
    ]
    found: dict[str, list[str]] = {}
    for page in await port.together(queries) if queries else ():
        if not isinstance(page, Page):
            raise page
        if page.more:
            raise InputError(
                f"Too many records share values of {item.column.short_name}; match on a column that tells "
                "records apart."
            )
        for row in page.rows:
            value = str(row.get(item.column.name) or "").strip().casefold()
            found.setdefault(value, []).append(str(row[table.key]))
    return found


def _matching(columns: Sequence[Mapped], match_on: Column | None) -> Mapped | None:
    if match_on is None:
        return None
    return next((item for item in columns if item.column.name == match_on.name), None)


def _text_of(row: SourceRow, item: Mapped) -> str:
    value = row.values.get(item.name)
    return "" if _is_empty(value) else as_text(str(value).strip()).casefold()


def _require_first(row: SourceRow, item: Mapped | None, met: dict[str, int]) -> None:
    """Refuse a new row that is told by the same value as an earlier one.

    Raises:
        InputError: It is.
    """
    if item is not None and (value := _text_of(row, item)):
        earlier = met.setdefault(value, row.number)
        if earlier != row.number:
            raise InputError(f"Row {earlier} has the same {item.column.short_name}.")


def _key(
    row: SourceRow,
    columns: Sequence[Mapped],
    keys: Mapping[str, list[str]],
    match_on: Column | None,
    *,
    creates: bool,
) -> str | None:
    """The record that a row changes; None for a new one.

    Raises:
        InputError: No record or several are told by the row, or a new one is there already.
    """
    item = _matching(columns, match_on)
    if item is not None:
        value = _text_of(row, item)
        known = keys.get(value, []) if value else []
        if creates:
            if known:
                raise InputError(
                    f"There is a record with this {item.column.short_name} already ({known[0]})."
                )
            return None
        return _only(known, item, value)
    if creates:
        return None
    ids = next(item for item in columns if item.is_key)
    value = str(row.values.get(ids.name) or "").strip()
    if not is_guid(value):
        raise InputError(f"{ids.name} is the id of the record to change, a GUID.")
    return value.lower()


def _only(known: list[str], item: Mapped, value: str) -> str:
    if not value:
        raise InputError(f"{item.name} is empty, so nobody knows which record is meant.")
    if not known:
        raise InputError(f"No record has {item.column.short_name} {value[:80]!r}.")
    if len(known) > 1:
        raise InputError(
            f"{len(known)} records have {item.column.short_name} {value[:80]!r}; give their ids."
        )
    return known[0]
