"""How numbers, amounts and dates are written in the text of answers: plainly, or as a locale has them.

The structured content keeps the machine's form in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import cache
from typing import TYPE_CHECKING

from crm_tools.tables import ColumnType, Table

if TYPE_CHECKING:
    from babel import Locale


@dataclass(frozen=True)
class Form:
    """The plain form: ISO dates, numbers without separators, moments in the zone of those who ask."""

    zone: tzinfo

    def number(self, value: float, name: str, currency: str | None) -> str:
        """A number that stands under ``name``; amounts may say their ``currency``, where it is known."""
        return str(int(value)) if float(value).is_integer() else str(value)

    def day(self, day: date) -> str:
        """A date without a time."""
        return day.isoformat()

    def moment(self, moment: datetime) -> str:
        """A moment, in the zone."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class LocalForm(Form):
    """As the people of a locale write. ``amounts`` are the names of columns that hold money.

    A currency goes by its code: a sign such as $ stands for several.
    """

    locale: str
    amounts: frozenset[str]

    def number(self, value: float, name: str, currency: str | None) -> str:
        """A number; an amount whose currency is known with its code."""
        from babel.numbers import format_currency, format_decimal

        known = _locale(self.locale)
        if currency is None or name.rpartition(" ")[2] not in self.amounts:
            return _on_one_line(format_decimal(value, locale=known))
        return _on_one_line(format_currency(value, currency, _with_code(known), locale=known))

    def day(self, day: date) -> str:
        """A date with its year in full."""
        from babel.dates import format_date

        return _on_one_line(format_date(day, "medium", locale=_locale(self.locale)))

    def moment(self, moment: datetime) -> str:
        """A moment to the minute, in the zone."""
        from babel.dates import format_time

        there = moment.astimezone(self.zone)
        time = format_time(there, "short", locale=_locale(self.locale))
        return _on_one_line(f"{self.day(there.date())} {time}")


def form_of(zone: tzinfo, locale: str | None, tables: Iterable[Table]) -> Form:
    """The form of answers. Without a locale the library that knows locales is not loaded."""
    if locale is None:
        return Form(zone)
    money = {
        column.short_name
        for table in tables
        for column in table.columns.values()
        if column.type is ColumnType.MONEY
    }
    return LocalForm(zone, locale, frozenset(money | {"value"}))


@cache
def _locale(name: str) -> Locale:
    from babel import Locale

    return Locale.parse(name, sep="-")


@cache
def _with_code(locale: Locale) -> str:
    """The locale's pattern of amounts with the code behind it."""
    digits = re.sub(r"[^#0.,]", "", locale.currency_formats["standard"].pattern.partition(";")[0])
    return f"{digits} ¤¤"


def _on_one_line(text: str) -> str:
    """The text with plain spaces: narrow and unbreakable ones are for typesetters."""
    return " ".join(text.split())
