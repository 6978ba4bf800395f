"""Counts writes for the limits of a policy. The only state of the policy layer; the gateway holds it."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from crm_server.policy.model import DELETES_WINDOW, MOST_COUNTED, WRITES_WINDOW, Spent
from crm_tools.operations import Action


class Budget:
    """Writes and deletes of this process, in sliding windows.

    A write counts once it is about to be sent, whatever comes of it. No method awaits, so a caller that asks
    :meth:`spent`, decides and calls :meth:`reserve` without awaiting in between cannot be overtaken by
    another task. It is not made for threads. Each window holds at most ``MOST_COUNTED`` entries, the largest
    limit that a policy can set. If the clock is set back, what was counted counts for longer, never shorter.
    """

    def __init__(self) -> None:
        self._writes: deque[datetime] = deque(maxlen=MOST_COUNTED)
        self._deletes: deque[datetime] = deque(maxlen=MOST_COUNTED)

    def spent(self, now: datetime) -> Spent:
        """What was reserved within the windows that end now."""
        _forget(self._writes, now - WRITES_WINDOW)
        _forget(self._deletes, now - DELETES_WINDOW)
        return Spent(len(self._writes), len(self._deletes))

    def reserve(self, action: Action, now: datetime) -> None:
        """Count an access before it is sent: a create, update or delete as a write, a delete also as one."""
        if action is not Action.READ:
            self._writes.append(now)
        if action is Action.DELETE:
            self._deletes.append(now)


def _forget(window: deque[datetime], until: datetime) -> None:
    while window and window[0] <= until:
        window.popleft()
