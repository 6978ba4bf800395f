"""Counts writes for the limits of a policy. The only state of the policy layer; the gateway holds it."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from crm_server.policy.model import DELETES_WINDOW, MOST_COUNTED, WRITES_WINDOW, Spent
from crm_tools.operations import Action


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """One access that was counted. Each is itself only, so that giving it back twice gives back one."""

    action: Action
    at: datetime


class Budget:
    """Writes and deletes of this process, in sliding windows.

    No method awaits, so a caller that asks :meth:`spent`, decides and calls :meth:`reserve` without awaiting
    in between cannot be overtaken by another task. It is not made for threads. Each window holds at most
    ``MOST_COUNTED`` entries, the largest limit that a policy can set. If the clock is set back, what was
    counted counts for longer, never shorter.
    """

    def __init__(self) -> None:
        self._writes: deque[Reservation] = deque(maxlen=MOST_COUNTED)
        self._deletes: deque[Reservation] = deque(maxlen=MOST_COUNTED)

    def spent(self, now: datetime) -> Spent:
        """What was reserved within the windows that end now."""
        _forget(self._writes, now - WRITES_WINDOW)
        _forget(self._deletes, now - DELETES_WINDOW)
        return Spent(len(self._writes), len(self._deletes))

    def reserve(self, action: Action, now: datetime) -> Reservation:
        """Count an access before it is sent: a create, update or delete as a write, a delete also as one."""
        reservation = Reservation(action, now)
        if action is not Action.READ:
            self._writes.append(reservation)
        if action is Action.DELETE:
            self._deletes.append(reservation)
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Give back what was reserved for a write that was not sent."""
        for window in (self._writes, self._deletes):
            with suppress(ValueError):
                window.remove(reservation)


def _forget(window: deque[Reservation], until: datetime) -> None:
    while window and window[0].at <= until:
        window.popleft()
