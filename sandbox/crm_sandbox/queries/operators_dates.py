"""Condition operators on dates: a moment, a period of the calendar, a stretch of time from now.

Everything is reckoned in UTC. A week begins on Sunday, and a fiscal year is the calendar year in
quarters, as in an organisation whose settings nobody has changed:
https://learn.microsoft.com/power-platform/admin/work-fiscal-year-settings

"Last X" reaches from X whole periods before this midnight until now, "Next X" from now until X whole
periods after the coming midnight, "older than X" to X periods before this midnight; hours and minutes
are counted from the beginning of the present one. A date without a time counts as its midnight.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from crm_sandbox.queries.operators_values import Builder, Refusal, typed, whole
from crm_sandbox.queries.sql import Asker, Condition, Operand
from crm_sandbox.schema.model import Column, ColumnType, Schema

Shift = Callable[[datetime, int], datetime]
_MOST = 2**31 - 1
_MONTHS_OF_PERIOD = 3
_PERIODS = 4
_FIRST_YEAR, _LAST_YEAR = 1900, 2999
_SECOND = timedelta(seconds=1)
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(microsecond=0, tzinfo=UTC)


def _within_calendar(moment: datetime, count: int, unit: timedelta) -> datetime:
    try:
        return moment + count * unit
    except OverflowError:
        return _BEGINNING if count < 0 else _END


def minutes(moment: datetime, count: int) -> datetime:
    """So many minutes on."""
    return _within_calendar(moment, count, timedelta(minutes=1))


def hours(moment: datetime, count: int) -> datetime:
    """So many hours on."""
    return _within_calendar(moment, count, timedelta(hours=1))


def days(moment: datetime, count: int) -> datetime:
    """So many days on."""
    return _within_calendar(moment, count, timedelta(days=1))


def weeks(moment: datetime, count: int) -> datetime:
    """So many weeks on."""
    return _within_calendar(moment, count, timedelta(weeks=1))


def months(moment: datetime, count: int) -> datetime:
    """The same day so many months on, or the last of the month where there is no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    if not 1 <= year <= 9999:
        return _BEGINNING if count < 0 else _END
    _, longest = monthrange(year, month + 1)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, longest))


def periods(moment: datetime, count: int) -> datetime:
    """So many fiscal periods on."""
    return months(moment, count * _MONTHS_OF_PERIOD)


def years(moment: datetime, count: int) -> datetime:
    """The same day so many years on."""
    return months(moment, count * 12)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _week(moment: datetime) -> datetime:
    return days(_midnight(moment), -(moment.isoweekday() % 7))


def _month(moment: datetime) -> datetime:
    return _midnight(moment).replace(day=1)


def _period(moment: datetime) -> datetime:
    first = (moment.month - 1) // _MONTHS_OF_PERIOD * _MONTHS_OF_PERIOD + 1
    return _month(moment).replace(month=first)


def _year(moment: datetime) -> datetime:
    return _month(moment).replace(month=1)


_BEGINNINGS: dict[Shift, Callable[[datetime], datetime]] = {
    minutes: _minute,
    hours: _hour,
    days: _midnight,
    weeks: _week,
    months: _month,
    periods: _period,
    years: _year,
}


def period_of(unit: Shift, offset: int) -> Builder:
    """The period of the calendar that many after the present one: 0 is this, -1 the last."""

    def build(operand: Operand, _values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
        start = unit(_BEGINNINGS[unit](_now(asker)), offset)
        return _range(operand, start, unit(start, 1))

    return build


def last_days(count: int) -> Builder:
    """The days before today, and today until now."""

    def build(operand: Operand, _values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
        now = _now(asker)
        return _range(operand, days(_midnight(now), -count), now + _SECOND)

    return build


def next_days(count: int) -> Builder:
    """The rest of today, and the days after it."""

    def build(operand: Operand, _values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
        now = _now(asker)
        return _range(operand, now, days(_midnight(now), count + 1))

    return build


def last_x(unit: Shift) -> Builder:
    """The last X units until now."""

    def build(operand: Operand, values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
        now = _now(asker)
        return _range(operand, unit(_count_from(unit, now), -_x(values)), now + _SECOND)

    return build


def next_x(unit: Shift) -> Builder:
    """The next X units from now on."""

    def build(operand: Operand, values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
        now = _now(asker)
        return _range(operand, now, unit(_count_to(unit, now), _x(values)))

    return build


def older_than_x(unit: Shift) -> Builder:
    """Before X units ago."""

    def build(operand: Operand, values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
        return _range(operand, None, unit(_count_from(unit, _now(asker)), -_x(values)))

    return build


def _count_from(unit: Shift, now: datetime) -> datetime:
    """Where units that have passed are counted from; fiscal ones are whole."""
    return _BEGINNINGS[unit](now) if unit in (minutes, hours) else _midnight(now)


def _count_to(unit: Shift, now: datetime) -> datetime:
    if unit in (minutes, hours):
        return unit(_BEGINNINGS[unit](now), 1)
    return days(_midnight(now), 1)


def last_x_fiscal(unit: Shift) -> Builder:
    """The X fiscal units before the present one, and the present one until now."""

    def build(operand: Operand, values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
        now = _now(asker)
        return _range(operand, unit(_BEGINNINGS[unit](now), -_x(values)), now + _SECOND)

    return build


def next_x_fiscal(unit: Shift) -> Builder:
    """The rest of the present fiscal unit, and the X after it."""

    def build(operand: Operand, values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
        now = _now(asker)
        return _range(operand, now, unit(_BEGINNINGS[unit](now), _x(values) + 1))

    return build


def on(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """On the day of a moment."""
    day = _day(values[0])
    return _range(operand, day, days(day, 1))


def on_or_after(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """On the day of a moment, or later."""
    return _range(operand, _day(values[0]), None)


def on_or_before(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """On the day of a moment, or earlier."""
    return _range(operand, None, days(_day(values[0]), 1))


def in_fiscal_year(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """In a fiscal year, whose number is that of the calendar year."""
    start = datetime(_fiscal_year(values[0]), 1, 1, tzinfo=UTC)
    return _range(operand, start, years(start, 1))


def in_fiscal_period(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """In a period of any fiscal year; a year has no fifth quarter, so there is nothing in it."""
    number = whole(values[0], least=1, most=_MOST)
    month = f"CAST(substr({operand.sql}, 6, 2) AS INTEGER)"
    return Condition(f"(({month} + {_MONTHS_OF_PERIOD - 1}) / {_MONTHS_OF_PERIOD} = ?)", (number,))


def in_fiscal_period_and_year(
    operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema
) -> Condition:
    """In a period of one fiscal year."""
    start = _start_of_period(values)
    return Condition("0") if start is None else _range(operand, start, periods(start, 1))


def from_period(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """In a period of one fiscal year, or later."""
    start = _start_of_period(values)
    return Condition("0") if start is None else _range(operand, start, None)


def up_to_period(operand: Operand, values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """In a period of one fiscal year, or earlier."""
    start = _start_of_period(values)
    return Condition("0") if start is None else _range(operand, None, periods(start, 1))


def _start_of_period(values: Sequence[str]) -> datetime | None:
    number, year = whole(values[0], least=1, most=_MOST), _fiscal_year(values[1])
    if number > _PERIODS:
        return None
    return datetime(year, (number - 1) * _MONTHS_OF_PERIOD + 1, 1, tzinfo=UTC)


def _fiscal_year(text: str) -> int:
    return whole(text, least=_FIRST_YEAR, most=_LAST_YEAR)


def _x(values: Sequence[str]) -> int:
    return whole(values[0], least=1, most=_MOST)


def _now(asker: Asker) -> datetime:
    return asker.now.astimezone(UTC).replace(microsecond=0)


_ANY_DAY = Column("value", ColumnType.DATE_ONLY, "Value")


def _day(text: str) -> datetime:
    try:
        return datetime.fromisoformat(typed(text, _ANY_DAY)).replace(tzinfo=UTC)
    except ValueError:  # year 0, which only SQL could mean
        raise Refusal(f"'{text[:80]}' is not a date") from None


def _range(operand: Operand, start: datetime | None, end: datetime | None) -> Condition:
    """From a moment on, and before another; None is without a bound."""
    parts, values = [], []
    for sign, bound in ((">=", start), ("<", end)):
        if bound is not None:
            parts.append(f"{operand.sql} {sign} ?")
            values.append(_stored(bound, operand.column))
    return Condition(f"({' AND '.join(parts)})", tuple(values))


def _stored(bound: datetime, column: Column) -> str:
    if column.type is ColumnType.DATE_TIME:
        return f"{bound.year:04}-{bound:%m-%dT%H:%M:%SZ}"
    # A date counts as its midnight, so a bound within a day is reached by the next date only.
    day = bound if bound == _midnight(bound) else days(_midnight(bound), 1)
    return f"{day.year:04}-{day:%m-%d}"
