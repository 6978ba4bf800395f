"""Writes: bodies are checked as documented, then stored; deletes cascade.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-entity-web-api
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from crm_sandbox.coverage import Missing
from crm_sandbox.errors import (
    BAD_CHOICE,
    BAD_STATUS,
    CLOSED_BY_UPDATE,
    DUPLICATE_KEY,
    INTEGER_RANGE,
    MONEY_RANGE,
    TOO_LONG,
    ODataError,
    bad_property,
    missing_row,
    not_here,
)
from crm_sandbox.filtering import stored_time
from crm_sandbox.schema import CREATED, CURRENCY, MODIFIED, OWNER, VERSION, by_entity_set, tables, writable
from crm_sandbox.store import Store, type_column
from crm_tools.tables import CHOICE_TYPES, Column, ColumnType, Navigation, Table

BIND = "@odata.bind"
STATE, STATUS = "statecode", "statuscode"
_DATES = (ColumnType.DATE_ONLY, ColumnType.DATE_TIME)


def create_row(store: Store, table: Table, body: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Store a new row and return its key. ``defaults`` are its owner and currency.

    Raises:
        ODataError: The body does not fit, or a row has this key.
    """
    _require_writable(table)
    key = _key(body.get(table.key), table)
    if store.find(table, key) is not None:
        raise ODataError(412, DUPLICATE_KEY, "A record with matching key values already exists.")
    values = _values(store, table, body, creating=True)
    status = values.pop(STATUS, None)
    now = store.timestamp()
    row = {OWNER: defaults["owner"], type_column(OWNER): "systemuser"}
    if CURRENCY in table.columns:
        row |= {CURRENCY: defaults["currency"], type_column(CURRENCY): "transactioncurrency"}
    row |= values
    row |= {table.key: key, STATE: 0, STATUS: _status_for(table, 0, status)}
    row |= {CREATED: now, MODIFIED: now, VERSION: store.next_version()}
    _compute(row, table)
    store.insert(table, [row])
    return key


def update_row(store: Store, table: Table, row: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Change the columns of a row that the body names.

    Raises:
        ODataError: The body does not fit.
    """
    _require_writable(table)
    values = _values(store, table, body, creating=False)
    if STATE in values or STATUS in values:
        values |= _new_state(table, row, values)
    changed = {**row, **values}
    _compute(changed, table)
    values |= {name: changed[name] for name in ("fullname",) if name in table.columns}
    store.update(
        table, row[table.key], {**values, MODIFIED: store.timestamp(), VERSION: store.next_version()}
    )


def delete_row(store: Store, table: Table, key: str) -> None:
    """Remove a row with all that cascades from it, and unlink the rest."""
    _require_writable(table)
    for relationship in table.relationships.values():
        related = tables()[relationship.table]
        column = related.navigations[relationship.lookup].column
        children = store.rows(
            f'SELECT "{related.key}" AS child FROM "{related.name}" WHERE "{column}" = ?',  # noqa: S608 - names of the schema
            [key],
        )
        for child in children:
            if relationship.cascades:
                delete_row(store, related, child["child"])
            else:
                unlinked = {column: None, type_column(column): None, VERSION: store.next_version()}
                store.update(related, child["child"], unlinked)
    store.delete(table, key)


def _require_writable(table: Table) -> None:
    if table.name not in writable():
        raise not_here(Missing.LOOKUP_TABLES)


def _key(given: Any, table: Table) -> str:
    if given is None:
        return str(uuid4())
    try:
        return str(UUID(given))
    except (ValueError, TypeError, AttributeError):
        raise bad_property(f"'{table.key}' takes a GUID") from None


def _values(store: Store, table: Table, body: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
    """The columns that the body sets. Those that cannot be set are ignored, as Dataverse does."""
    values: dict[str, Any] = {}
    for name, value in body.items():
        if name.endswith(BIND):
            values |= _binding(store, table, name.removesuffix(BIND), value)
        elif name.startswith("@") or "@" in name:
            continue  # annotations such as @odata.type carry no value
        elif name in table.columns:
            column = table.columns[name]
            if (
                name != table.key
                and (column.on_create if creating else column.on_update)
                and not column.lookup
            ):
                values[name] = (
                    None if value is None and name not in (STATE, STATUS) else _checked(value, column)
                )
        elif name in table.relationships or name in table.navigations:
            raise not_here(Missing.DEEP_INSERT)
        else:
            raise bad_property(
                f"An undeclared property '{name}' which only has property annotations in the payload but no "
                f"property value was found in the payload, or the property does not exist on '{table.name}'."
            )
    return values


def _binding(store: Store, table: Table, name: str, value: Any) -> dict[str, Any]:
    navigation = table.navigations.get(name)
    if navigation is None or not navigation.writable:
        raise bad_property(f"An undeclared property '{name}' was found in the payload for '{table.name}'.")
    if value is None:
        return {navigation.column: None, type_column(navigation.column): None}
    target, key = _reference(value, navigation, table)
    if store.find(target, key) is None:
        raise missing_row(target.name, key)
    return {navigation.column: key, type_column(navigation.column): target.name}


def _reference(value: Any, navigation: Navigation, table: Table) -> tuple[Table, str]:
    """The row that a bind names: ``/contacts(id)``, ``contacts(id)`` or an absolute address."""
    match = re.fullmatch(r"(?:https?://[^/]+/api/data/v9\.\d)?/?(\w+)\(([0-9a-fA-F-]{36})\)", str(value))
    target = by_entity_set().get(match[1]) if match else None
    allowed = {navigation.table, *(("team",) if navigation.column == OWNER else ())}
    if match is None or target is None or target.name not in allowed:
        raise bad_property(f"The reference for '{navigation.name}' of '{table.name}' cannot be resolved.")
    return target, match[2].lower()


def _checked(value: Any, column: Column) -> Any:
    if column.type in CHOICE_TYPES:
        return _choice(value, column)
    if column.type is ColumnType.INTEGER:
        return _number(value, column, int, INTEGER_RANGE)
    if column.type is ColumnType.MONEY:
        return _number(value, column, (int, float), MONEY_RANGE)
    if not isinstance(value, str):
        raise bad_property(f"Cannot convert the value of '{column.name}' to the expected type 'Edm.String'.")
    if column.type in _DATES:
        try:
            return stored_time(value, column)
        except ODataError:
            raise bad_property(f"Cannot convert the value of '{column.name}' to a date.") from None
    if column.max_length is not None and len(value) > column.max_length:
        raise ODataError(
            400,
            TOO_LONG,
            f"A validation error occurred. The length of the '{column.name}' attribute exceeded "
            f"the maximum allowed length of '{column.max_length}'.",
        )
    return value


def _choice(value: Any, column: Column) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_property(f"Cannot convert the value of '{column.name}' to the expected type 'Edm.Int32'.")
    if value not in [choice.value for choice in column.choices]:
        raise ODataError(
            400, BAD_CHOICE, f"The value {value} of '{column.name}' is outside the valid range of the choice."
        )
    return value


def _number(value: Any, column: Column, kinds: Any, code: str) -> Any:
    if not isinstance(value, kinds) or isinstance(value, bool) or value != value:
        raise bad_property(f"Cannot convert the value of '{column.name}' to the expected type.")
    low, high = column.minimum, column.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise ODataError(
            400, code, f"The value of '{column.name}' is outside the valid range {low} to {high}."
        )
    return value


def _new_state(table: Table, row: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """State and status reason after a change of either."""
    state = values.get(STATE, row[STATE])
    if table.name == "opportunity" and state != row[STATE] and state != 0:
        raise ODataError(
            400,
            CLOSED_BY_UPDATE,
            "This message can not be used to set the state of opportunity to Won or Lost.",
        )
    status = values.get(STATUS, row[STATUS] if state == row[STATE] else None)
    new = {STATE: state, STATUS: _status_for(table, state, status)}
    if table.name == "opportunity" and state == 0:
        new |= {"actualvalue": None, "actualclosedate": None}
    return new


def _status_for(table: Table, state: int, status: int | None) -> int:
    """The status reason given if it belongs to the state, or the state's first."""
    of_state = [choice.value for choice in table.columns[STATUS].choices if choice.state == state]
    if status is None:
        return of_state[0]
    if status not in of_state:
        raise ODataError(400, BAD_STATUS, f"{status} is not a valid status code for state code {state}.")
    return status


def _compute(row: dict[str, Any], table: Table) -> None:
    if "fullname" in table.columns:
        parts = [row.get("firstname"), row.get("lastname")]
        row["fullname"] = " ".join(part for part in parts if part) or None
