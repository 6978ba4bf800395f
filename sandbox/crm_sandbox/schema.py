"""The sandbox's tables: the described ones, and the small ones that their lookups lead to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from crm_tools.description import load
from crm_tools.tables import Column, ColumnType, Navigation, Table

CREATED, MODIFIED, VERSION = "createdon", "modifiedon", "versionnumber"
OWNER, CURRENCY = "_ownerid_value", "_transactioncurrencyid_value"


@cache
def tables() -> Mapping[str, Table]:
    """Every table by logical name."""
    return {**{name: _with_owner(table) for name, table in load().tables.items()}, **_small_tables()}


@cache
def by_entity_set() -> Mapping[str, Table]:
    """Every table by entity set."""
    return {table.entity_set: table for table in tables().values()}


@cache
def writable() -> frozenset[str]:
    """Tables whose rows may be created, changed and deleted."""
    return frozenset(load().tables)


def _with_owner(table: Table) -> Table:
    """The table with the navigation that sets its owner, a user or a team."""
    owner = Navigation("ownerid", OWNER, "systemuser", "Owner")
    return Table(
        name=table.name,
        entity_set=table.entity_set,
        key=table.key,
        primary_name=table.primary_name,
        label=table.label,
        columns=table.columns,
        navigations={**table.navigations, owner.name: owner},
        relationships=table.relationships,
    )


def _small_tables() -> dict[str, Table]:
    return {
        "systemuser": _small(
            "systemuser", "systemusers", "systemuserid", "fullname", "internalemailaddress", "domainname"
        ),
        "team": _small("team", "teams", "teamid", "name"),
        "businessunit": _small("businessunit", "businessunits", "businessunitid", "name"),
        "transactioncurrency": _small(
            "transactioncurrency",
            "transactioncurrencies",
            "transactioncurrencyid",
            "currencyname",
            "isocurrencycode",
            "currencysymbol",
        ),
    }


def _small(name: str, entity_set: str, key: str, primary_name: str, *texts: str) -> Table:
    columns = {key: Column(key, ColumnType.UNIQUEIDENTIFIER, name)}
    columns |= {
        text: Column(text, ColumnType.STRING, text, max_length=200) for text in (primary_name, *texts)
    }
    columns |= {when: Column(when, ColumnType.DATE_TIME, when) for when in (CREATED, MODIFIED)}
    return Table(name, entity_set, key, primary_name, name, columns)
