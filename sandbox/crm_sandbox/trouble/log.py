"""The log of what was asked, and counts of it. Bodies and credentials are never kept."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

MOST_REMEMBERED = 10_000
LONGEST_TEXT = 4_096
"""Longer paths, callers and ids are cut, so that the log is bounded in bytes as well."""

_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A request and how it ended.

    ``path`` is as sent, with its query; ``status`` is None if no answer began.
    """

    method: str
    path: str
    status: int | None
    duration_ms: float
    caller: str
    client_request_id: str | None
    fault: str | None


class RequestLog:
    """The latest requests, oldest first, and counts of all since the last :meth:`clear`."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._requests: deque[LoggedRequest] = deque(maxlen=most)
        self.clear()

    def add(self, request: LoggedRequest) -> None:
        """Remember a request; when there are too many, the oldest is dropped."""
        self._total += 1
        self._by_method[request.method if request.method in _METHODS else "other"] += 1
        self._by_status["none" if request.status is None else str(request.status)] += 1
        if request.fault is not None:
            self._by_fault[request.fault] += 1
        self._requests.append(request)

    def clear(self) -> None:
        """Forget everything and count from zero."""
        self._requests.clear()
        self._total = 0
        self._by_method: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()
        self._by_fault: Counter[str] = Counter()

    def as_json(self) -> dict[str, Any]:
        """The log: ``{"requests": [...], "dropped": how many are no longer in it}``."""
        remembered = [asdict(request) for request in self._requests]
        return {"requests": remembered, "dropped": self._total - len(remembered)}

    def counters(self) -> dict[str, Any]:
        """How many requests there were, in all and by method, by status and by fault."""
        return {
            "total": self._total,
            "by_method": dict(self._by_method),
            "by_status": dict(self._by_status),
            "by_fault": dict(self._by_fault),
        }


def shortened(text: str) -> str:
    """A text no longer than the log keeps."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
