"""Answers that hold for a while: asked for once, however many want them at the same moment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass
class _Entry(Generic[V]):
    """What is known of one key. ``attempts`` counts those that came to an end."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    found: V | None = None
    expires: float = float("-inf")
    attempts: int = 0
    failure: Exception | None = None


class Cache(Generic[K, V]):
    """Values by key, each for ``seconds``; at most ``most`` of them. ``clock`` counts seconds."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()

    async def get(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        """The value of a key, loaded if it is not known or too old.

        Who asks while it is being loaded gets that answer, or that failure; a failure is not kept. If whoever
        loads it is cancelled, the next one does.
        """
        entry = self._entry(key)
        if (found := self._fresh(entry)) is not None:
            return found
        before = entry.attempts
        async with entry.lock:
            if (found := self._fresh(entry)) is not None:
                return found
            if entry.attempts != before and entry.failure is not None:
                raise entry.failure
            entry.failure = None
            try:
                entry.found = await load()
            except Exception as error:
                entry.failure = error
                raise
            else:
                entry.expires = self._clock() + self._seconds
                return entry.found
            finally:
                entry.attempts += 1

    def forget(self) -> None:
        """Let everything be asked for anew."""
        self._entries.clear()

    def _fresh(self, entry: _Entry[V]) -> V | None:
        return entry.found if self._clock() < entry.expires else None

    def _entry(self, key: K) -> _Entry[V]:
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return entry
