"""What checks look at, and what earlier checks found for later ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from crm_server.app import NOTHING_LEARNED, SANDBOX_ADDRESS, ASGIApp, sandbox_client
from crm_server.organisation import NamedTables
from crm_server.settings import Settings
from crm_tools.standard import standard_tables
from crm_tools.tables import Table

if TYPE_CHECKING:
    from crm_server.dataverse.client import DataverseClient
    from crm_server.policy.model import Policy
    from crm_server.sign_in.tokens import TokenProvider


@dataclass
class Context:
    """``asgi_app`` takes the place of the environment's network; ``now`` is this machine's clock.

    The fields below are what checks found; ``seconds_ahead`` is this machine's clock beside others.
    """

    settings: Settings
    now: Callable[[], datetime]
    sandbox: bool = False
    asgi_app: ASGIApp | None = None

    seconds_ahead: dict[str, int] = field(default_factory=dict)
    provider: TokenProvider | None = None
    user: str | None = None
    learned: Mapping[str, Table] = field(default_factory=dict)
    policy: Policy | None = None

    @property
    def embedded(self) -> bool:
        """Whether the environment is the sandbox in this process."""
        return self.sandbox or self.asgi_app is not None

    @property
    def address(self) -> str:
        """The environment's address."""
        return SANDBOX_ADDRESS if self.embedded else self.settings.url or ""

    @cached_property
    def named(self) -> NamedTables | None:
        """The tables that the settings name."""
        return NamedTables(self.settings, self.address, self.now) if self.settings.tables else None

    @property
    def tables(self) -> Mapping[str, Table]:
        """The standard tables and the named ones: as just read, else as they were kept the last time."""
        kept = {} if self.named is None else self.named.at_start(NOTHING_LEARNED)
        return {**standard_tables(), **kept, **self.learned}

    @property
    def undescribed(self) -> tuple[str, ...]:
        """Named tables of which nothing is known before the environment is asked."""
        return tuple(name for name in self.settings.tables if name not in self.tables)

    @cached_property
    def client(self) -> DataverseClient:
        """The client, with the sign-in of the settings."""
        if self.embedded:
            return sandbox_client(self.asgi_app, standard_tables())
        from crm_server.dataverse.client import open_client
        from crm_server.sign_in.tokens import bearer_auth

        return open_client(
            base_url=self.address,
            tables=standard_tables(),
            auth=None if self.provider is None else bearer_auth(self.provider),
            private_network=self.settings.private_network,
        )

    async def aclose(self) -> None:
        """Close what was opened."""
        if "client" in self.__dict__:
            await self.client.aclose()
