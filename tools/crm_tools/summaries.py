"""Totals instead of rows: count, sum, average, min and max, by columns and by the periods of a date.

Dataverse groups by no date, so each month, quarter or year is a question of its own, all on one trip; too
many of them are refused. Amounts of several currencies are added up for each currency by itself.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/aggregate-data
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, UTC, date, datetime, tzinfo
from typing import Any

from crm_tools.choices import choice_label
from crm_tools.column_values import utc_text
from crm_tools.currencies import CURRENCY, are_money, codes_in, codes_query, currency_of, per_currency
from crm_tools.errors import InputError, UnknownNameError
from crm_tools.filters import parse_filter
from crm_tools.insight_operations import MOST_GROUPS, Aggregate, Measure, Total
from crm_tools.operations import Row
from crm_tools.outside_text import line
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables
from crm_tools.rendering import fitted
from crm_tools.shaping import FORMATTED
from crm_tools.tables import CHOICE_TYPES, NUMBER_TYPES, Column, ColumnType, Table
from crm_tools.where import where_text
from crm_tools.wording import column_named, table_named

MOST_PERIODS = 36
DEFAULT_SHOWN, MOST_SHOWN = 50, 200
PERIODS = {"month": 1, "quarter": 3, "year": 12}
_DATES = (ColumnType.DATE_ONLY, ColumnType.DATE_TIME)
_WORDS = {"avg": "average", "mean": "average", "total": "sum", "minimum": "min", "maximum": "max"}
_FIRST, _LAST, _ROWS = "first", "last", "rows"


@dataclass(frozen=True, slots=True)
class _By:
    """What is grouped by: a column, or the periods of a date. ``name`` is its name in the answer."""

    column: Column
    name: str
    months: int | None = None


@dataclass(frozen=True, slots=True)
class _Period:
    """A part of the calendar, from ``start`` to before ``end``."""

    name: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class _Money:
    """The currencies of the amounts that are asked for.

    ``columns`` hold the amounts, ``codes`` the currencies' codes by key; ``only`` is the one currency of all
    amounts, and ``are_split`` says that each is by itself, because there are several.
    """

    columns: Sequence[str] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    only: str | None = None
    are_split: bool = False
    are_known: bool = True


async def summarize_records(arguments: Mapping[str, Any], tables: Tables, port: CrmPort) -> dict[str, Any]:
    """Totals of the rows that match."""
    table = table_named(arguments["table"], tables)
    totals = _totals(arguments.get("measures") or ["count"], table)
    by = [_by(name, table) for name in dict.fromkeys(arguments.get("by") or ())]
    aggregate = replace(
        await _narrowed(arguments, table, tables, port),
        totals=tuple(totals.values()),
        by=tuple(item.column.name for item in by if item.months is None),
    )
    dated = [item for item in by if item.months is not None]
    if len(dated) > 1:
        raise InputError("Argument by takes one date at most.")
    money = await _money(aggregate, table, tables, port)
    if money.are_split and CURRENCY not in aggregate.by:
        by = [_By(table.columns[CURRENCY], table.columns[CURRENCY].short_name), *by]
        aggregate = replace(aggregate, by=(CURRENCY, *aggregate.by))
    if dated:
        groups, is_whole = await _by_period(aggregate, dated[0], table, tables, port)
    else:
        (rows,) = await port.totals([aggregate])
        groups, is_whole = [(None, row) for row in rows], len(rows) < MOST_GROUPS
    shaped = [_group(row, by, totals, period, money) for period, row in groups]
    return _answer(shaped, by, totals, table, arguments, money, is_whole)


async def _money(aggregate: Aggregate, table: Table, tables: Tables, port: CrmPort) -> _Money:
    """Which currencies the amounts have that are asked for."""
    columns = are_money([total.column for total in aggregate.totals if total.column is not None], table)
    if not columns:
        return _Money()
    if CURRENCY not in table.columns or not port.usable(table.name, (CURRENCY,)):
        return _Money(columns, are_known=False)
    there = " or ".join(f"{name} ne null" for name in dict.fromkeys(columns))
    question = replace(aggregate, totals=(Total(Measure.COUNT, None, _ROWS),), by=(CURRENCY,))
    (rows,) = await port.totals([_and(question, there, table, tables)])
    (answer,) = await port.together([codes_query(tables, port)])
    codes = codes_in(answer)
    found = [currency_of(row, codes) for row in rows]
    return _Money(
        columns,
        codes,
        only=found[0] if len(found) == 1 else None,
        are_split=len(found) > 1 or CURRENCY in aggregate.by,
    )


async def _narrowed(arguments: Mapping[str, Any], table: Table, tables: Tables, port: CrmPort) -> Aggregate:
    """The rows that are meant, as a question without totals yet."""
    texts = [arguments.get("filter"), await where_text(arguments.get("where") or (), table, tables, port)]
    given = [text for text in texts if text]
    if not given:
        return Aggregate(table.name, ())
    parsed = parse_filter(" and ".join(f"({text})" for text in given), table, tables)
    return Aggregate(table.name, (), filter=parsed.text, named=parsed.named)


def _totals(measures: Sequence[str], table: Table) -> dict[str, Total]:
    """By name in the answer, such as ``sum estimatedvalue``."""
    found: dict[str, Total] = {}
    for place, text in enumerate(measures):
        word, _, name = text.strip().partition(" ")
        word = _WORDS.get(word.lower(), word.lower())
        if word not in set(Measure):
            raise UnknownNameError("measure", word, [item.value for item in Measure])
        measure = Measure(word)
        if measure is Measure.COUNT:
            found["count"] = Total(measure, None, f"t{place}")
            continue
        if not name:
            raise InputError(f'A measure names its column, as in "{word} estimatedvalue".')
        column = column_named(name, table)
        summable = column.type in NUMBER_TYPES
        if not summable and not (measure in (Measure.MIN, Measure.MAX) and column.type in _DATES):
            raise InputError(f"There is no {word} of {column.short_name}: it holds no number.")
        found[f"{word} {column.short_name}"] = Total(measure, column.name, f"t{place}")
    return found


def _by(text: str, table: Table) -> _By:
    name, _, period = text.partition(":")
    column = column_named(name, table)
    if column.type in _DATES:
        period = period.strip().lower() or "month"
        if period not in PERIODS:
            raise UnknownNameError("period", period, list(PERIODS))
        return _By(column, f"{column.short_name}:{period}", PERIODS[period])
    if period:
        raise InputError(f"{column.short_name} is no date, so it has no {period}.")
    if column.type in (ColumnType.MEMO, ColumnType.UNIQUEIDENTIFIER):
        raise InputError(f"Records are not grouped by {column.short_name}; choose another column.")
    return _By(column, column.short_name)


async def _by_period(
    aggregate: Aggregate, by: _By, table: Table, tables: Tables, port: CrmPort
) -> tuple[list[tuple[str | None, Row]], bool]:
    """The groups of each period that has rows, and of the rows without a date; whether these are all."""
    zone = port.now().tzinfo or UTC
    ends = (Total(Measure.MIN, by.column.name, _FIRST), Total(Measure.MAX, by.column.name, _LAST))
    (found,) = await port.totals([replace(aggregate, totals=ends, by=())])
    first, last = (_day(found[0].get(name) if found else None, zone) for name in (_FIRST, _LAST))
    periods = [] if first is None or last is None else _periods(first, last, by)
    counted = replace(aggregate, totals=(*aggregate.totals, Total(Measure.COUNT, None, _ROWS)))
    questions = [_within(counted, by.column, period, zone, table, tables) for period in periods]
    undated = _and(counted, f"{by.column.name} eq null", table, tables)
    answers = await port.totals([*questions, undated])
    names = [*(period.name for period in periods), None]
    groups = [
        (name, row) for name, rows in zip(names, answers, strict=True) for row in rows if row.get(_ROWS)
    ]
    return groups, all(len(rows) < MOST_GROUPS for rows in answers)


def _day(value: Any, zone: tzinfo) -> date | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(str(value))
    return moment.astimezone(zone).date() if moment.tzinfo is not None else moment.date()


def _periods(first: date, last: date, by: _By) -> list[_Period]:
    """The periods from the one to the other day.

    Raises:
        InputError: They are too many, or at the end of the calendar.
    """
    months = by.months or 1
    number = (last.year * 12 + last.month - 1) // months - (first.year * 12 + first.month - 1) // months + 1
    if number > MOST_PERIODS or last.year == MAXYEAR:
        raise InputError(
            f"{by.name} has {number:,} periods, from {first} to {last}; at most {MOST_PERIODS} are "
            "counted at once. Narrow the dates by where, or take quarter or year."
        )
    return list(_calendar(first, last, months))


def _calendar(first: date, last: date, months: int) -> Iterator[_Period]:
    start = date(first.year, (first.month - 1) // months * months + 1, 1)
    while start <= last:
        following = start.month + months
        end = date(start.year + (following - 1) // 12, (following - 1) % 12 + 1, 1)
        yield _Period(_period_name(start, months), start, end)
        start = end


def _period_name(start: date, months: int) -> str:
    if months == PERIODS["year"]:
        return f"{start.year}"
    if months == PERIODS["quarter"]:
        return f"{start.year}-Q{(start.month + 2) // 3}"
    return f"{start:%Y-%m}"


def _within(
    aggregate: Aggregate, column: Column, period: _Period, zone: tzinfo, table: Table, tables: Tables
) -> Aggregate:
    start, end = (_bound(day, column, zone) for day in (period.start, period.end))
    return _and(aggregate, f"{column.name} ge {start} and {column.name} lt {end}", table, tables)


def _bound(day: date, column: Column, zone: tzinfo) -> str:
    if column.type is ColumnType.DATE_ONLY:
        return day.isoformat()
    return utc_text(datetime(day.year, day.month, day.day, tzinfo=zone))


def _and(aggregate: Aggregate, text: str, table: Table, tables: Tables) -> Aggregate:
    whole = text if aggregate.filter is None else f"({aggregate.filter}) and ({text})"
    parsed = parse_filter(whole, table, tables)
    return replace(aggregate, filter=parsed.text, named=parsed.named)


def _group(
    row: Row, by: Sequence[_By], totals: Mapping[str, Total], period: str | None, money: _Money
) -> dict[str, Any]:
    group: dict[str, Any] = {}
    for item in by:
        if item.months is not None:
            group[item.name] = period
        elif item.column.name == CURRENCY:
            group[item.name] = currency_of(row, money.codes)
        else:
            group[item.name] = _shown(row, item.column)
    return group | {name: _rounded(row.get(total.name)) for name, total in totals.items()}


def _rounded(value: Any) -> Any:
    """An average has as many digits as a division leaves; two are what people read."""
    return round(value, 2) if isinstance(value, float) else value


def _shown(row: Row, column: Column) -> Any:
    value = row.get(column.name)
    label = row.get(column.name + FORMATTED)
    if value is None:
        return None
    if column.type in CHOICE_TYPES:
        return label or choice_label(value, column) or value
    if column.type is ColumnType.LOOKUP:
        return line(str(label)) if label else value
    return line(value) if isinstance(value, str) else value


def _answer(
    groups: list[dict[str, Any]],
    by: Sequence[_By],
    totals: Mapping[str, Total],
    table: Table,
    arguments: Mapping[str, Any],
    money: _Money,
    is_whole: bool,
) -> dict[str, Any]:
    currency = table.columns[CURRENCY].short_name if money.are_split else None
    if by and all(item.months is None for item in by):
        groups = sorted(groups, key=lambda group: _weight(group, next(iter(totals)), currency))
    most = arguments.get("top", DEFAULT_SHOWN)
    answer: dict[str, Any] = {"table": table.name, "by": [item.name for item in by], "groups": groups[:most]}
    answer |= {"shown": len(answer["groups"]), "more": len(groups) > most or not is_whole}
    if money.only is not None:
        answer["currency"] = money.only
    if by and is_whole:
        answer["total"] = _whole(groups, totals, currency)
    notes = [_about_money(money)] if money.columns else []
    if not is_whole:
        notes.append(
            f"There are {MOST_GROUPS:,} groups or more, so no total is told. Group by less or narrow it."
        )
    if told := " ".join(note for note in notes if note):
        answer["note"] = told
    return fitted(answer, ["groups"], arguments.get("max_tokens"))


def _weight(group: Mapping[str, Any], measure: str, currency: str | None) -> tuple[str, float]:
    """Largest first, among the groups of a currency."""
    value = group[measure]
    weight = float(value) if isinstance(value, int | float) else 0.0
    return str(group[currency] or "") if currency else "", -weight


def _about_money(money: _Money) -> str:
    if money.are_split:
        return "The amounts are of several currencies; those of each are added up by themselves."
    if money.are_known:
        return ""
    return "Amounts are added up as they are stored, whatever their currencies: these may not be read here."


def _whole(groups: Sequence[Mapping[str, Any]], totals: Mapping[str, Total], currency: str | None) -> Any:
    """Counts and sums of all groups together, or of those of each currency; others cannot be put together."""
    added = [name for name, total in totals.items() if total.measure in (Measure.COUNT, Measure.SUM)]

    def together(some: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {name: _rounded(sum(group[name] or 0 for group in some)) for name in added}

    if currency is None:
        return together(groups)
    return [{currency: name, **together(some)} for name, some in per_currency(groups, currency).items()]
