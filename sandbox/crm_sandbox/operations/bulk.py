"""Many rows in one request: all or nothing, and deletes as a job.

https://learn.microsoft.com/power-apps/developer/data-platform/bulk-operations
https://learn.microsoft.com/power-apps/developer/data-platform/delete-data-bulk
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from crm_sandbox.addresses import RowKey, reference
from crm_sandbox.errors import DUPLICATE_KEY, UNKNOWN_NAME, ODataError, bad_property
from crm_sandbox.messages import Answer
from crm_sandbox.operations.calls import Call
from crm_sandbox.queries.ordering import sorts_of
from crm_sandbox.queries.sql import Condition, From, all_of, any_of
from crm_sandbox.queries.work import bounded
from crm_sandbox.records.values import guid
from crm_sandbox.schema.model import NAMESPACE, Table
from crm_sandbox.store import quoted

_DONE = {"statecode": 3, "statuscode": 30}


def create_multiple(call: Call) -> Answer:
    """Create rows of one table.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/createmultiple
    """
    writer = call.context.writer
    keys = [writer.create(call.bound_table, target) for target in _targets(call)]
    return call.answer(Ids=keys)


def update_multiple(call: Call) -> Answer:
    """Change rows of one table.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/updatemultiple
    """
    table = call.bound_table
    writer = call.context.writer
    changed: set[str] = set()
    for target in _targets(call):
        row = _named(call, table, target).get(call.context.store)
        # Of several targets with one key the first counts.
        if row[table.key] not in changed:
            changed.add(row[table.key])
            writer.update(table, row, _without_key(table, target))
    return Answer(204)


def upsert_multiple(call: Call) -> Answer:
    """Change rows of one table, or create those that are missing.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/upsertmultiple
    """
    table = call.bound_table
    writer = call.context.writer
    seen: set[tuple[Any, ...]] = set()
    for target in _targets(call):
        key = _named(call, table, target)
        # Texts of keys are compared without case.
        columns = sorted((name, str(value).casefold()) for name, value in key.columns.items())
        named_by = (key.guid, *columns)
        if named_by in seen:
            raise ODataError(400, DUPLICATE_KEY, "Two targets have one key.")
        seen.add(named_by)
        row = key.find(call.context.store)
        if row is not None:
            writer.update(table, row, _without_key(table, target))
            continue
        named: dict[str, Any] = {table.key: key.guid} if key.guid is not None else {}
        named |= {table.columns[name].wire: value for name, value in key.columns.items()}
        writer.create(table, {**target, **named})
    return Answer(204)


def _targets(call: Call) -> list[Mapping[str, Any]]:
    call.needs("POST")
    targets: list[Any] = call.get("Targets", list)
    if not targets:
        raise ODataError(400, UNKNOWN_NAME, "'Targets' takes at least one record.")
    expected = f"{NAMESPACE}.{call.bound_table.name}"
    for target in targets:
        if not isinstance(target, dict):
            raise bad_property("'Targets' takes an array of objects")
        if str(target.get("@odata.type", "")).removeprefix("#") != expected:
            raise bad_property(f"every target needs '@odata.type': '{expected}'")
    return targets


def _named(call: Call, table: Table, target: Mapping[str, Any]) -> RowKey:
    """The row that a target is about: by its key, by ``@odata.id``, or by an alternate key."""
    if "@odata.id" in target:
        key = reference(call.context.store.schema, target["@odata.id"], "@odata.id")
        if key.table is not table:
            raise bad_property(f"'@odata.id' names a row of '{key.table.name}'")
        return key
    if table.key in target:
        return RowKey(table, guid(target[table.key], table.columns[table.key]), {})
    for alternate in table.keys.values():
        if all(table.columns[name].wire in target for name in alternate.columns):
            return RowKey(table, None, {name: target[table.columns[name].wire] for name in alternate.columns})
    raise bad_property(f"a target has neither '{table.key}' nor '@odata.id' nor an alternate key")


def _without_key(table: Table, target: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in target.items() if name != table.key}


def bulk_delete(call: Call) -> Answer:
    """Delete what queries find, as a job.

    The job is done when its id is answered: a sandbox has no queue of jobs to wait in.
    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/bulkdelete
    """
    call.needs("POST")
    store = call.context.store
    name = str(call.get("JobName", str))
    for query in call.get("QuerySet", list):
        table, condition = _query(call, query)
        call.context.may_read(table)
        start = From.of(store.schema, table, call.context.session.asker)
        order = sorts_of((), start)[0].sql
        sql = (
            f"SELECT t.{quoted(table.key)} AS key FROM {start.sql} "  # noqa: S608 - names of the schema
            f"WHERE {condition.sql} ORDER BY {order}"
        )
        with bounded(store.connection):
            found = store.rows(sql, condition.values)
        for row in found:
            # An earlier delete of this job may have taken it along.
            if store.find(table, row["key"]) is not None:
                call.context.deleter.delete(table, row["key"])
    key = str(uuid4())
    jobs = store.schema["asyncoperation"]
    now = store.timestamp()
    job = {jobs.key: key, "name": name, "operationtype": 13, "startedon": now, "completedon": now, **_DONE}
    job |= {"createdon": now, "modifiedon": now, "versionnumber": store.next_version()}
    job |= {"ownerid": call.context.session.caller.user_id, "ownerid.table": "systemuser"}
    store.insert(jobs, [job])
    return call.answer(JobId=key)


def _query(call: Call, query: Any) -> tuple[Table, Condition]:
    """The table and condition of a QueryExpression."""
    if not isinstance(query, dict):
        raise bad_property("'QuerySet' takes an array of queries")
    table = call.context.store.schema.get(str(query.get("EntityName")))
    if table is None:
        raise bad_property(f"'{query.get('EntityName')}' is no table")
    return table, _criteria(call, table, query.get("Criteria") or {}, 0)


def _criteria(call: Call, table: Table, criteria: Any, depth: int) -> Condition:
    # Loaded when a job has conditions: few requests do.
    from crm_sandbox.queries.operators import member_condition

    if not isinstance(criteria, dict) or depth > 10:
        raise bad_property("'Criteria' cannot be read")
    asker = call.context.session.asker
    start = From.of(call.context.store.schema, table, asker)
    parts = [_criteria(call, table, inner, depth + 1) for inner in _list_of(criteria, "Filters")]
    for condition in _list_of(criteria, "Conditions"):
        if not isinstance(condition, dict):
            raise bad_property("'Conditions' cannot be read")
        operand = start.root.operand(str(condition.get("AttributeName")))
        values = [_condition_value(value) for value in _list_of(condition, "Values")]
        operator = str(condition.get("Operator"))
        parts.append(member_condition(operator, operand, values, asker, start.schema))
    return any_of(parts) if criteria.get("FilterOperator") in ("Or", 1) and parts else all_of(parts)


def _list_of(holder: Mapping[str, Any], name: str) -> list[Any]:
    found = holder.get(name) or []
    if not isinstance(found, list):
        raise bad_property(f"'{name}' takes an array")
    return found


def _condition_value(value: Any) -> str:
    """A value of a condition: bare, or as ``{"Value": ..., "Type": "System.Guid"}``."""
    inner = value.get("Value") if isinstance(value, dict) else value
    if isinstance(inner, bool):
        return str(int(inner))
    if not isinstance(inner, str | int | float):
        raise bad_property("a value of a condition cannot be read")
    return str(inner)
