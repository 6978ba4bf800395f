"""Records by the names people use: by id, exact name, e-mail address or number, all on one trip.

A name that several records have is answered with them and never guessed; one that none has with those that
are like it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from crm_tools.errors import AmbiguousNameError, CrmError, InputError, UnknownRecordError
from crm_tools.filters import parse_filter
from crm_tools.guids import is_guid
from crm_tools.operations import Page, Query, Row
from crm_tools.outside_text import line
from crm_tools.port import CrmPort
from crm_tools.shaping import FORMATTED
from crm_tools.tables import Table

_IDENTIFYING: Mapping[str, tuple[str, ...]] = {
    "account": ("accountnumber", "emailaddress1"),
    "contact": ("emailaddress1",),
    "lead": ("emailaddress1", "companyname"),
    "systemuser": ("internalemailaddress",),
    "transactioncurrency": ("isocurrencycode",),
}
"""Columns besides the name that people identify a record by."""

_TELLING = ("address1_city", "companyname", "jobtitle", "estimatedclosedate")
_TELLING_LOOKUPS = ("_parentcustomerid_value", "_customerid_value", "_regardingobjectid_value")
"""What helps to choose between records of one name."""

_MOST = 8
_MOST_ON_ONE_TRIP = 50
_CANDIDATES = 5
_LIKENESS = 0.45


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record that is meant by ``text``, in one of ``tables``; ``argument`` is where it was given.

    ``state`` is the one that is meant where several have the name, such as open deals that are to be closed.
    """

    text: str
    tables: tuple[str, ...]
    argument: str
    state: int | None = 0


@dataclass(frozen=True, slots=True)
class Found:
    """The one record that is meant."""

    table: str
    key: str
    name: str = ""


async def find_records(wanted: Sequence[Wanted], tables: Mapping[str, Table], port: CrmPort) -> list[Found]:
    """The records that are meant, in the order given.

    Raises:
        AmbiguousNameError: Several records have a name.
        UnknownRecordError: None has it.
        InputError: The policy does not let these records be looked for by name.
    """
    rows, refused = await _looked_up(wanted, tables, port)
    found = []
    for place, item in enumerate(wanted):
        chosen = _chosen(item, rows[place], refused.get(place))
        if chosen is None:
            raise await _unknown(item, tables, port)
        if isinstance(chosen, CrmError):
            raise chosen
        found.append(chosen)
    return found


async def find_each(
    wanted: Sequence[Wanted], tables: Mapping[str, Table], port: CrmPort
) -> list[Found | CrmError]:
    """As :func:`find_records` for many records: what leads to no one record is its error."""
    found: list[Found | CrmError] = []
    for start in range(0, len(wanted), _MOST_ON_ONE_TRIP):
        some = wanted[start : start + _MOST_ON_ONE_TRIP]
        rows, refused = await _looked_up(some, tables, port)
        for place, item in enumerate(some):
            chosen = _chosen(item, rows[place], refused.get(place))
            found.append(
                chosen
                if chosen is not None
                else UnknownRecordError(f"No record matches {item.argument} exactly.", ())
            )
    return found


async def _looked_up(
    wanted: Sequence[Wanted], tables: Mapping[str, Table], port: CrmPort
) -> tuple[dict[int, list[tuple[Table, Row]]], dict[int, CrmError]]:
    """By place among the wanted the rows that have the name, or why they could not be looked for."""
    asked = [
        (place, name, _lookup(item, tables[name], tables, port))
        for place, item in enumerate(wanted)
        for name in _possible(item, tables)
        if not _is_plain_key(item)
    ]
    queries = [query for _, _, query in asked if query is not None]
    answers = iter(await port.together(queries) if queries else ())
    rows: dict[int, list[tuple[Table, Row]]] = {place: [] for place in range(len(wanted))}
    refused: dict[int, CrmError] = {}
    for place, name, query in asked:
        answer = next(answers) if query is not None else None
        if isinstance(answer, Page):
            text = wanted[place].text
            rows[place] += [(tables[name], row) for row in answer.rows if _has(row, tables[name], text)]
        elif isinstance(answer, CrmError):
            refused[place] = answer
    return rows, refused


async def with_keys(
    given: Mapping[str, Any], table: Table, tables: Mapping[str, Table], port: CrmPort
) -> dict[str, Any]:
    """The arguments of a write, with the keys of the records that its lookups name.

    Raises:
        RecordChoiceError: A name leads to no one record.
    """
    named = {
        name: value
        for name, value in given.items()
        if name in table.navigations and isinstance(value, str) and not is_guid(value)
    }
    if not named:
        return dict(given)
    wanted = [Wanted(value, (table.navigations[name].table,), name) for name, value in named.items()]
    found = await find_records(wanted, tables, port)
    return {**given, **{name: one.key for name, one in zip(named, found, strict=True)}}


def _possible(item: Wanted, tables: Mapping[str, Table]) -> tuple[str, ...]:
    return tuple(name for name in item.tables if name in tables)


def _is_plain_key(item: Wanted) -> bool:
    """An id of a known table needs no look: the CRM says if there is no such record."""
    return is_guid(item.text.strip()) and len(item.tables) == 1


def _lookup(item: Wanted, table: Table, tables: Mapping[str, Table], port: CrmPort) -> Query | None:
    text = item.text.strip()
    if not text:
        raise InputError(f"Argument {item.argument} names a record; it is empty.")
    if is_guid(text):
        return _query(f"{table.key} eq {text}", table, tables, port, _MOST)
    columns = port.usable(table.name, _identifying(table))
    if not columns:
        return None
    return _query(
        " or ".join(f"{column} eq {quoted(text)}" for column in columns), table, tables, port, _MOST
    )


def _has(row: Row, table: Table, text: str) -> bool:
    """Whether a row has exactly this name, in any case: the CRM's comparison also lets accents pass."""
    meant = text.strip().casefold()
    return is_guid(meant) or any(
        str(row.get(column) or "").strip().casefold() == meant for column in _identifying(table)
    )


def _identifying(table: Table) -> tuple[str, ...]:
    return (table.primary_name, *_IDENTIFYING.get(table.name, ()))


def _query(text: str, table: Table, tables: Mapping[str, Table], port: CrmPort, top: int) -> Query:
    parsed = parse_filter(text, table, tables)
    shown = [*_identifying(table), *_TELLING, *_TELLING_LOOKUPS, "statecode"]
    known = [name for name in dict.fromkeys(shown) if name in table.columns]
    select = (table.key, *port.readable(table.name, known))
    return Query(table.name, tuple(dict.fromkeys(select)), parsed.text, named=parsed.named, top=top)


def quoted(text: str) -> str:
    """A text as a literal that is compared as it is: Dataverse would read some characters as wildcards.

    https://learn.microsoft.com/power-apps/developer/data-platform/wildcard-characters
    """
    escaped = text.replace("[", "[[]").replace("%", "[%]").replace("_", "[_]")
    return "'" + escaped.replace("'", "''") + "'"


def _chosen(item: Wanted, rows: list[tuple[Table, Row]], refused: CrmError | None) -> Found | CrmError | None:
    """The record that is meant, or why none is; None where no record has the name."""
    if _is_plain_key(item):
        return Found(item.tables[0], item.text.strip().lower())
    if not rows:
        return refused
    meant = rows if len(rows) == 1 else _in_state(rows, item.state)
    if len(meant) == 1:
        table, row = meant[0]
        return Found(table.name, str(row[table.key]), _name(table, row))
    kinds = " or ".join(dict.fromkeys(table.label.lower() for table, _ in rows))
    count = f"More than {_MOST - 1}" if len(rows) >= _MOST else str(len(rows))
    return AmbiguousNameError(
        f"{count} records match argument {item.argument} ({kinds}). Choose one and give its id; ask the user "
        "if it is not clear which is meant.",
        [candidate(table, row) for table, row in rows[:_MOST]],
    )


def _in_state(rows: list[tuple[Table, Row]], state: int | None) -> list[tuple[Table, Row]]:
    """The one in the state that is meant, such as the active one beside its merged duplicates; else all."""
    alive = [item for item in rows if item[1].get("statecode") == state]
    return alive if len(alive) == 1 else rows


async def _unknown(item: Wanted, tables: Mapping[str, Table], port: CrmPort) -> UnknownRecordError:
    names = _possible(item, tables)
    kinds = " or ".join(tables[name].label.lower() for name in names)
    if not any(port.usable(name, (tables[name].primary_name,)) for name in names):
        return UnknownRecordError(
            f"Argument {item.argument} has to be an id: the policy does not let a {kinds} be found by name.",
            (),
        )
    like = await _like(item.text.strip(), names, tables, port)
    ending = " Did you mean one of these?" if like else " Look for it with find_records."
    return UnknownRecordError(f"No {kinds} matches argument {item.argument} exactly.{ending}", like)


async def _like(
    text: str, names: Iterable[str], tables: Mapping[str, Table], port: CrmPort
) -> list[dict[str, Any]]:
    """The records whose names come closest: those with its longest word, or that begin alike."""
    if is_guid(text):
        return []
    word = max(text.split(), key=len)
    queries = []
    for name in names:
        table = tables[name]
        if port.usable(name, (table.primary_name,)):
            column = table.primary_name
            near = f"contains({column},{quoted(word)}) or startswith({column},{quoted(text[:3])})"
            queries.append(_query(near, table, tables, port, 50))
    pages = await port.together(queries) if queries else []
    scored = [
        (
            SequenceMatcher(None, text.casefold(), _name(tables[page.query.table], row).casefold()).ratio(),
            page,
            row,
        )
        for page in pages
        if isinstance(page, Page)
        for row in page.rows
    ]
    best = sorted((item for item in scored if item[0] >= _LIKENESS), key=lambda item: -item[0])
    return [candidate(tables[page.query.table], row) for _, page, row in best[:_CANDIDATES]]


def _name(table: Table, row: Row) -> str:
    return line(str(row.get(table.primary_name) or ""))


def candidate(table: Table, row: Row) -> dict[str, Any]:
    """A record to choose: its name, id, and what tells it from others of the name."""
    told: dict[str, Any] = {"table": table.name, "id": row[table.key], "name": _name(table, row)}
    for column in (*_IDENTIFYING.get(table.name, ()), *_TELLING):
        if row.get(column):
            told[column.removeprefix("address1_")] = line(str(row[column]))
    for column in (*_TELLING_LOOKUPS, "statecode"):
        if label := row.get(column + FORMATTED):
            told[table.columns[column].short_name] = line(str(label))
    return told
