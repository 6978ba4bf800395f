"""Chances: every part of the company has dice of its own, so that it can be made by itself.

Only :meth:`random.Random.random` and :meth:`~random.Random.getrandbits` are used: what they give for a seed
is the same in every version of Python.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def weighted(weights: Mapping[T, int]) -> tuple[T, ...]:
    """Values repeated by their weights, so that one can be picked in a single step."""
    return tuple(value for value, weight in weights.items() for _ in range(weight))


class Dice:
    """Chances that are the same for the same purpose."""

    def __init__(self, *purpose: object) -> None:
        made = random.Random("/".join(map(str, purpose)))  # noqa: S311 - sample data, no secret
        self.roll = made.random
        self._bits = made.getrandbits

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[int(self.roll() * len(values))]

    def below(self, limit: int) -> int:
        """A whole number from 0 to below the limit."""
        return int(self.roll() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high; low when there is nothing between."""
        return low + int(self.roll() * (high - low + 1)) if high > low else low

    def guid(self) -> str:
        """A random GUID (version 4), as it is stored."""
        digits = f"{self._bits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
