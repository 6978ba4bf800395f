"""Records by the names people use: by id, exact name, e-mail address or number, all on one trip.

A name that several records have is answered with them and never guessed; one that none has with those that
are like it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from crm_tools.errors import (
    AmbiguousNameError,
    ApprovalError,
    CrmError,
    InputError,
    PolicyDeniedError,
    UnknownRecordError,
)
from crm_tools.filters import parse_filter
from crm_tools.guids import is_guid
from crm_tools.operations import OrderBy, Page, Query, Row
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

ME = "me"
"""The signed-in user, where a user is asked for."""

_LONGEST = 300
"""Characters of the longest column that identifies a record."""
_STATE = "statecode"
_MOST = 8
_MOST_ON_ONE_TRIP = 50
_CANDIDATES = 5
_LIKENESS = 0.45


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record that is meant by ``text``, in one of ``tables``; ``argument`` is where it was given.

    Where several have the name, the one that is open or active is meant if there is but one; with ``closed``
    the one that is not, such as a deal that is to be opened again.
    """

    text: str
    tables: tuple[str, ...]
    argument: str
    closed: bool = False


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
    """By place among the wanted the rows that have the name, or why they could not be looked for.

    What is wanted several times is asked for once.
    """
    rows: dict[int, list[tuple[Table, Row]]] = {place: [] for place in range(len(wanted))}
    refused: dict[int, CrmError] = {}
    asked: dict[tuple[str, str, bool], list[int]] = {}
    for place, item in enumerate(wanted):
        if problem := _misnamed(item):
            refused[place] = problem
        elif not _is_plain_key(item):
            for name in _possible(item, tables):
                asked.setdefault((name, item.text.strip(), item.closed), []).append(place)
    looked = {key: query for key in asked if (query := _lookup(*key, tables, port)) is not None}
    answers = await port.together(list(looked.values())) if looked else ()
    for key, answer in zip(looked, answers, strict=True):
        table, text = tables[key[0]], key[1]
        for place in asked[key]:
            if isinstance(answer, Page):
                rows[place] += [(table, row) for row in answer.rows if _has(row, table, text)]
            else:
                refused[place] = _weightier(refused.get(place), answer)
    return rows, refused


def _weightier(one: CrmError | None, other: CrmError) -> CrmError:
    """Of two errors the one that leaves it open which record is meant."""
    return other if one is None or isinstance(one, _UNSEEN) else one


_UNSEEN = (PolicyDeniedError, ApprovalError)
"""What the policy keeps from being looked for is meant by nobody; a CRM that did not answer may have it."""


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


def _misnamed(item: Wanted) -> InputError | None:
    """Why a text can be the name of no record."""
    text = item.text.strip()
    if not text:
        return InputError(f"Argument {item.argument} names a record; it is empty.")
    if len(text) > _LONGEST:
        return InputError(
            f"Argument {item.argument} names a record by at most {_LONGEST} characters, not {len(text):,}."
        )
    return None


def _lookup(name: str, text: str, closed: bool, tables: Mapping[str, Table], port: CrmPort) -> Query | None:
    """The rows of the table that may be meant; None where the policy lets none be looked for by name."""
    table = tables[name]
    if is_guid(text):
        condition = f"{table.key} eq {text}"
    elif _is_me(text, table):
        condition = f"Microsoft.Dynamics.CRM.EqualUserId(PropertyName='{table.key}')"
    else:
        columns = port.usable(table.name, _identifying(table))
        condition = " or ".join(f"{column} eq {quoted(text)}" for column in columns)
    if not condition:
        return None
    return _query(condition, table, tables, port, _MOST, closed=closed)


def _has(row: Row, table: Table, text: str) -> bool:
    """Whether a row has exactly this name, in any case: the CRM's comparison also lets accents pass."""
    meant = text.strip().casefold()
    if is_guid(meant) or _is_me(meant, table):
        return True
    return any(str(row.get(column) or "").strip().casefold() == meant for column in _identifying(table))


def _is_me(text: str, table: Table) -> bool:
    return table.name == "systemuser" and text.casefold() == ME


def _identifying(table: Table) -> tuple[str, ...]:
    return ((table.primary_name,) if table.has_names else ()) + _IDENTIFYING.get(table.name, ())


def _query(
    text: str, table: Table, tables: Mapping[str, Table], port: CrmPort, top: int, *, closed: bool = False
) -> Query:
    parsed = parse_filter(text, table, tables)
    shown = [*_identifying(table), *_TELLING, *_TELLING_LOOKUPS, "statecode"]
    known = [name for name in dict.fromkeys(shown) if name in table.columns]
    select = (table.key, *port.readable(table.name, known))
    # Those that are likelier to be meant come first: if there is but one of them, it is among those taken.
    states = port.usable(table.name, [name for name in (_STATE,) if name in table.columns])
    named = {**parsed.named, table.name: parsed.named.get(table.name, frozenset()) | frozenset(states)}
    return Query(
        table.name,
        tuple(dict.fromkeys(select)),
        parsed.text,
        orderby=tuple(OrderBy(name, descending=closed) for name in states),
        named=named,
        top=top,
    )


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
    if refused is not None and (not rows or not isinstance(refused, _UNSEEN)):
        return refused
    if not rows:
        return None
    meant = rows if len(rows) == 1 else _likelier(rows, item.closed)
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


def _likelier(rows: list[tuple[Table, Row]], closed: bool) -> list[tuple[Table, Row]]:
    """The one in the state that is meant, such as the active one beside its merged duplicates; else all."""
    alive = [item for item in rows if _STATE in item[1] and (item[1][_STATE] != 0) is closed]
    return alive if len(alive) == 1 else rows


async def _unknown(item: Wanted, tables: Mapping[str, Table], port: CrmPort) -> UnknownRecordError:
    names = _possible(item, tables)
    kinds = " or ".join(tables[name].label.lower() for name in names)
    if not any(tables[name].has_names for name in names):
        return UnknownRecordError(f"Argument {item.argument} has to be an id: a {kinds} has no name.", ())
    if not any(port.usable(name, (tables[name].primary_name,)) for name in names):
        return UnknownRecordError(
            f"Argument {item.argument} has to be an id: the policy lets no {kinds} be found by name.",
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
        if table.has_names and port.usable(name, (table.primary_name,)):
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
