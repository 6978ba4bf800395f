"""Words looked for in several tables: by Dataverse search, or where that is off in the text itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crm_tools.errors import CrmError, InputError, PolicyDeniedError
from crm_tools.insight_operations import Search
from crm_tools.naming import quoted
from crm_tools.operations import OrderBy, Page, Query
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, rows_of, shaped
from crm_tools.rendering import fitted
from crm_tools.tables import ColumnType, Table
from crm_tools.wording import table_named

DEFAULT_TABLES = ("account", "contact", "lead", "opportunity")
DEFAULT_TOP, MOST_TOP = 5, 50
SHORTEST = 2
_MOST_COLUMNS = 5
_DEAL = ("name", "estimatedvalue", "estimatedclosedate", "stepname", "statecode", "_customerid_value")
_PERSON = ("fullname", "jobtitle", "emailaddress1", "telephone1", "statecode", "_parentcustomerid_value")
_TELLING: Mapping[str, tuple[str, ...]] = {
    "account": ("name", "address1_city", "telephone1", "statecode", "_primarycontactid_value"),
    "contact": (
        "fullname",
        "jobtitle",
        "emailaddress1",
        "telephone1",
        "statecode",
        "_parentcustomerid_value",
    ),
    "lead": ("fullname", "companyname", "subject", "emailaddress1", "statecode"),
    "opportunity": (
        "name",
        "estimatedvalue",
        "estimatedclosedate",
        "stepname",
        "statecode",
        "_customerid_value",
    ),
}
"""What tells the records that are found from one another."""
_OPERATORS = re.compile(r'[+|"()*\\]|(?<!\S)-|\b(AND|OR|NOT)\b')
"""What the search would read as an instruction and people mean as text."""
_LONGEST = 100
"""https://learn.microsoft.com/power-apps/developer/data-platform/search/query#parameters"""


async def find_records(arguments: Mapping[str, Any], tables: Tables, port: CrmPort) -> dict[str, Any]:
    """Records of several tables that have these words."""
    text = " ".join(arguments["text"].split())
    if not SHORTEST <= len(text) <= _LONGEST:
        raise InputError(f"Argument text has {SHORTEST} to {_LONGEST} characters.")
    top = arguments.get("top", DEFAULT_TOP)
    asked = [table_named(name, tables) for name in arguments.get("tables") or DEFAULT_TABLES]
    searched = {table.name: port.usable(table.name, _texts(table)) for table in asked}
    searched = {name: columns for name, columns in searched.items() if columns}
    if not searched:
        raise PolicyDeniedError("The policy lets none of these tables be searched.")
    hits = await _hits(text, searched, top, port)
    if hits:
        queries = [_by_keys(tables[name], keys[:top], tables, port) for name, keys in hits.items()]
    else:
        queries = [_containing(text, tables[name], searched[name], tables, port, top) for name in searched]
    answer = _answer(await port.together(queries), tables)
    if hits:
        answer["note"] = "Found by Dataverse search; the newest records may not be in its index yet."
    return fitted(answer, [name for name in answer if name in searched], arguments.get("max_tokens"))


def _texts(table: Table) -> list[str]:
    """What a seller remembers of a record: its short texts, not its descriptions."""
    return [
        column.name
        for column in table.columns.values()
        if column.type is ColumnType.STRING and column.name in {table.primary_name, *table.concise}
    ]


async def _hits(
    text: str, searched: Mapping[str, tuple[str, ...]], top: int, port: CrmPort
) -> dict[str, list[str]]:
    """By table the keys of what Dataverse search finds.

    Nothing where it cannot be used, and where it finds nothing: it knows whole words and no new records, so
    the texts themselves are to be looked through then.
    """
    words = " ".join(_OPERATORS.sub(" ", text).split())
    if not words:
        return {}
    found = await port.search([Search(name, words, columns, top) for name, columns in searched.items()])
    hits: dict[str, list[str]] = {}
    for table, key in found or ():
        if table in searched:
            hits.setdefault(table, []).append(key)
    return {name: hits[name] for name in searched if name in hits}


def _containing(
    text: str, table: Table, columns: tuple[str, ...], tables: Tables, port: CrmPort, top: int
) -> Query:
    filter_text = " or ".join(f"contains({column},{quoted(text)})" for column in columns)
    latest = (OrderBy("modifiedon", descending=True),) if port.usable(table.name, ("modifiedon",)) else ()
    return rows_of(table, filter_text, _shown(table), tables, port, top=top, orderby=latest)


def _by_keys(table: Table, keys: list[str], tables: Tables, port: CrmPort) -> Query:
    text = " or ".join(f"{table.key} eq {key}" for key in keys)
    return rows_of(table, text, _shown(table), tables, port, top=len(keys))


def _shown(table: Table) -> tuple[str, ...]:
    return _TELLING.get(table.name, table.concise[:_MOST_COLUMNS])


def _answer(pages: list[Page | CrmError], tables: Tables) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for page in pages:
        if isinstance(page, CrmError):
            raise page
        if page.rows:
            answer[page.query.table] = shaped(page, tables)
    more = [page.query.table for page in pages if isinstance(page, Page) and page.more]
    if not answer:
        answer["found"] = 0
        answer["hint"] = "Nothing has these words. Try fewer or other words, or part of the name."
    elif more:
        answer["more"] = f"There are more in {', '.join(more)}: give more words, or a larger top."
    return answer
