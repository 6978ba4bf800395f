"""A record at a glance: its key facts, people, open deals, tasks, activities and notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_tools.currencies import CURRENCY, codes_in, codes_query, currency_of
from crm_tools.errors import CrmError, NotFoundError
from crm_tools.operations import OrderBy, Page, Query
from crm_tools.outside_text import LONGEST_IN_LIST, free_text, line
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, one_record, rows_of, shaped
from crm_tools.rendering import fitted
from crm_tools.shaping import FORMATTED
from crm_tools.standard import ACTIVITY
from crm_tools.tables import Table
from crm_tools.wording import table_named

OVERVIEW_TABLES = ("account", "contact", "lead", "opportunity")
PARTS = ("people", "opportunities", "tasks", "activities", "notes")
_LISTS = ("people", "opportunities.records", "tasks", "activities", "notes")
_MOST_PEOPLE, _MOST_DEALS, _MOST_OTHERS = 10, 25, 5

_DEALS = {
    "account": "_customerid_value eq {0} or _parentaccountid_value eq {0}",
    "contact": "_customerid_value eq {0} or _parentcontactid_value eq {0}",
    "lead": "_originatingleadid_value eq {0}",
}
_PERSON = {"fullname": "name", "jobtitle": "jobtitle", "emailaddress1": "email", "telephone1": "phone"}
_DEAL = ("name", "estimatedvalue", "estimatedclosedate", "stepname", "closeprobability")
_ACTIVITY = ("activitytypecode", "subject", "scheduledend", "modifiedon", "statecode")


async def get_overview(arguments: Mapping[str, Any], tables: Tables, port: CrmPort) -> dict[str, Any]:
    """Everything on one trip, after the record was found by its name."""
    given = arguments.get("table")
    names = (table_named(given, tables).name,) if given else OVERVIEW_TABLES[:3]
    found = await one_record(arguments["record"], names, "record", tables, port)
    table = tables[found.table]
    queries = _queries(table, found.key, tables, port)
    pages = dict(zip(queries, await port.together(list(queries.values())), strict=True))
    own = pages.pop("record")
    if isinstance(own, CrmError):
        raise own
    if not own.rows:
        raise NotFoundError("The CRM has no record with this id. Look for it with find_records.")
    answer = _answer(own, pages, tables)
    answer["record"]["url"] = port.record_url(table.name, found.key)
    return fitted(answer, _LISTS, arguments.get("max_tokens"))


def _queries(table: Table, key: str, tables: Tables, port: CrmPort) -> dict[str, Query]:
    """By part of the answer, what is asked; parts that the policy hides altogether are not asked for."""
    about = f"{table.key} eq {key}"
    key_facts = (*table.concise, "description", "modifiedon", "_ownerid_value")
    queries = {"record": rows_of(table, about, key_facts, tables, port, top=1)}
    if table.name == "account":
        people = tables["contact"]
        text = f"_parentcustomerid_value eq {key} and statecode eq 0"
        queries["people"] = rows_of(people, text, _PERSON, tables, port, top=_MOST_PEOPLE)
    if deals := _DEALS.get(table.name):
        text = f"({deals.format(key)}) and statecode eq 0"
        columns = (*_DEAL, CURRENCY)
        soon = (OrderBy("estimatedclosedate"),)
        queries["opportunities"] = rows_of(
            tables["opportunity"], text, columns, tables, port, top=_MOST_DEALS, orderby=soon
        )
        queries["currencies"] = codes_query(tables, port)
    regarding = f"_regardingobjectid_value eq {key}"
    queries["tasks"] = rows_of(
        tables["task"],
        f"{regarding} and statecode eq 0",
        ("subject", "scheduledend"),
        tables,
        port,
        top=_MOST_OTHERS,
        orderby=(OrderBy("scheduledend"),),
    )
    latest = (OrderBy("modifiedon", descending=True),)
    queries["activities"] = rows_of(
        tables[ACTIVITY], regarding, _ACTIVITY, tables, port, top=_MOST_OTHERS, orderby=latest
    )
    queries["notes"] = rows_of(
        tables["annotation"],
        f"_objectid_value eq {key}",
        ("subject", "notetext", "modifiedon"),
        tables,
        port,
        top=_MOST_OTHERS,
        orderby=latest,
    )
    # What cannot be read at all is no part of the answer; nothing is said of it either.
    return {name: query for name, query in queries.items() if name == "record" or len(query.select) > 1}


def _answer(own: Page, pages: dict[str, Page | CrmError], tables: Tables) -> dict[str, Any]:
    table = tables[own.query.table]
    (facts,) = shaped(own, tables)
    name = facts.pop(table.primary_name, None)
    answer: dict[str, Any] = {
        "record": {"table": table.name, "id": facts.pop("id"), "name": name, **facts},
    }
    currencies = pages.pop("currencies", None)
    codes = {} if currencies is None else codes_in(currencies)
    failed = [part for part, page in pages.items() if isinstance(page, CrmError)]
    parts = {part: page for part, page in pages.items() if isinstance(page, Page) and page.rows}
    if "people" in parts:
        answer["people"] = [_person(row) for row in shaped(parts["people"], tables)]
    if "opportunities" in parts:
        answer["opportunities"] = _deals(parts["opportunities"], codes, tables)
    if "tasks" in parts:
        answer["tasks"] = [
            _named(row, {"id": "id", "subject": "subject", "scheduledend": "due"})
            for row in shaped(parts["tasks"], tables)
        ]
    if "activities" in parts:
        answer["activities"] = [_activity(row) for row in parts["activities"].rows]
    if "notes" in parts:
        answer["notes"] = [_note(row) for row in parts["notes"].rows]
    if more := [part for part, page in parts.items() if page.more]:
        answer["more"] = f"There are more {', '.join(more)} than shown."
    if failed:
        answer["not_read"] = f"Could not be read: {', '.join(failed)}."
    return answer


def _named(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {new: row[old] for old, new in names.items() if row.get(old) is not None}


def _person(row: Mapping[str, Any]) -> dict[str, Any]:
    return _named(row, {"id": "id", **_PERSON})


def _deals(page: Page, codes: Mapping[str, str], tables: Tables) -> dict[str, Any]:
    """The open deals with the sum of their values; one for each currency where there are several."""
    rows = shaped(page, tables)
    told: dict[str, Any] = {"open": len(rows)}
    if page.more:
        told["open_note"] = f"at least; only the {len(rows)} that close first are counted"
    sums: dict[str | None, float] = {}
    for row, deal in zip(page.rows, rows, strict=True):
        deal.pop("transactioncurrencyid", None)
        if deal.get("estimatedvalue") is not None:
            currency = currency_of(row, codes)
            sums[currency] = sums.get(currency, 0) + deal["estimatedvalue"]
    if len(sums) > 1:
        told["values"] = [{"currency": currency, "value": value} for currency, value in sums.items()]
        for row, deal in zip(page.rows, rows, strict=True):
            deal["currency"] = currency_of(row, codes)
    elif CURRENCY not in page.query.select:
        told["value_note"] = "not added up: the currencies may not be read"
    elif sums:
        ((currency, value),) = sums.items()
        told |= {"value": value} | ({"currency": currency} if currency else {})
    return {**told, "records": rows}


def _activity(row: Mapping[str, Any]) -> dict[str, Any]:
    when = row.get("scheduledend") or row.get("modifiedon")
    state = row.get("statecode" + FORMATTED)
    told = {"type": row.get("activitytypecode"), "subject": row.get("subject"), "when": when, "state": state}
    return {
        name: line(value) if name in ("subject", "state") else value
        for name, value in told.items()
        if isinstance(value, str)
    }


def _note(row: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if row.get("subject"):
        told["title"] = line(str(row["subject"]))
    if row.get("notetext"):
        told["text"] = free_text(str(row["notetext"]), LONGEST_IN_LIST)
    if row.get("modifiedon"):
        told["when"] = row["modifiedon"]
    return told
