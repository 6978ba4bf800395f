"""Changes that were made, as the journal keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from crm_tools.actions import Action


class ChangeState(StrEnum):
    """What is known of a change: the CRM has it (``DONE``), has it not (the next two), or nobody knows."""

    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    NOT_DONE = "not done"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Change:
    """One write of one record.

    ``before`` holds what the record held in the columns that were written, or all that was read of a record
    that was deleted; ``written`` what was set (lookups to the key of their row). Both go by wire names.
    """

    caller: str
    tool: str
    action: Action
    table: str
    record: str
    written: Mapping[str, Any]
    before: Mapping[str, Any]
    name: str | None = None
    etag_before: str | None = None
    etag_after: str | None = None
    state: ChangeState = ChangeState.BEGUN
    error: str | None = None
    id: str = ""
    at: datetime | None = None
    plan: str | None = None
    undo_of: str | None = None
    undone_by: str | None = None
    correlation_id: str = ""
