"""What the sandbox does not do: the one list behind the 501 answers and the table in its README."""

from __future__ import annotations

from enum import StrEnum


class Missing(StrEnum):
    """A feature of the Dataverse Web API that is answered with 501."""

    APPLY = "aggregation ($apply)"
    BATCH = "$batch"
    METADATA = "metadata: the service document, $metadata and EntityDefinitions"
    FETCH_XML = "fetchXml"
    SQL = "the sql query parameter"
    ACTIONS = "actions and functions other than WhoAmI"
    FUNCTIONS = "query functions of the Microsoft.Dynamics.CRM namespace"
    LAMBDAS = "any and all over collections in a filter"
    ARITHMETIC = "arithmetic and functions other than contains, startswith and endswith in a filter"
    NESTED_EXPAND = "$expand inside $expand"
    SINGLE_COLUMN = "reading and writing a single column or link by address"
    COUNT_SEGMENT = "/$count as part of the address"
    ALIASES = "parameter aliases (@p1)"
    ALTERNATE_KEYS = "alternate keys"
    DEEP_INSERT = "deep insert: related rows inside a create"
    TRACK_CHANGES = "change tracking"
    LOOKUP_TABLES = "writing to tables other than account, contact, opportunity and lead"


def markdown_table() -> str:
    """The table for the README."""
    return "\n".join(["| not done here (501) |", "|---|", *(f"| {item.value} |" for item in Missing)])
