"""From the environment's definition of a table to the facts that tools are made from. Pure.

https://learn.microsoft.com/power-apps/developer/data-platform/entity-attribute-metadata
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from crm_server.dataverse.metadata import ColumnDefinition, TableDefinition
from crm_tools.tables import CHOICE_TYPES, Column, ColumnType, Navigation, Table, lookup_column

_TYPES: Mapping[str, ColumnType] = {
    "UniqueidentifierType": ColumnType.UNIQUEIDENTIFIER,
    "StringType": ColumnType.STRING,
    "MemoType": ColumnType.MEMO,
    "IntegerType": ColumnType.INTEGER,
    "BigIntType": ColumnType.BIGINT,
    "DecimalType": ColumnType.DECIMAL,
    "DoubleType": ColumnType.DOUBLE,
    "MoneyType": ColumnType.MONEY,
    "BooleanType": ColumnType.BOOLEAN,
    "DateTimeType": ColumnType.DATE_TIME,
    "PicklistType": ColumnType.PICKLIST,
    "MultiSelectPicklistType": ColumnType.MULTI_SELECT,
    "StateType": ColumnType.STATE,
    "StatusType": ColumnType.STATUS,
    "EntityNameType": ColumnType.ENTITY_NAME,
}
_OWNER = "OwnerType"
_LOOKUPS = frozenset({"LookupType", "CustomerType", _OWNER})
_WITH_CHOICES = CHOICE_TYPES | {ColumnType.MULTI_SELECT, ColumnType.BOOLEAN}
# What Dataverse keeps for itself; no question and no change is about it.
_HOUSEKEEPING = frozenset(
    {
        "versionnumber",
        "importsequencenumber",
        "overriddencreatedon",
        "timezoneruleversionnumber",
        "utcconversiontimezonecode",
        "exchangerate",
        "createdonbehalfby",
        "modifiedonbehalfby",
        "owningbusinessunit",
        "owninguser",
        "owningteam",
    }
)
_MOST_CONCISE = 6
_NOT_CONCISE = frozenset({ColumnType.MEMO, ColumnType.UNIQUEIDENTIFIER, ColumnType.ENTITY_NAME})


def described(definition: TableDefinition, known: Table | None) -> Table:
    """The table as tools know it.

    Of a standard table the known columns stay, with the environment's labels, lengths and choices, and the
    organisation's own are added. A table of the organisation has all its columns but the system's own.
    """
    if known is None:
        return _own(definition)
    added = [item for item in _told(definition) if item.custom and item.name not in known.by_short_name]
    columns = {name: _refreshed(column, definition) for name, column in known.columns.items()}
    columns |= {column.name: column for column in _columns(added, definition.key)}
    navigations = {**known.navigations, **{item.name: item for item in _navigations(added)}}
    return replace(known, label=definition.label, columns=columns, navigations=navigations)


def _told(definition: TableDefinition) -> list[ColumnDefinition]:
    """The columns that may be read, without those that Dataverse keeps for itself."""
    return [
        item
        for item in definition.columns.values()
        if item.readable and item.name not in _HOUSEKEEPING and not _is_in_base_currency(item, definition)
    ]


def _is_in_base_currency(item: ColumnDefinition, definition: TableDefinition) -> bool:
    """Whether it is what Dataverse adds to an amount: the same in the organisation's own currency.

    https://learn.microsoft.com/power-apps/developer/data-platform/transaction-currency-currency-entity
    """
    amount = definition.columns.get(item.name.removesuffix("_base"))
    return item.type == "MoneyType" and amount is not None and amount is not item and amount.type == item.type


def _refreshed(column: Column, definition: TableDefinition) -> Column:
    live = definition.columns.get(column.short_name)
    if live is None:
        return column
    return replace(
        column,
        label=live.label,
        max_length=live.max_length if column.max_length is not None else None,
        minimum=column.minimum if live.minimum is None else live.minimum,
        maximum=column.maximum if live.maximum is None else live.maximum,
        required=column.required or _is_required(live),
        on_create=column.on_create and live.on_create,
        on_update=column.on_update and live.on_update,
        choices=live.choices if column.choices and live.choices else column.choices,
    )


def _is_required(item: ColumnDefinition) -> bool:
    """Whether it is marked so. The Web API enforces only what the system itself needs, so tools ask for less.

    https://learn.microsoft.com/power-apps/developer/data-platform/entity-attribute-metadata#column-requirement-level
    """
    return item.required.endswith("Required")


def _own(definition: TableDefinition) -> Table:
    found = _told(definition)
    columns = {column.name: column for column in _columns(found, definition.key)}
    name = columns.get(definition.primary_name or "")
    primary = definition.key if name is None else name.name
    needed = name is not None and name.required and name.on_create
    return Table(
        name=definition.name,
        entity_set=definition.entity_set,
        key=definition.key,
        primary_name=primary,
        label=definition.label,
        columns=columns,
        navigations={item.name: item for item in _navigations(found)},
        concise=_concise(primary, columns),
        create_needs=(primary,) if needed and not definition.columns[primary].generated else (),
    )


def _concise(primary: str, columns: Mapping[str, Column]) -> tuple[str, ...]:
    """What people look at: the name, the organisation's own columns, the state, the owner."""
    own = [
        name
        for name, column in columns.items()
        if "_" in column.short_name and column.type not in _NOT_CONCISE and name != primary
    ]
    usual = [name for name in ("statecode", "_ownerid_value") if name in columns]
    first = [primary] if primary in columns else []
    return tuple(dict.fromkeys([*first, *own[:_MOST_CONCISE], *usual]))


def _columns(found: Iterable[ColumnDefinition], key: str) -> Iterator[Column]:
    for item in found:
        if item.type in _LOOKUPS:
            lookup = lookup_column(item.name, item.label, item.targets)
            # A row gets its owner by itself.
            required = _is_required(item) and item.type != _OWNER
            yield replace(lookup, required=required, custom=item.custom)
        elif (kind := _type(item)) is not None:
            yield _column(item, kind, key)


def _type(item: ColumnDefinition) -> ColumnType | None:
    kind = _TYPES.get(item.type)
    return ColumnType.DATE_ONLY if kind is ColumnType.DATE_TIME and item.date_only else kind


def _column(item: ColumnDefinition, kind: ColumnType, key: str) -> Column:
    return Column(
        name=item.name,
        type=kind,
        label=item.label,
        max_length=item.max_length,
        minimum=item.minimum,
        maximum=item.maximum,
        required=_is_required(item) and item.name != key,
        on_create=item.on_create and kind is not ColumnType.STATE,
        on_update=item.on_update and item.name != key,
        choices=item.choices if kind in _WITH_CHOICES else (),
        custom=item.custom,
    )


def _navigations(found: Iterable[ColumnDefinition]) -> Iterator[Navigation]:
    for item in found:
        if item.type in _LOOKUPS and item.type != _OWNER:
            for table, name in item.navigations.items():
                writable = item.on_create or item.on_update
                yield Navigation(name, f"_{item.name}_value", table, item.label, writable=writable)
