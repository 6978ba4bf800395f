"""The calendar of the company. Days are whole numbers: 0 is :data:`TODAY`, -1 the day before."""

from __future__ import annotations

from datetime import date, timedelta

from crm_sandbox.company.dice import Dice

TODAY = date(2026, 11, 23)
"""The day that the sample data is of, a Monday. Nothing was created or closed on it or later."""

FIRST_DAY, _END = -2_400, 800
LAST_DAY = -3
"""The last working day before today: the latest on which something was created."""
_SATURDAY = 5

_DAYS = [(TODAY + timedelta(days=day)).isoformat() for day in range(FIRST_DAY, _END)]
_CLOCK = tuple(f"T{8 + minutes // 60:02}:{minutes % 60:02}:" for minutes in range(600))
_SECONDS = tuple(f"{second:02}Z" for second in range(60))
_SLOTS = tuple(f"T{8 + minutes // 60:02}:{minutes % 60:02}:00Z" for minutes in range(0, 720, 15))
_LATEST_START = 36
SLOT_MINUTES = 15
_BUSY_DAYS = 120


def iso(day: int) -> str:
    """A day as a value of a date-only column."""
    return _DAYS[day - FIRST_DAY]


def working(day: int) -> int:
    """The day itself, or the Friday before when it is of a weekend."""
    return day - max(0, (day + TODAY.weekday()) % 7 - _SATURDAY + 1)


def moment(dice: Dice, day: int) -> str:
    """A time of the working day, in UTC."""
    return _DAYS[day - FIRST_DAY] + dice.pick(_CLOCK) + dice.pick(_SECONDS)


def slot(dice: Dice) -> int:
    """When a meeting starts, counted in quarters of an hour after 08:00."""
    return dice.below(_LATEST_START)


def slot_time(day: int, number: int) -> str:
    """The moment at which a slot begins."""
    return _DAYS[day - FIRST_DAY] + _SLOTS[number]


def changed(dice: Dice, made: int, until: int | None = None) -> tuple[str, str]:
    """When a row was created and last modified, given the day it was made and the last day of a change."""
    created = moment(dice, made)
    day = working(dice.between(made, min(made + _BUSY_DAYS, LAST_DAY))) if until is None else until
    return created, moment(dice, day) if day > made else created
