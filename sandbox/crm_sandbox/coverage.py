"""What the sandbox does not do: the one list behind the 501 answers and the table in its README."""

from __future__ import annotations

from enum import StrEnum


class Missing(StrEnum):
    """A feature of the Dataverse Web API that is answered with 501."""

    ACTIONS = "actions and functions other than those of the table above"
    ARITHMETIC = "arithmetic and functions other than contains, startswith and endswith in a filter"
    FACETS = "facets of Dataverse search"
    COLUMN_TYPES = "columns of types such as File and Image, made by a request"
    CUSTOM_ACTIVITIES = "tables of activities made by a request; a table file can describe one"
    METADATA = "metadata other than tables, columns, keys, relationships: GlobalOptionSetDefinitions"
    METADATA_FUNCTIONS = "functions and lambdas in a $filter of metadata (not in Dataverse either)"
    SAVED_QUERIES = "userQuery, and savedQuery on the rows behind a navigation property"
    TRACK_CHANGES = "change tracking: odata.track-changes and $deltatoken"


def markdown_table() -> str:
    """The table for the README."""
    return "\n".join(["| not done here (501) |", "|---|", *(f"| {item.value} |" for item in Missing)])
