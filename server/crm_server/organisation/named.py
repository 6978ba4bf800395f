"""The tables that the settings name: which tools follow from them, and when they are read anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crm_server.folders import state_folder
from crm_server.log import get_logger
from crm_server.organisation.kept import KeptTables
from crm_server.organisation.reading import Learned, learn
from crm_server.settings import Settings
from crm_tools.catalogue import AnyTool, catalogue, table_tools
from crm_tools.own_tools import own_tools
from crm_tools.standard import standard_tables
from crm_tools.tables import Table
from crm_tools.toolsets import DEFAULT

if TYPE_CHECKING:
    from crm_server.dataverse.client import DataverseClient

_log = get_logger("organisation")
READ_ANEW = timedelta(minutes=15)


class NamedTables:
    """The named tables of one environment."""

    def __init__(self, settings: Settings, address: str, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._now = now
        self._file = KeptTables.of(state_folder(), address, f"{settings.auth} {settings.client_id}")
        self._read_at: datetime | None = None
        self._last: Mapping[str, Table] = {}

    def at_start(self, learned: Learned | None) -> Mapping[str, Table]:
        """What was read just now; else what was kept of the last time, or their standard description."""
        if learned is not None:
            if learned.whole:
                self.keep(learned.tables)
            self._last = learned.tables
            return learned.tables
        kept = self._file.read(self._settings.tables)
        if kept is None:
            standard = standard_tables()
            kept = {name: standard[name] for name in self._settings.tables if name in standard}
        self._last = kept
        return kept

    def keep(self, tables: Mapping[str, Table]) -> None:
        """Keep what was read just now."""
        self._last, self._read_at = dict(tables), self._now()
        self._file.write(tables)

    def is_kept(self) -> bool:
        """Whether all of them are known from the last time."""
        return self._file.read(self._settings.tables) is not None

    def is_due(self) -> bool:
        """Whether they are to be read again."""
        return self._read_at is None or self._now() - self._read_at >= READ_ANEW

    async def learn(self, client: DataverseClient) -> dict[str, Table] | None:
        """What they are now; None where that is nothing new, or cannot be read."""
        self._read_at = self._now()
        client.forget_definitions()
        found = await learn(client, self._settings.tables, standard_tables())
        for problem in found.problems:
            _log.warning("table_not_described", problem=problem)
        tables = dict(found.tables)
        if not found.whole or tables == self._last:
            return None
        self.keep(tables)
        return tables

    def tools(self, tables: Mapping[str, Table]) -> tuple[AnyTool, ...]:
        """The tools for these tables."""
        return chosen_tools(self._settings, tables)


def chosen_tools(settings: Settings, tables: Mapping[str, Table]) -> tuple[AnyTool, ...]:
    """The tools of the chosen toolsets; those of single tables for the named tables, if any."""
    chosen = frozenset(settings.toolsets or DEFAULT)
    of_tables = table_tools(settings.tables, tables) if settings.tables else catalogue()
    tools: tuple[AnyTool, ...] = (*of_tables, *own_tools())
    return tuple(tool for tool in tools if not chosen.isdisjoint(tool.toolsets))
