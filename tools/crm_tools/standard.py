"""The standard tables: those of the API description, and those that stand around them.

The tables around them (activities, notes, users, teams, currencies, views) are described in the folder
``standard``, one file each; the embedded sandbox reads the same files. They have no operations of their own
in the API description: tools of more than one table work on them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from crm_tools.description import load
from crm_tools.tables import Choice, Column, ColumnType, Navigation, Relationship, Table, lookup_column

ACTIVITY = "activitypointer"
"""The read-only table that shows activities of every kind.

https://learn.microsoft.com/power-apps/developer/data-platform/activity-entities
"""

VIEWS = "savedquery"
"""The table of saved views. It is internal: who works in the CRM wants a view's rows, not its XML."""

PEOPLE = frozenset({"systemuser", "team", "transactioncurrency"})
"""Tables whose names lookups show although hardly any policy speaks of them."""

_FOLDER = "standard"
# The content of an attachment has megabytes and is no answer to any question.
_LEFT_OUT = {"annotation": frozenset({"documentbody"})}
_KNOWN = frozenset({"systemuser", "team"})
"""Tables that many-to-many relationships of these files lead to and tools know."""

_ALWAYS = (
    Column("createdon", ColumnType.DATE_TIME, "Created on", on_create=False, on_update=False),
    Column("modifiedon", ColumnType.DATE_TIME, "Modified on", on_create=False, on_update=False),
)
_OWNER = lookup_column("ownerid", "Owner", ("systemuser", "team"))
_STATES = (
    Column(
        "statecode",
        ColumnType.STATE,
        "Status",
        on_create=False,
        choices=(Choice(0, "Active"), Choice(1, "Inactive")),
    ),
    Column(
        "statuscode",
        ColumnType.STATUS,
        "Status reason",
        choices=(Choice(1, "Active", 0), Choice(2, "Inactive", 1)),
    ),
)

_SHARED = (
    "activityid",
    "subject",
    "activitytypecode",
    "description",
    "scheduledstart",
    "scheduledend",
    "actualend",
    "_regardingobjectid_value",
    "_ownerid_value",
    "statecode",
    "createdon",
    "modifiedon",
)


@cache
def standard_tables() -> Mapping[str, Table]:
    """The standard tables by logical name."""
    facts = [_facts(item.read_text(encoding="utf-8")) for item in _files()]
    tables = dict(load().tables) | {table["name"]: _table(table) for table in facts}
    for name, relationship in _relationships(facts):
        if name in tables:
            known = tables[name]
            tables[name] = replace(
                known, relationships={**known.relationships, relationship.name: relationship}
            )
    tables[ACTIVITY] = _activities(tables["task"])
    return tables


def _files() -> Iterator[Any]:
    folder = files("crm_tools").joinpath(_FOLDER)
    return iter(sorted(folder.iterdir(), key=lambda item: item.name))


def _facts(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def _table(facts: Mapping[str, Any]) -> Table:
    name = facts["name"]
    left_out = _LEFT_OUT.get(name, frozenset())
    key = facts.get("key", f"{name}id")
    own = [_column(column, fact) for column, fact in facts["columns"].items() if column not in left_out]
    columns = {key: Column(key, ColumnType.UNIQUEIDENTIFIER, f"{facts['label']} id", on_update=False)}
    columns |= {column.name: column for column in (*own, *_ALWAYS)}
    if facts.get("ownership", "user") == "user":
        columns[_OWNER.name] = _OWNER
    if facts.get("state", True):
        columns = {**{column.name: column for column in _STATES}, **columns}
    return Table(
        name=name,
        entity_set=facts["entity_set"],
        key=key,
        primary_name=facts["primary_column"],
        label=facts["label"],
        columns=columns,
        navigations={navigation.name: navigation for navigation in _navigations(facts)},
        many_to_many={
            fact["navigation"]: fact["table"]
            for fact in facts.get("many_to_many", ())
            if fact["table"] in _KNOWN
        },
        concise=tuple(_wire_name(column, columns) for column in facts["concise"]),
        create_needs=tuple(facts.get("create_needs", ())),
        is_internal=name == VIEWS,
    )


def _wire_name(name: str, columns: Mapping[str, Column]) -> str:
    return name if name in columns else f"_{name}_value"


def _column(name: str, fact: Mapping[str, Any]) -> Column:
    if "targets" in fact:
        return lookup_column(name, fact["label"], tuple(target["table"] for target in fact["targets"]))
    set_on = fact.get("set_on", ("create", "update"))
    return Column(
        name=name,
        type=ColumnType(fact["type"]),
        label=fact["label"],
        max_length=fact.get("max_length"),
        minimum=fact.get("minimum"),
        maximum=fact.get("maximum"),
        required=fact.get("required", "None") != "None",
        on_create="create" in set_on,
        on_update="update" in set_on,
        choices=tuple(Choice(*choice) for choice in fact.get("choices", ())),
    )


def _navigations(facts: Mapping[str, Any]) -> Iterator[Navigation]:
    for name, fact in facts["columns"].items():
        writable = bool(fact.get("set_on", True))
        for target in fact.get("targets", ()):
            yield Navigation(
                target["navigation"], f"_{name}_value", target["table"], fact["label"], writable=writable
            )


def _relationships(facts: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Relationship]]:
    """The other ends of the lookups of these tables, by the table that has them."""
    for table in facts:
        for fact in table["columns"].values():
            for target in fact.get("targets", ()):
                cascades = target.get("on_delete") == "cascade"
                name, lookup = target["collection"], target["navigation"]
                yield target["table"], Relationship(name, table["name"], lookup, cascades)


def _activities(task: Table) -> Table:
    """Activities of every kind, with the columns that all of them have. None of them is set here."""
    columns = {name: replace(task.columns[name], on_create=False, on_update=False) for name in _SHARED}
    # Appointments are also scheduled.
    open_too = Choice(3, "Scheduled")
    columns["statecode"] = replace(columns["statecode"], choices=(*columns["statecode"].choices, open_too))
    return replace(
        task,
        name=ACTIVITY,
        entity_set="activitypointers",
        label="Activity",
        columns=columns,
        navigations={},
        relationships={},
        concise=("subject", "activitytypecode", "scheduledend", "statecode", "_regardingobjectid_value"),
        create_needs=(),
    )
