"""The service protection limits: how much one user may ask for.

https://learn.microsoft.com/power-apps/developer/data-platform/api-limits

The documentation says that Retry-After grows while a client goes on in spite of it; here a refused request
costs nothing, so that Retry-After is as long as it takes and no longer.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

REQUESTS_CODE = "0x80072322"
EXECUTION_CODE = "0x80072321"
CONCURRENT_CODE = "0x80072326"
LIMITED_PATH = "/api/data/"
SEARCH_PATH = "/api/search/"
"""Dataverse search has a limit of its own: see :data:`SEARCH_LIMITS`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one user may ask for; the defaults are the documented ones.

    Raises:
        ValueError: A limit is not a number above zero.
    """

    requests: int = 6_000
    execution_seconds: float = 1_200
    concurrent: int = 52
    window_seconds: float = 300

    def __post_init__(self) -> None:
        for name in ("requests", "execution_seconds", "concurrent", "window_seconds"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"The limit {name} must be a number above zero, not {value}.")


SEARCH_LIMITS = Limits(requests=1, window_seconds=1)
"""https://learn.microsoft.com/power-apps/developer/data-platform/search/overview#rate-limits"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused, and after how many whole seconds the next one is not."""

    code: str
    message: str
    retry_after: int


@dataclass(slots=True)
class _Usage:
    """What one user has asked for. Times are microseconds; whole numbers, so that sums are exact."""

    arrivals: deque[int] = field(default_factory=deque)
    finished: deque[tuple[int, int]] = field(default_factory=deque)
    """When a request ended and how long it took, oldest first."""
    spent: int = 0
    running: int = 0

    def forget_before(self, moment: int) -> None:
        """Drop what has left the window."""
        while self.arrivals and self.arrivals[0] <= moment:
            self.arrivals.popleft()
        while self.finished and self.finished[0][0] <= moment:
            self.spent -= self.finished.popleft()[1]

    @property
    def idle(self) -> bool:
        return not (self.arrivals or self.finished or self.running)


class Admission:
    """A request under way; it counts as running until it is released."""

    def __init__(self, usage: _Usage, started: int, time: Callable[[], int]) -> None:
        self._usage = usage
        self._started = started
        self._time = time

    def release(self) -> None:
        """The request has been answered: its duration counts from now on, for one window."""
        ended = self._time()
        self._usage.running -= 1
        self._usage.spent += ended - self._started
        self._usage.finished.append((ended, ended - self._started))


class Limiter:
    """Counts each user's requests in a sliding window.

    ``now`` must give moments with a time zone. A clock that is set back stands still until it has caught up.
    """

    def __init__(self, limits: Limits, now: Callable[[], datetime]) -> None:
        self.limits = limits
        self._now = now
        self._latest = 0
        self._window = max(1, round(limits.window_seconds * _SECOND))
        self._most_spent = max(1, round(limits.execution_seconds * _SECOND))
        self._usages: dict[str, _Usage] = {}

    def admit(self, caller: str) -> Admission | Refusal:
        """Let a request in, or say why not: of several limits reached, the one that lasts longest."""
        now = self._time()
        usage = self._usage(caller, now)
        checks = (self._too_many, self._too_long, self._too_many_at_once)
        refusals = [refusal for check in checks if (refusal := check(usage, now))]
        if refusals:
            return max(refusals, key=lambda refusal: refusal.retry_after)
        usage.arrivals.append(now)
        usage.running += 1
        return Admission(usage, now, self._time)

    def headers(self, caller: str) -> Mapping[str, str]:
        """What each answer says is left.

        Execution time is in seconds, with two decimals and a comma between thousands, as the service has it.
        """
        usage = self._usage(caller, self._time())
        seconds = max(0, self._most_spent - usage.spent) / _SECOND
        return {
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(self.limits.requests - len(usage.arrivals)),
            "x-ms-ratelimit-time-remaining-xrm-requests": f"{seconds:,.2f}",
        }

    def used(self) -> dict[str, Any]:
        """What each user has used of the limits in the present window, as JSON."""
        self._forget_idle(self._time())
        return {
            caller: {
                "requests": len(usage.arrivals),
                "execution_seconds": usage.spent / _SECOND,
                "concurrent": usage.running,
            }
            for caller, usage in self._usages.items()
        }

    def reset(self) -> None:
        """Begin anew. What is running at this moment no longer counts."""
        self._usages = {}

    def _too_many(self, usage: _Usage, now: int) -> Refusal | None:
        if len(usage.arrivals) < self.limits.requests:
            return None
        message = (
            f"Number of requests exceeded the limit of {self.limits.requests} "
            f"over time window of {self.limits.window_seconds:g} seconds."
        )
        return Refusal(REQUESTS_CODE, message, _whole_seconds(usage.arrivals[0] + self._window - now))

    def _too_long(self, usage: _Usage, now: int) -> Refusal | None:
        if usage.spent < self._most_spent:
            return None
        left, free_at = usage.spent, now
        for ended, duration in usage.finished:
            left, free_at = left - duration, ended + self._window
            if left < self._most_spent:
                break
        message = (
            f"Combined execution time of incoming requests exceeded limit of {self._most_spent // 1_000:,} "
            f"milliseconds over time window of {self.limits.window_seconds:g} seconds. "
            "Decrease number of concurrent requests or reduce the duration of requests and try again later."
        )
        return Refusal(EXECUTION_CODE, message, _whole_seconds(free_at - now))

    def _too_many_at_once(self, usage: _Usage, now: int) -> Refusal | None:
        if usage.running < self.limits.concurrent:
            return None
        message = f"Number of concurrent requests exceeded the limit of {self.limits.concurrent}."
        # When a running request will end is not known; a second is the shortest wait that can be asked for.
        return Refusal(CONCURRENT_CODE, message, 1)

    def _usage(self, caller: str, now: int) -> _Usage:
        usage = self._usages.get(caller)
        if usage is None:
            self._forget_idle(now)
            usage = self._usages[caller] = _Usage()
        usage.forget_before(now - self._window)
        return usage

    def _forget_idle(self, now: int) -> None:
        for usage in self._usages.values():
            usage.forget_before(now - self._window)
        self._usages = {caller: usage for caller, usage in self._usages.items() if not usage.idle}

    def _time(self) -> int:
        self._latest = max(self._latest, (self._now() - _EPOCH) // _MICROSECOND)
        return self._latest


def _whole_seconds(microseconds: int) -> int:
    return -(-microseconds // _SECOND)
