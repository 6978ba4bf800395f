"""Rows as JSON: columns, ETag, and formatted values when annotations are asked for.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/select-columns#formatted-values
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from crm_sandbox.schema import CURRENCY, VERSION, tables
from crm_sandbox.store import Store, type_column
from crm_tools.tables import CHOICE_TYPES, Column, ColumnType, Table

FORMATTED = "@OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "@Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "@Microsoft.Dynamics.CRM.associatednavigationproperty"


def etag(row: Mapping[str, Any]) -> str:
    """The weak ETag of a row: its version number."""
    return f'W/"{row[VERSION]}"'


def answer_row(
    store: Store, table: Table, row: Mapping[str, Any], columns: Iterable[str], annotated: bool
) -> dict[str, Any]:
    """A row as it is answered; columns that hold nothing are null."""
    answered: dict[str, Any] = {"@odata.etag": etag(row)}
    for name in columns:
        column = table.columns[name]
        value = row[name]
        if annotated and value is not None:
            answered |= _annotations(store, table, column, row)
        answered[name] = value
    return answered


def _annotations(store: Store, table: Table, column: Column, row: Mapping[str, Any]) -> dict[str, Any]:
    value = row[column.name]
    if column.type is ColumnType.LOOKUP:
        return _lookup_annotations(store, table, column, row)
    if column.type in CHOICE_TYPES:
        label = next(choice.label for choice in column.choices if choice.value == value)
        return {column.name + FORMATTED: label}
    match column.type:
        case ColumnType.MONEY:
            return {column.name + FORMATTED: f"{_symbol(store, row)}{value:,.2f}"}
        case ColumnType.INTEGER:
            return {column.name + FORMATTED: f"{value:,}"}
        case ColumnType.DATE_ONLY:
            return {column.name + FORMATTED: _us_date(date.fromisoformat(value))}
        case ColumnType.DATE_TIME:
            moment = datetime.fromisoformat(value)
            clock = f"{moment.hour % 12 or 12}:{moment:%M %p}"
            return {column.name + FORMATTED: f"{_us_date(moment)} {clock}"}
    return {}


def _lookup_annotations(store: Store, table: Table, column: Column, row: Mapping[str, Any]) -> dict[str, Any]:
    target = tables()[row[type_column(column.name)]]
    annotations: dict[str, Any] = {}
    related = store.find(target, row[column.name])
    if related is not None and related[target.primary_name] is not None:
        annotations[column.name + FORMATTED] = related[target.primary_name]
    for navigation in table.navigations.values():
        if navigation.column == column.name and navigation.table == target.name:
            annotations[column.name + NAVIGATION] = navigation.name
    annotations[column.name + LOOKUP_TABLE] = target.name
    return annotations


def _symbol(store: Store, row: Mapping[str, Any]) -> str:
    key = row.get(CURRENCY)
    currency = store.find(tables()["transactioncurrency"], key) if key else None
    return str(currency["currencysymbol"]) if currency else "$"


def _us_date(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year}"
