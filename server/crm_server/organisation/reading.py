"""Reads the tables that the settings name, as the environment describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import anyio

from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.metadata import TableDefinition
from crm_server.organisation.described import described
from crm_tools.errors import CrmError, NotFoundError, closest
from crm_tools.tables import Table


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learnt: tables by name, and by name why one was not read."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    unread: Mapping[str, CrmError] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """The tables that the environment does not have."""
        return tuple(name for name, error in self.unread.items() if isinstance(error, NotFoundError))

    @property
    def whole(self) -> bool:
        """Whether nothing is left that may be read another time."""
        return len(self.missing) == len(self.unread)


async def learn(client: DataverseClient, names: Iterable[str], standard: Mapping[str, Table]) -> Learned:
    """The tables of these names as the environment describes them."""
    wanted = tuple(names)
    found: dict[str, TableDefinition | CrmError] = {}

    async def read(name: str) -> None:
        try:
            found[name] = await client.definition(name)
        except CrmError as error:
            found[name] = error

    async with anyio.create_task_group() as group:
        for name in wanted:
            group.start_soon(read, name)
    tables: dict[str, Table] = {}
    unread: dict[str, CrmError] = {}
    for name in wanted:
        answer = found[name]
        if isinstance(answer, TableDefinition):
            tables[name] = described(answer, standard.get(name))
        else:
            unread[name] = answer
    return Learned(tables, unread)


async def nearest_table(client: DataverseClient, name: str) -> str | None:
    """The table of the environment whose name comes closest to one that it does not have."""
    try:
        known = await client.table_names()
    except CrmError:
        return None
    return next(iter(closest(name, known, most=1)), None)
