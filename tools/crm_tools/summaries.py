"""Totals instead of rows: count, sum, average, min and max, by columns and by the periods of a date.

Dataverse groups by no date, so each month, quarter or year is a question of its own, all on one trip; too
many of them are refused.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/aggregate-data
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from crm_tools.choices import choice_label
from crm_tools.column_values import utc_text
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
_FIRST, _LAST = "first", "last"


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
    if dated:
        groups = await _by_period(aggregate, dated[0], table, tables, port)
    else:
        (rows,) = await port.totals([aggregate])
        groups = [(None, row) for row in rows]
    shaped = [_group(row, by, totals, period) for period, row in groups]
    return _answer(shaped, by, totals, table, arguments)


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
) -> list[tuple[str | None, Row]]:
    """The groups of each period, and of the rows without a date."""
    zone = port.now().tzinfo or UTC
    ends = (Total(Measure.MIN, by.column.name, _FIRST), Total(Measure.MAX, by.column.name, _LAST))
    (found,) = await port.totals([replace(aggregate, totals=ends, by=())])
    first, last = (_day(found[0].get(name) if found else None, zone) for name in (_FIRST, _LAST))
    periods = [] if first is None or last is None else list(_periods(first, last, by.months or 1))
    if len(periods) > MOST_PERIODS:
        raise InputError(
            f"{by.name} has {len(periods)} periods, from {first} to {last}; at most {MOST_PERIODS} are "
            "counted at once. Narrow the dates by where, or take quarter or year."
        )
    questions = [_within(aggregate, by.column, period, zone, table, tables) for period in periods]
    undated = _and(aggregate, f"{by.column.name} eq null", table, tables)
    answers = await port.totals([*questions, undated])
    names = [*(period.name for period in periods), None]
    return [(name, row) for name, rows in zip(names, answers, strict=True) for row in rows]


def _day(value: Any, zone: tzinfo) -> date | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(str(value))
    return moment.astimezone(zone).date() if moment.tzinfo is not None else moment.date()


def _periods(first: date, last: date, months: int) -> Iterator[_Period]:
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


def _group(row: Row, by: Sequence[_By], totals: Mapping[str, Total], period: str | None) -> dict[str, Any]:
    group: dict[str, Any] = {}
    for item in by:
        group[item.name] = period if item.months is not None else _shown(row, item.column)
    for name, total in totals.items():
        value = row.get(total.name)
        # An average has as many digits as a division leaves; two are what people read.
        group[name] = round(value, 2) if isinstance(value, float) else value
    return group


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
) -> dict[str, Any]:
    names = [item.name for item in by]
    first = next(iter(totals))
    if by and by[-1].months is None:
        groups = sorted(groups, key=lambda group: -(group[first] or 0) if _is_number(group[first]) else 0)
    most = arguments.get("top", DEFAULT_SHOWN)
    answer: dict[str, Any] = {"table": table.name, "by": names, "groups": groups[:most]}
    answer |= {"shown": len(answer["groups"]), "more": len(groups) > most or len(groups) >= MOST_GROUPS}
    if by:
        answer["total"] = _whole(groups, totals)
    if any(_is_money(total, table) for total in totals.values()):
        answer["note"] = "Amounts are added up as they are stored: each in the currency of its record."
    return fitted(answer, ["groups"], arguments.get("max_tokens"))


def _whole(groups: list[dict[str, Any]], totals: Mapping[str, Total]) -> dict[str, Any]:
    """Counts and sums of all groups together; other totals cannot be put together."""
    return {
        name: sum(group[name] or 0 for group in groups)
        for name, total in totals.items()
        if total.measure in (Measure.COUNT, Measure.SUM)
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_money(total: Total, table: Table) -> bool:
    return total.column is not None and table.columns[total.column].type is ColumnType.MONEY
