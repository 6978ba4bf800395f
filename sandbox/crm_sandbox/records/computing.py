"""Columns that the service fills from others of the row."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from crm_sandbox.errors import bad_property
from crm_sandbox.schema.model import Table


def compute(table: Table, row: Mapping[str, Any], values: dict[str, Any]) -> None:
    """Add to ``values`` what follows from the row as it will be.

    Raises:
        ODataError: 400, the body of a document is not Base64.
    """
    if "fullname" in table.columns:
        parts = [row.get("firstname"), row.get("lastname")]
        values["fullname"] = " ".join(part for part in parts if part) or None
    if table.is_activity:
        values["activitytypecode"] = table.name
    if table.name == "annotation":
        values["objecttypecode"] = row.get("objectid.table")
        values["filesize"] = _size(row.get("documentbody"))
        values["isdocument"] = int(row.get("documentbody") is not None)


def _size(body: str | None) -> int | None:
    if body is None:
        return None
    try:
        return len(base64.b64decode(body, validate=True))
    except (ValueError, binascii.Error):
        raise bad_property("'documentbody' takes Base64") from None
