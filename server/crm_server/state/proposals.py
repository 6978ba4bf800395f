"""Changes that are shown to a human, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LASTS = timedelta(hours=24)
WAITING, APPROVED, REJECTED, USED = "waiting", "approved", "rejected", "used"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change as it is shown to a human; ``fingerprint`` stands for exactly this change."""

    fingerprint: str
    caller: str
    tool: str
    table: str
    question: str
    facts: tuple[str, ...]
    rules: tuple[str, ...]
    record: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan that is kept. ``status`` is waiting, approved, rejected or used; ``decided_by`` says by whom."""

    id: str
    proposal: Proposal
    created: datetime
    expires: datetime
    status: str
    decided_by: str | None = None
    decided: datetime | None = None
    reason: str | None = None

    def said(self, now: datetime) -> str:
        """Its state in words."""
        if self.status == WAITING:
            return "expired" if self.expires <= now else "waits for approval"
        words = self.status if self.status != USED else "approved and carried out"
        return f"{words} by {self.decided_by}" if self.decided_by else words
