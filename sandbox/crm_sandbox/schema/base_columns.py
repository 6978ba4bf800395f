"""The columns that every table of a kind has: audit, owner, state, currency, version.

https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/account
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crm_sandbox.schema.model import (
    Choice,
    Column,
    ColumnType,
    ManyToOne,
    OnDelete,
    Ownership,
    Requirement,
    Table,
)

CREATED, MODIFIED, VERSION = "createdon", "modifiedon", "versionnumber"
OWNER, CURRENCY, RATE = "ownerid", "transactioncurrencyid", "exchangerate"
STATE, STATUS = "statecode", "statuscode"

_ACTIVE = (
    (Choice(0, "Active"), Choice(1, "Inactive")),
    (Choice(1, "Active", 0), Choice(2, "Inactive", 1)),
)


def with_base_columns(table: Table) -> Table:
    """The table with the columns and lookups of its kind; what it describes itself stays."""
    columns: dict[str, Column] = {table.key: _key(table)}
    columns |= table.columns
    lookups = dict(table.lookups)
    for column, links in _base(table):
        known = columns.get(column.name)
        columns[column.name] = column if known is None else _merged(known, column)
        for lookup in links:
            lookups.setdefault(lookup.navigation, lookup)
    columns |= {base.name: base for base in _money_bases(columns)}
    columns[table.key] = replace(
        columns[table.key], on_create=True, on_update=False, required=Requirement.SYSTEM
    )
    return replace(table, columns=columns, lookups=lookups)


def _merged(known: Column, base: Column) -> Column:
    """The table's own column, with what the system decides."""
    if not base.is_lookup:
        return known
    return replace(base, label=known.label)


def _key(table: Table) -> Column:
    return Column(table.key, ColumnType.UNIQUEIDENTIFIER, table.label)


def _base(table: Table) -> Iterator[tuple[Column, list[ManyToOne]]]:
    for name, label in ((CREATED, "Created On"), (MODIFIED, "Modified On")):
        yield Column(name, ColumnType.DATE_TIME, label, on_create=False, on_update=False, indexed=True), []
    yield (
        Column("overriddencreatedon", ColumnType.DATE_TIME, "Record Created On", on_update=False),
        [],
    )
    for name, label in (("createdby", "Created By"), ("modifiedby", "Modified By")):
        yield _reference(table, name, label, "systemuser", read_only=True)
    for name, label in (
        ("createdonbehalfby", "Created By (Delegate)"),
        ("modifiedonbehalfby", "Modified By (Delegate)"),
    ):
        column, links = _reference(table, name, label, "systemuser", read_only=True)
        yield replace(column, indexed=False), links
    yield Column(VERSION, ColumnType.BIGINT, "Version Number", on_create=False, on_update=False), []
    yield Column("importsequencenumber", ColumnType.INTEGER, "Import Sequence Number", on_update=False), []
    if table.ownership is Ownership.USER:
        yield from _owner(table)
    if not table.is_stateless:
        yield from _states()
    if any(column.type is ColumnType.MONEY for column in table.columns.values()):
        yield _reference(table, CURRENCY, "Currency", "transactioncurrency")
        rate = Column(
            RATE, ColumnType.DECIMAL, "Exchange Rate", precision=12, on_create=False, on_update=False
        )
        yield rate, []


def _owner(table: Table) -> Iterator[tuple[Column, list[ManyToOne]]]:
    owner = Column(
        OWNER,
        ColumnType.OWNER,
        "Owner",
        targets=("systemuser", "team"),
        required=Requirement.SYSTEM,
        indexed=True,
    )
    # A body binds either kind of owner through the one property; its reading end is the user.
    made = f"owner_{_plural(table)}"
    yield owner, [ManyToOne(made, table.name, OWNER, "systemuser", OWNER, made, OnDelete.RESTRICT)]
    for name, label, target in (
        ("owninguser", "Owning User", "systemuser"),
        ("owningteam", "Owning Team", "team"),
    ):
        column, links = _reference(table, name, label, target, read_only=True)
        of_kind = f'CASE WHEN "{OWNER}.table" = \'{target}\' THEN "{OWNER}" END'
        yield replace(column, computed=of_kind), links
    yield _reference(table, "owningbusinessunit", "Owning Business Unit", "businessunit", read_only=True)


def _states() -> Iterator[tuple[Column, list[ManyToOne]]]:
    states, reasons = _ACTIVE
    yield Column(STATE, ColumnType.STATE, "Status", choices=states, on_create=False), []
    yield Column(STATUS, ColumnType.STATUS, "Status Reason", choices=reasons), []


def _reference(
    table: Table, name: str, label: str, target: str, *, read_only: bool = False
) -> tuple[Column, list[ManyToOne]]:
    column = Column(
        name, ColumnType.LOOKUP, label, targets=(target,), on_create=not read_only, on_update=not read_only
    )
    made = {
        "createdby": f"lk_{_base_table(table)}_createdby",
        "modifiedby": f"lk_{_base_table(table)}_modifiedby",
        "createdonbehalfby": f"lk_{_base_table(table)}_createdonbehalfby",
        "modifiedonbehalfby": f"lk_{_base_table(table)}_modifiedonbehalfby",
        "owninguser": f"user_{_plural(table)}",
        "owningteam": f"team_{_plural(table)}",
        "owningbusinessunit": f"business_unit_{_plural(table)}",
        CURRENCY: f"transactioncurrency_{table.name}",
    }[name]
    return column, [ManyToOne(made, table.name, name, target, name, made, OnDelete.RESTRICT)]


def _plural(table: Table) -> str:
    return table.name if table.is_custom else table.entity_set


def _base_table(table: Table) -> str:
    return table.name if table.is_custom else f"{table.name}base"


def _money_bases(columns: dict[str, Column]) -> Iterator[Column]:
    """The column in the base currency that stands beside each column of money."""
    for column in list(columns.values()):
        if column.type is ColumnType.MONEY and not column.name.endswith("_base"):
            yield replace(
                column,
                name=f"{column.name}_base",
                label=f"{column.label} (Base)",
                required=Requirement.NONE,
                on_create=False,
                on_update=False,
                indexed=False,
                computed=f'round("{column.name}" / coalesce("{RATE}", 1), 4)',
            )
