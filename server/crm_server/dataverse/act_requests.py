"""Pure builders of the requests that carry acts out, totals and searches. Nothing is sent here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from crm_server.dataverse.literals import key, query_string
from crm_server.dataverse.requests import ANNOTATIONS, CrmRequest
from crm_tools.acts import Act, Close, Link, Merge, Qualify
from crm_tools.insight_operations import MOST_GROUPS, Aggregate, Measure, Search, Total
from crm_tools.operations import Action
from crm_tools.tables import Table

SEARCH_PATH = "/api/search/v2.0/query"
"""https://learn.microsoft.com/power-apps/developer/data-platform/search/query"""

_NAMESPACE = "Microsoft.Dynamics.CRM"
_API = "/api/data/v9.2"


def act_request(act: Act, tables: Mapping[str, Table], base_url: str = "") -> CrmRequest:
    """The request of an act. ``base_url`` is the environment's root: references are whole addresses."""
    match act:
        case Qualify():
            return _qualify(act)
        case Close():
            return _close(act)
        case Merge():
            return _merge(act, tables)
        case Link():
            return _link(act, tables, base_url)


def _qualify(act: Qualify) -> CrmRequest:
    body = {
        "CreateAccount": act.account,
        "CreateContact": act.contact,
        "CreateOpportunity": act.opportunity,
        "Status": act.status,
    }
    path = f"leads({key(act.key)})/{_NAMESPACE}.QualifyLead"
    return CrmRequest("POST", path, Action.UPDATE, body=body)


def _close(act: Close) -> CrmRequest:
    given = {"actualrevenue": act.revenue, "actualend": act.closed_on, "description": act.note}
    activity: dict[str, Any] = {
        "subject": act.subject,
        "opportunityid@odata.bind": f"/opportunities({key(act.key)})",
        **{name: value for name, value in given.items() if value is not None},
    }
    name = "WinOpportunity" if act.won else "LoseOpportunity"
    return CrmRequest("POST", name, Action.UPDATE, body={"Status": act.status, "OpportunityClose": activity})


def _merge(act: Merge, tables: Mapping[str, Table]) -> CrmRequest:
    """https://learn.microsoft.com/power-apps/developer/data-platform/webapi/merge-entity-using-web-api"""
    kind, own = {"@odata.type": f"{_NAMESPACE}.{act.table}"}, tables[act.table].key
    body = {
        "Target": {**kind, own: key(act.into)},
        "Subordinate": {**kind, own: key(act.key)},
        "UpdateContent": {**kind, **act.values},
        "PerformParentingChecks": False,
    }
    return CrmRequest("POST", "Merge", Action.UPDATE, body=body)


def _link(act: Link, tables: Mapping[str, Table], base_url: str) -> CrmRequest:
    """https://learn.microsoft.com/power-apps/developer/data-platform/webapi/associate-disassociate-entities-using-web-api"""
    collection = f"{tables[act.table].entity_set}({key(act.key)})/{act.navigation}"
    if act.unlink:
        return CrmRequest("DELETE", f"{collection}({key(act.other_key)})/$ref", Action.UPDATE)
    other = f"{base_url}{_API}/{tables[act.other_table].entity_set}({key(act.other_key)})"
    return CrmRequest("POST", f"{collection}/$ref", Action.UPDATE, body={"@odata.id": other})


def aggregate_request(aggregate: Aggregate, tables: Mapping[str, Table]) -> CrmRequest:
    """The request for totals."""
    totals = ",".join(_total(item) for item in aggregate.totals)
    steps = [f"filter({aggregate.filter})"] if aggregate.filter else []
    steps.append(
        f"groupby(({','.join(aggregate.by)}),aggregate({totals}))" if aggregate.by else f"aggregate({totals})"
    )
    path = f"{tables[aggregate.table].entity_set}?{query_string([('$apply', '/'.join(steps))])}"
    prefer = f"odata.maxpagesize={MOST_GROUPS},{ANNOTATIONS}"
    return CrmRequest("GET", path, Action.READ, {"Prefer": prefer})


def _total(total: Total) -> str:
    if total.measure is Measure.COUNT:
        return f"$count as {total.name}"
    return f"{total.column} with {total.measure} as {total.name}"


def search_request(searches: Sequence[Search]) -> CrmRequest:
    """The request that looks for the same words, all of them, in several tables."""
    entities = [
        {"Name": item.table, "SelectColumns": [], "SearchColumns": list(item.columns)} for item in searches
    ]
    body = {
        "search": searches[0].text,
        "entities": json.dumps(entities),
        "top": sum(item.top for item in searches),
        "options": json.dumps({"searchmode": "all"}),
    }
    return CrmRequest("POST", SEARCH_PATH, Action.READ, body=body)
