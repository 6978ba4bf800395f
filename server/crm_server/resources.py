"""What clients can read beside calling tools: tables, records, saved views, the policy, and pages that draw.

A resource of the CRM is read by the tool that answers the same question, on the same path: judged, masked and
audited as a call is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from crm_server.views import MIME_TYPE, VIEWS, View

TEXT = "text/plain"
JSON = "application/json"
POLICY = "crm://policy"


@dataclass(frozen=True, slots=True)
class Resource:
    """Something with an address, or with ``{...}`` in it a form of addresses."""

    uri: str
    name: str
    title: str
    description: str
    mime_type: str
    view: View | None = None

    @property
    def is_template(self) -> bool:
        """Whether it stands for many."""
        return "{" in self.uri


RESOURCES = (
    Resource("crm://tables", "tables", "Tables", "The tables that can be worked with.", TEXT),
    Resource(
        "crm://tables/{table}", "table", "A table", "Its columns: types, labels, choices, what is set.", TEXT
    ),
    Resource(
        "crm://records/{table}/{record}",
        "record",
        "A record",
        "One record, by its table and its name or id.",
        JSON,
    ),
    Resource(
        "crm://views/{table}",
        "views",
        "The saved views of a table",
        "Their names, what each shows, and which is the usual one.",
        TEXT,
    ),
    Resource(
        "crm://views/{table}/{view}",
        "view",
        "A saved view",
        "The first rows that it shows, by its table and its name or id.",
        TEXT,
    ),
    Resource(POLICY, "policy", "The policy in force", "What is allowed, asked about and hidden.", TEXT),
    *(Resource(view.uri, view.name, view.title, view.description, MIME_TYPE, view) for view in VIEWS),
)
"""Every resource there is."""


@dataclass(frozen=True, slots=True)
class Question:
    """The tool that answers what a resource holds, with its arguments."""

    tool: str
    arguments: Mapping[str, Any]
    mime_type: str


def question_of(uri: str) -> Question | None:
    """The question that a resource of the CRM stands for; None where the address is none of these."""
    scheme, separator, path = uri.partition("://")
    if scheme != "crm" or not separator:
        return None
    match [unquote(part) for part in path.split("/")]:
        case ["tables"]:
            return Question("list_tables", {}, TEXT)
        case ["tables", table] if table:
            return Question("describe_table", {"table": table}, TEXT)
        case ["records", table, record] if table and record:
            return Question("get_record", {"table": table, "record": record, "format": "detailed"}, JSON)
        case ["views", table] if table:
            return Question("list_views", {"table": table}, TEXT)
        case ["views", table, view] if table and view:
            return Question("query_records", {"table": table, "view": view}, TEXT)
    return None


def view_at(uri: str) -> View | None:
    """The page at an address."""
    return next((view for view in VIEWS if view.uri == uri), None)


@dataclass(frozen=True, slots=True)
class Completing:
    """What an argument is completed from: ``kind`` as of :mod:`crm_tools.completing`."""

    kind: str
    table: str | None = None
    column: str | None = None


_ARGUMENTS: Mapping[str, Completing] = {
    "table": Completing("table"),
    "account": Completing("record", "account"),
    "contact": Completing("record", "contact"),
    "lead": Completing("record", "lead"),
    "opportunity": Completing("record", "opportunity"),
    "owner": Completing("record", "systemuser"),
    "stage": Completing("label", "opportunity", "statuscode"),
    "industry": Completing("label", "account", "industrycode"),
    "rating": Completing("label", "lead", "leadqualitycode"),
}


def completing(argument: str, others: Mapping[str, str]) -> Completing | None:
    """How an argument of a prompt or address is completed; ``others`` are filled in already."""
    if argument in ("record", "column", "view"):
        table = others.get("table")
        return Completing(argument, table) if table else None
    return _ARGUMENTS.get(argument)
