"""Reads the tables that the settings name; where that fails the standard description serves, and says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import anyio

from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.metadata import TableDefinition
from crm_server.organisation.described import described
from crm_tools.errors import CrmError, NotFoundError
from crm_tools.tables import Table

_NOT_READ = "The environment's own description could not be read; this is the standard one."


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learnt: tables by name, and in sentences what was not.

    ``whole`` is false when something could not be read that may be read another time.
    """

    tables: Mapping[str, Table]
    problems: tuple[str, ...] = ()
    whole: bool = True


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
    problems: list[str] = []
    whole = True
    for name in wanted:
        known, answer = standard.get(name), found[name]
        if isinstance(answer, TableDefinition):
            tables[name] = described(answer, known)
            continue
        problems.append(f"{name}: {answer.message}")
        whole = whole and isinstance(answer, NotFoundError)
        if known is not None:
            tables[name] = replace(known, note=_NOT_READ)
    return Learned(tables, tuple(problems), whole)
