"""How many rows every table of the company has, as a function of the number of accounts.

Up to :data:`FULL` accounts every table grows with them. Beyond, one account in :data:`THINNING` counts for
the other tables: a company with a million accounts has not talked to all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

FULL = 50_000
THINNING = 12
BLOCK = 1_000
"""Accounts that are made together with all that belongs to them."""

_PER_HUNDRED_ACCOUNTS: Mapping[str, int] = {
    "account": 100,
    "contact": 250,
    "lead": 150,
    "opportunity": 125,
    "task": 150,
    "phonecall": 100,
    "appointment": 60,
    "annotation": 100,
}
PARTIES_OF_A_CALL = 2
PARTIES_OF_AN_APPOINTMENT = 3
_OF_THE_ORGANISATION: Mapping[str, int] = {
    "businessunit": 3,
    "systemuser": 8,
    "team": 4,
    "role": 4,
    "transactioncurrency": 3,
    "product": 20,
}


def rows_of(accounts: int) -> dict[str, int]:
    """The number of rows of every table that the company fills, by its logical name."""
    counted = weight(accounts)
    sizes = {name: counted * share // 100 for name, share in _PER_HUNDRED_ACCOUNTS.items()}
    sizes["account"] = accounts
    sizes["opportunityclose"] = closed(sizes["opportunity"])
    sizes["activityparty"] = parties(sizes["phonecall"], sizes["appointment"])
    return {**_OF_THE_ORGANISATION, **sizes}


def weight(accounts: int) -> int:
    """The accounts that count for the other tables."""
    return min(accounts, FULL) + max(0, accounts - FULL) // THINNING


def closed(opportunities: int) -> int:
    """How many of so many opportunities are won or lost: two of five."""
    return opportunities * 2 // 5


def parties(calls: int, appointments: int) -> int:
    """How many activity parties so many calls and appointments have."""
    return PARTIES_OF_A_CALL * calls + PARTIES_OF_AN_APPOINTMENT * appointments


def is_closed(number: int) -> bool:
    """Whether the opportunity of a number is won or lost."""
    return closed(number + 1) > closed(number)


def is_qualified(number: int) -> bool:
    """Whether the lead of a number is qualified: four of twenty-five."""
    return (number + 1) * 4 // 25 > number * 4 // 25


def blocks(accounts: int) -> int:
    """How many blocks the company is made of."""
    return max(1, accounts // BLOCK)
