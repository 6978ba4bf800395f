"""Which fault strikes which request."""

from __future__ import annotations

import random

from crm_sandbox.trouble.faults import Fault, FaultScript


class ArmedFault:
    """A fault of the script, with how far it has counted."""

    def __init__(self, fault: Fault, seed: str) -> None:
        self.fault = fault
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose, no secret
        self._seen = 0
        self._struck = 0

    def is_due(self, method: str, path: str, header: str | None) -> bool:
        """Count a request, and say whether the fault could strike it."""
        fault = self.fault
        if not fault.concerns(method, path, header):
            return False
        self._seen += 1
        # Drawn for every request, so that no other condition changes which requests are spared.
        spared = fault.share is not None and self._random.random() >= fault.share
        turn = self._seen - fault.after
        used_up = fault.count is not None and self._struck >= fault.count
        return turn > 0 and turn % fault.every == 0 and not spared and not used_up

    def strike(self) -> None:
        """The fault has been chosen for a request."""
        self._struck += 1

    def spare(self) -> None:
        """The chosen fault could not be seen in the answer; it keeps its shot."""
        self._struck -= 1


class FaultPlan:
    """Goes through a script, request by request: the same script and the same requests, the same faults."""

    def __init__(self, script: FaultScript) -> None:
        self.script = script
        self._armed = [
            ArmedFault(fault, f"{script.seed}/{number}") for number, fault in enumerate(script.faults)
        ]

    def choose(self, method: str, path: str, header: str | None) -> ArmedFault | None:
        """The fault that strikes this request, if one does.

        Every fault counts every request that concerns it, also one that an earlier fault strikes.
        """
        due = [armed for armed in self._armed if armed.is_due(method, path, header)]
        if not due:
            return None
        due[0].strike()
        return due[0]
