"""Finds the parts of the metadata that addresses name: by MetadataId, or by name.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/retrieve-metadata-name-metadataid
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from crm_sandbox.addresses import Segment
from crm_sandbox.errors import UNKNOWN_COLUMN, UNKNOWN_NAME, UNKNOWN_TABLE, ODataError
from crm_sandbox.metadata.definitions import Definition, metadata_id
from crm_sandbox.schema.model import Column, Schema, Table

_KEY = re.compile(
    r"\s*(?:(?P<id>[0-9a-fA-F-]{36})|(?P<by>\w+)\s*=\s*'(?P<name>(?:[^']|'')*)'|MetadataId\s*=\s*(?P<also>[0-9a-fA-F-]{36}))\s*",
    re.ASCII,
)


def as_key(segment: Segment) -> tuple[str, str]:
    """What the key of a segment names: the property and its value, both as text.

    Raises:
        ODataError: 400, the key is none.
    """
    match = _KEY.fullmatch(segment.key or "")
    if match is None:
        raise ODataError(400, UNKNOWN_NAME, f"The key of {segment.name} is a MetadataId or a name.")
    known = match["id"] or match["also"]
    return ("MetadataId", known.lower()) if known else (match["by"], match["name"].replace("''", "'"))


def table_at(schema: Schema, key: tuple[str, str]) -> Table:
    """The table of a key.

    Raises:
        ODataError: 404, there is none.
    """
    by, name = key
    if by == "LogicalName":
        found = schema.get(name.lower())
    elif by == "MetadataId":
        found = next((table for table in schema.tables.values() if metadata_id(table.name) == name), None)
    else:
        raise _no_key(by)
    if found is None:
        raise ODataError(404, UNKNOWN_TABLE, f"Could not find an entity with the {by} {name}.")
    return found


def column_at(table: Table, key: tuple[str, str]) -> Column:
    """The column of a key.

    Raises:
        ODataError: 404, there is none.
    """
    by, name = key
    if by == "LogicalName":
        found = table.columns.get(name.lower())
    elif by == "MetadataId":
        found = next(
            (column for column in table.columns.values() if metadata_id(table.name, column.name) == name),
            None,
        )
    else:
        raise _no_key(by)
    if found is None:
        raise ODataError(
            404, UNKNOWN_COLUMN, f"Could not find an attribute with the {by} {name} for entity {table.name}."
        )
    return found


def find_one(definitions: Iterable[Definition], key: tuple[str, str], kind: str) -> Definition:
    """The key or relationship that a key names, by MetadataId, LogicalName or SchemaName.

    Raises:
        ODataError: 404, there is none.
    """
    by, name = key
    if by not in ("MetadataId", "LogicalName", "SchemaName"):
        raise _no_key(by)
    for definition in definitions:
        if str(definition.get(by, "")).lower() == name.lower():
            return definition
    raise ODataError(404, UNKNOWN_NAME, f"Could not find a {kind} with the {by} {name}.")


def _no_key(by: str) -> ODataError:
    return ODataError(400, UNKNOWN_NAME, f"'{by}' is no key of metadata: use MetadataId or the name.")
