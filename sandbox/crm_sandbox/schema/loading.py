"""The tables of a sandbox: the described ones, the standard ones beside them, and the organisation's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from crm_sandbox.schema.base_columns import with_base_columns
from crm_sandbox.schema.files import TableFile, TableFileError
from crm_sandbox.schema.model import (
    Choice,
    Column,
    ColumnType,
    ManyToMany,
    ManyToOne,
    OnDelete,
    Ownership,
    Requirement,
    Schema,
    Table,
)
from crm_tools import description
from crm_tools import tables as described

_OBJECT_TYPE_CODES = {"account": 1, "contact": 2, "opportunity": 3, "lead": 4}
_PLURALS = {
    "account": "Accounts",
    "contact": "Contacts",
    "opportunity": "Opportunities",
    "lead": "Leads",
}
_INDEXED = frozenset(
    {"accountnumber", "emailaddress1", "revenue", "estimatedvalue", "estimatedclosedate"}
    | {"createdon", "modifiedon"}
)
# The other ends of lookups that the description, which lists what a seller expands, does not name.
_COLLECTIONS = {
    ("account", "primarycontactid"): "account_primary_contact",
    ("contact", "parentcustomerid_contact"): "contact_customer_contacts",
    ("opportunity", "customerid_contact"): "opportunity_customer_contacts",
    ("opportunity", "parentcontactid"): "opportunity_parent_contact",
    ("opportunity", "originatingleadid"): "opportunity_originating_lead",
    ("lead", "customerid_contact"): "lead_customer_contacts",
    ("lead", "parentcontactid"): "lead_parent_contact",
    ("lead", "qualifyingopportunityid"): "lead_qualifying_opportunity",
}
_CUSTOMER = ("account", "contact")
_PRECISIONS = {ColumnType.MONEY: 2}


def load_schema(custom: Iterable[Path] = ()) -> Schema:
    """The standard tables and those of the table files.

    Raises:
        TableFileError: A file is not a table file, or refers to a table or name that does not fit.
    """
    tables = {table.name: table for table in _standard()}
    for path in custom:
        table = TableFile.read(path).table(custom=True)
        if table.name in tables or any(table.entity_set == other.entity_set for other in tables.values()):
            raise TableFileError(f"{path}: there is a table of the name {table.name} already")
        tables[table.name] = with_base_columns(table)
    _check_targets(tables.values())
    return Schema(_with_reversed(tables.values()))


@cache
def _standard() -> tuple[Table, ...]:
    facts = dict(_described_tables())
    folders = (files("crm_tools").joinpath("standard"), files("crm_sandbox.schema").joinpath("tables"))
    listed = [file for folder in folders for file in folder.iterdir()]
    for file in sorted(listed, key=lambda item: item.name):
        parsed = TableFile.parse(file.read_text(encoding="utf-8"), file.name)
        base = facts[parsed.name] if parsed.extends else None
        facts[parsed.name] = parsed.table(base)
    return (*(with_base_columns(table) for table in facts.values()), _activity_pointer(facts))


def _described_tables() -> Iterator[tuple[str, Table]]:
    tables = description.load().tables
    for name, table in tables.items():
        columns = {column.short_name: _column(column) for column in table.columns.values()}
        yield (
            name,
            Table(
                name=name,
                entity_set=table.entity_set,
                key=table.key,
                primary_name=table.primary_name,
                label=table.label,
                plural=_PLURALS[name],
                object_type_code=_OBJECT_TYPE_CODES[name],
                ownership=Ownership.USER,
                columns=columns,
                lookups={
                    navigation.name: lookup
                    for navigation in table.navigations.values()
                    if (lookup := _lookup(table, navigation, tables.values())) is not None
                },
            ),
        )


_EMAIL = "emailaddress"


def _column(column: described.Column) -> Column:
    return Column(
        name=column.short_name,
        type=ColumnType.CUSTOMER if column.targets == _CUSTOMER else ColumnType(column.type.value),
        label=column.label,
        max_length=column.max_length,
        format="Email" if column.name.startswith(_EMAIL) else None,
        own_schema_name=column.name.replace(_EMAIL, "EMailAddress") if column.name.startswith(_EMAIL) else "",
        minimum=column.minimum,
        maximum=column.maximum,
        precision=_PRECISIONS.get(ColumnType(column.type.value)),
        required=Requirement.APPLICATION if column.required else Requirement.NONE,
        on_create=column.on_create or column.lookup is not None,
        on_update=column.on_update or column.lookup is not None,
        choices=tuple(Choice(item.value, item.label, item.state) for item in column.choices),
        targets=column.targets,
        indexed=column.name in _INDEXED or column.lookup is not None,
    )


def _lookup(
    table: described.Table, navigation: described.Navigation, tables: Iterable[described.Table]
) -> ManyToOne | None:
    """The relationship of a described navigation property; base columns bring their own."""
    column = table.columns[navigation.column].short_name
    if column in ("transactioncurrencyid", "ownerid"):
        return None
    for target in tables:
        for collection in target.relationships.values():
            if collection.table == table.name and collection.lookup == navigation.name:
                return ManyToOne(
                    name=collection.name,
                    table=table.name,
                    column=column,
                    target=target.name,
                    navigation=navigation.name,
                    collection=collection.name,
                    on_delete=OnDelete.CASCADE if collection.cascades else OnDelete.UNLINK,
                )
    made = _COLLECTIONS[table.name, navigation.name]
    return ManyToOne(made, table.name, column, navigation.table, navigation.name, made)


def _activity_pointer(tables: dict[str, Table]) -> Table:
    """The read-only table that shows the activities of every kind.

    https://learn.microsoft.com/power-apps/developer/data-platform/activity-entities
    """
    kinds = [with_base_columns(table) for table in tables.values() if table.is_activity]
    first = kinds[0]
    shared = {
        name: column for name, column in first.columns.items() if all(name in kind.columns for kind in kinds)
    }
    for name in ("statecode", "statuscode"):
        merged = {choice.value: choice for kind in kinds for choice in kind.columns[name].choices}
        shared[name] = replace(shared[name], choices=tuple(merged[value] for value in sorted(merged)))
    lookups = [
        replace(
            lookup,
            name=f"{lookup.target}_ActivityPointers".capitalize()
            if lookup.column == "regardingobjectid"
            else f"{lookup.target}_activitypointer_{lookup.column}",
            table="activitypointer",
            navigation=lookup.navigation.replace(f"_{first.name}", ""),
            on_delete=OnDelete.UNLINK,
        )
        for lookup in first.lookups.values()
        if lookup.column in shared
    ]
    return Table(
        name="activitypointer",
        entity_set="activitypointers",
        key="activityid",
        primary_name="subject",
        label="Activity",
        plural="Activities",
        object_type_code=4200,
        ownership=Ownership.USER,
        columns={
            name: replace(column, on_create=False, on_update=False, computed=None)
            for name, column in shared.items()
        },
        lookups={
            lookup.navigation: replace(lookup, collection=_pointer_collection(lookup)) for lookup in lookups
        },
        is_activity=True,
        union_of=tuple(kind.name for kind in kinds),
    )


def _pointer_collection(lookup: ManyToOne) -> str:
    if lookup.column == "regardingobjectid":
        return f"{lookup.target.capitalize()}_ActivityPointers"
    return f"{lookup.target}_activitypointer_{lookup.column}"


def _with_reversed(tables: Iterable[Table]) -> Iterator[Table]:
    """Tables with the many-to-many relationships that the other side described."""
    known = {table.name: table for table in tables}
    for table in list(known.values()):
        for many in table.many_to_many.values():
            other = known[many.other]
            turned: ManyToMany = many.reversed()
            known[other.name] = replace(other, many_to_many={**other.many_to_many, turned.navigation: turned})
    return iter(known.values())


def _check_targets(tables: Iterable[Table]) -> None:
    known = {table.name for table in tables}
    for table in tables:
        others = [
            *(lookup.target for lookup in table.lookups.values()),
            *(many.other for many in table.many_to_many.values()),
        ]
        for other in others:
            if other not in known:
                raise TableFileError(f"table {table.name}: '{other}' is no table of the sandbox")
