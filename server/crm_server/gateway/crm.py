"""What all calls share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from crm_server.cursors import Cursors
from crm_server.identity import Identities
from crm_server.policy.budget import Budget
from crm_server.policy.model import Policy
from crm_tools.tables import Table

if TYPE_CHECKING:
    from crm_server.dataverse.client import DataverseClient


@dataclass(frozen=True)
class Crm:
    """The client, the policy and what has been spent of its budgets.

    ``address`` is the root of links to records, ``environment`` what people call the environment.
    """

    address: str
    environment: str
    tables: Mapping[str, Table]
    policy: Policy
    client: Callable[[], DataverseClient]
    now: Callable[[], datetime]
    budget: Budget = field(default_factory=Budget)
    cursors: Cursors = field(default_factory=Cursors)

    @cached_property
    def identities(self) -> Identities:
        """What is known of the environment."""
        return Identities(self.address, self.environment, self.client, self.now)
