"""Currencies of amounts: amounts of several currencies are never added up, and a sum says its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crm_tools.errors import CrmError
from crm_tools.operations import Page, Query, Row
from crm_tools.outside_text import line
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, rows_of
from crm_tools.shaping import FORMATTED
from crm_tools.tables import ColumnType, Table

CURRENCY = "_transactioncurrencyid_value"
"""The lookup beside every amount of money.

https://learn.microsoft.com/power-apps/developer/data-platform/transaction-currency-currency-entity
"""
_CODE = "isocurrencycode"
_MOST = 200


def codes_query(tables: Tables, port: CrmPort) -> Query:
    """The codes of the environment's currencies."""
    return rows_of(tables["transactioncurrency"], None, (_CODE,), tables, port, top=_MOST)


def codes_in(answer: Page | CrmError) -> Mapping[str, str]:
    """Code by the currency's key; none where they may not be read."""
    if isinstance(answer, CrmError):
        return {}
    return {str(row["transactioncurrencyid"]): line(str(row[_CODE])) for row in answer.rows if row.get(_CODE)}


def currency_of(row: Row, codes: Mapping[str, str]) -> str | None:
    """The code of a row's currency, or its name where codes may not be read; None for a row without one."""
    key = row.get(CURRENCY)
    if key is None:
        return None
    return codes.get(str(key)) or line(str(row.get(CURRENCY + FORMATTED) or key))


def are_money(columns: Sequence[str], table: Table) -> list[str]:
    """Those of the columns that hold amounts in the currency of their row."""
    return [name for name in columns if table.columns[name].type is ColumnType.MONEY]


def per_currency(groups: Sequence[Mapping[str, Any]], name: str) -> dict[str | None, list[Mapping[str, Any]]]:
    """The groups by what they hold under ``name``, their currency."""
    found: dict[str | None, list[Mapping[str, Any]]] = {}
    for group in groups:
        found.setdefault(group[name], []).append(group)
    return found
