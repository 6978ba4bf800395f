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


def moment(dice: Dice, day: int, after: str = "") -> str:
    """A time of the working day, in UTC, no earlier than another."""
    return max(after, _DAYS[day - FIRST_DAY] + dice.pick(_CLOCK) + dice.pick(_SECONDS))


def slot(dice: Dice) -> int:
    """When a meeting starts, counted in quarters of an hour after 08:00."""
    return dice.below(_LATEST_START)


def slot_time(day: int, number: int) -> str:
    """The moment at which a slot begins."""
    return _DAYS[day - FIRST_DAY] + _SLOTS[number]


def changed(dice: Dice, made: int, created: str) -> str:
    """When a row was last modified, given the day and the moment it was created."""
    day = working(dice.between(made, min(made + _BUSY_DAYS, LAST_DAY)))
    return moment(dice, day) if day > made else created
