"""What all calls share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from crm_server.cursors import Cursors
from crm_server.gateway.kept_jobs import KeptJobs
from crm_server.gateway.readers import Readers
from crm_server.identity import Identities
from crm_server.metering import UNMETERED, Meter
from crm_server.policy.model import Policy
from crm_server.state import State
from crm_tools.tables import Table

if TYPE_CHECKING:
    from crm_server.dataverse.client import DataverseClient


@dataclass
class Crm:
    """The client, the policy, and the state with its budgets and its journal.

    ``address`` is the root of links to records, ``environment`` what people call the environment. ``policy``
    is replaced when it is read anew; a call goes on with the one it began with.
    """

    address: str
    environment: str
    tables: dict[str, Table]
    policy: Policy
    client: Callable[[], DataverseClient]
    now: Callable[[], datetime]
    state: State
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """The time zone of those who ask: moments without one are meant in it, and shown in it."""
    locale: str | None = None
    """How they write numbers and dates; plainly where it is None."""
    files: Path | None = None
    """The folder that tools may read files from and write new ones to."""
    reconciled: dict[str, datetime] = field(default_factory=dict)
    """When the interrupted changes of each caller were last looked at."""
    meter: Meter = UNMETERED
    page: str | None = None
    """The address of the page for approvals, where there is one."""
    approve_on_page: bool = False
    """Whether changes are approved there only: then no client asks its own human."""

    @cached_property
    def identities(self) -> Identities:
        """What is known of the environment."""
        return Identities(self.address, self.environment, self.client, self.now)

    @cached_property
    def jobs(self) -> KeptJobs:
        """Jobs of many rows that were shown and may be carried out."""
        return KeptJobs(self.state, self.address)

    @cached_property
    def readers(self) -> Readers:
        """Callers who were shown text that strangers may have written."""
        return Readers(self.state, self.now)

    @cached_property
    def cursors(self) -> Cursors:
        """Cursors that each replica opens, whichever made them."""
        return Cursors(self.state.keys_for)
