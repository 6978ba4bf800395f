"""Calls, meetings, tasks and notes on a record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from crm_tools.column_values import column_value, utc_text
from crm_tools.errors import CrmError, InputError
from crm_tools.operations import Binding, Create, Update
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, one_record
from crm_tools.selling import previewed
from crm_tools.shaping import record
from crm_tools.tables import Table
from crm_tools.wording import table_named

Arguments = Mapping[str, Any]
ACTIVITY_TYPES = {"call": "phonecall", "meeting": "appointment", "task": "task", "note": "annotation"}


async def log_activity(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """A call, meeting, task or note on a record; what is done already is completed at once."""
    table = tables[ACTIVITY_TYPES[arguments["type"]]]
    about = arguments.get("about_table")
    names = (table_named(about, tables).name,) if about else ("account", "contact", "lead", "opportunity")
    target = await one_record(arguments["about"], names, "about", tables, port)
    create = _activity(arguments, table, target.table, target.key, port)
    if arguments.get("dry_run"):
        return await previewed(create, port)
    row = await port.create(create)
    answer: dict[str, Any] = {}
    if arguments.get("done") and arguments["type"] in _DONE:
        completed = {"statecode": 1, "statuscode": _DONE[arguments["type"]]}
        update = Update(table.name, create.key, completed, returning=create.returning, state=1)
        try:
            row = await port.update(update)
        except CrmError as error:
            # Half of it is done, so this is no error: made again, it would be there twice.
            answer["warning"] = (
                f"It was created, but it could not be completed and is open: {error.message} "
                "Do not log it again; complete it by its id once that is possible."
            )
            answer["not_completed"] = error.code
    answer["record"] = {**record(row, table, tables), "url": port.record_url(table.name, create.key)}
    return answer


_DONE = {"call": 2, "meeting": 3, "task": 5}
"""The status reason of what is done: made, completed, completed."""


def _activity(arguments: Arguments, table: Table, about: str, key: str, port: CrmPort) -> Create:
    lookup = "objectid" if table.name == "annotation" else "regardingobjectid"
    way = next(
        (
            navigation
            for navigation in table.navigations.values()
            if navigation.column == f"_{lookup}_value" and navigation.table == about
        ),
        None,
    )
    if way is None:
        raise InputError(f"Records of {table.name} cannot be about a record of {about}.")
    given = {name: arguments[name] for name in ("when", "until", "direction") if name in arguments}
    if not arguments["subject"].strip():
        raise InputError("Argument subject is empty. Say in a few words what it is about.")
    values: dict[str, Any] = {"subject": arguments["subject"]}
    if "text" in arguments:
        values["notetext" if table.name == "annotation" else "description"] = arguments["text"]
    values |= _times(arguments["type"], given)
    zone = port.now().tzinfo or UTC
    wire = {name: column_value(value, table.columns[name], zone) for name, value in values.items()}
    if "scheduledstart" in wire and "scheduledend" not in wire:
        wire["scheduledend"] = _an_hour_later(wire["scheduledstart"])
    if wire.get("scheduledstart", "") > wire.get("scheduledend", "9"):
        raise InputError("Argument until is before when. Nothing was created.")
    return Create(
        table.name,
        str(uuid4()),
        wire,
        (Binding(way.name, way.column, about, key),),
        returning=port.readable(table.name, (table.key, *table.concise)),
    )


def _times(kind: str, given: Arguments) -> dict[str, Any]:
    """When it is or was, and which way a call went.

    Raises:
        InputError: A meeting has no time, or something else has one that it cannot have.
    """
    when, until = given.get("when"), given.get("until")
    if kind != "call" and "direction" in given:
        raise InputError("Only a call has a direction.")
    if kind == "note":
        if given:
            raise InputError("A note has no time of its own; leave out when and until.")
        return {}
    if kind == "meeting":
        if when is None:
            raise InputError(
                "A meeting needs when: a time such as 2026-12-31T15:00, and until if it is known."
            )
        return {"scheduledstart": when} | ({} if until is None else {"scheduledend": until})
    if until is not None:
        raise InputError("Only a meeting has an end; leave out until.")
    values = {} if when is None else {"scheduledend": when}
    if "direction" in given:
        values["directioncode"] = given["direction"] == "out"
    return values


def _an_hour_later(start: str) -> str:
    return utc_text(datetime.fromisoformat(start) + timedelta(hours=1))
