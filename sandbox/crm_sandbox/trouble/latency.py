"""A network that takes its time."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable

Sleep = Callable[[float], Awaitable[None]]


class Latency:
    """Adds ``milliseconds`` to each request, and up to ``jitter`` more; the same seed gives the same waits.

    Raises:
        ValueError: A number is negative or not a number.
    """

    def __init__(self, milliseconds: float, jitter: float, seed: int, sleep: Sleep) -> None:
        for name, value in (("latency", milliseconds), ("jitter", jitter)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"The {name} must be zero or more milliseconds, not {value}.")
        self._milliseconds = milliseconds
        self._jitter = jitter
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose, no secret
        self._sleep = sleep

    async def wait(self) -> None:
        """Wait as long as the next request takes longer."""
        milliseconds = self._milliseconds
        if self._jitter:
            milliseconds += self._random.uniform(0, self._jitter)
        if milliseconds:
            await self._sleep(milliseconds / 1_000)
