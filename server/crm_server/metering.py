"""What is measured while the server works. This meter measures nothing; that of ``/metrics`` is in ``web``.

Whoever measures gets names of ours and numbers only: tools that are on offer, outcomes, methods. No caller,
no record and no text from outside reaches a meter, so nothing can be learnt from it, nor filled up by it.
"""

from __future__ import annotations

UNKNOWN_TOOL = "(unknown)"
"""Stands for the name of a tool that is not on offer: such a name is the caller's own text."""


class Meter:
    """Measures nothing."""

    def called(self, tool: str, effect: str, outcome: str, decision: str, seconds: float) -> None:
        """A tool was called: ``ok``, an error's code, or ``input_needed`` where a human is asked first.

        ``decision`` is the policy's outcome, ``none`` where the call did not get that far.
        """

    def waited_for_crm(self, seconds: float) -> None:
        """A request to the CRM had its turn, after so long a wait."""

    def asked_crm(self, method: str, status: int | None, seconds: float) -> None:
        """A request to the CRM was sent; ``status`` is None where no whole answer came."""

    def throttled(self, seconds: float) -> None:
        """The CRM answered 429, and its caller pauses for so long."""


UNMETERED = Meter()
