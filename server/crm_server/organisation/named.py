"""The tables that the settings name: which tools follow from them, and when they are read anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crm_server.folders import state_folder
from crm_server.log import get_logger
from crm_server.organisation.kept import KeptTables
from crm_server.organisation.reading import Learned, learn
from crm_server.settings import Settings
from crm_tools.catalogue import AnyTool, catalogue, table_tools
from crm_tools.own_tools import OwnTool, own_tools
from crm_tools.standard import standard_tables
from crm_tools.tables import Table
from crm_tools.toolsets import DEFAULT

if TYPE_CHECKING:
    from crm_server.dataverse.client import DataverseClient

_log = get_logger("organisation")
READ_ANEW = timedelta(minutes=15)
NOT_READ = "The environment's own description could not be read; this is the standard one."
"""What ``describe_table`` says then."""


class NamedTables:
    """The named tables of one environment."""

    def __init__(self, settings: Settings, address: str, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._now = now
        self._file = KeptTables.of(state_folder(), address, f"{settings.auth} {settings.client_id}")
        self._read_at: datetime | None = None
        self._last: Mapping[str, Table] = {}

    def at_start(self, learned: Learned) -> Mapping[str, Table]:
        """What was read just now; of the others what was kept, or their standard description."""
        names = self._settings.tables
        kept, standard = self._file.read(names), standard_tables()
        serving: dict[str, Table] = {}
        for name in names:
            if name in learned.tables:
                serving[name] = learned.tables[name]
            elif name in kept:
                serving[name] = kept[name]
            elif name in standard:
                serving[name] = replace(standard[name], note=NOT_READ)
        for name, error in learned.unread.items():
            which = "the last" if name in kept else "the standard" if name in standard else "none"
            _log.warning("table_not_described", table=name, problem=error.message, description=which)
        self._last = serving
        if learned.tables and learned.whole:
            self.keep(serving)
        return serving

    def keep(self, tables: Mapping[str, Table]) -> None:
        """Keep what was read just now, and is offered."""
        self._last, self._read_at = dict(tables), self._now()
        self._file.write(tables)

    def is_kept(self) -> bool:
        """Whether all of them are known from the last time."""
        return len(self._file.read(self._settings.tables)) == len(self._settings.tables)

    def is_due(self) -> bool:
        """Whether they are to be read again."""
        return self._read_at is None or self._now() - self._read_at >= READ_ANEW

    def expire(self) -> None:
        """They are to be read again with the next occasion: another replica found them changed."""
        self._read_at = None

    @property
    def needs_caller(self) -> bool:
        """Whether they can only be read on behalf of a caller, and so in a call."""
        return self._settings.auth == "on-behalf-of"

    async def learn(self, client: DataverseClient) -> Mapping[str, Table] | None:
        """What they are now; None where that is nothing new, or not all of it can be read."""
        self._read_at = self._now()
        client.forget_definitions()
        found = await learn(client, self._settings.tables, standard_tables())
        for name, error in found.unread.items():
            _log.warning("table_not_described", table=name, problem=error.message)
        return found.tables if found.whole and found.tables != self._last else None

    def on_named_too(self, tool: OwnTool) -> OwnTool:
        """A tool that works on tables of any name, of use also where only named ones may be worked on."""
        return _on_named_too(tool, self._settings.tables)

    def tools(self, tables: Mapping[str, Table]) -> tuple[AnyTool, ...]:
        """The tools for these tables."""
        return chosen_tools(self._settings, tables)


def chosen_tools(settings: Settings, tables: Mapping[str, Table]) -> tuple[AnyTool, ...]:
    """The tools of the chosen toolsets; those of single tables for the named tables, if any."""
    chosen = frozenset(settings.toolsets or DEFAULT)
    of_tables = table_tools(settings.tables, tables) if settings.tables else catalogue()
    of_any = (_on_named_too(tool, settings.tables) for tool in own_tools())
    tools: tuple[AnyTool, ...] = (*of_tables, *of_any)
    return tuple(tool for tool in tools if not chosen.isdisjoint(tool.toolsets))


def _on_named_too(tool: OwnTool, names: Iterable[str]) -> OwnTool:
    """A tool for any table is of use for a named one too, even where the policy lets no other be used."""
    tables = {table for _, table in tool.needs}
    if not tables >= standard_tables().keys():
        return tool
    actions = dict.fromkeys(action for action, _ in tool.needs)
    more = tuple((action, name) for action in actions for name in names if name not in tables)
    return replace(tool, needs=(*tool.needs, *more))
