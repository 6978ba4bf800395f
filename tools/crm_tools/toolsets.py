"""Groups of tools that a setting chooses."""

from __future__ import annotations

from collections.abc import Mapping

SPEC, SALES, INSIGHT, ADMIN, BULK, CHANGES = "spec", "sales", "insight", "admin", "bulk", "changes"
COMPACT = "compact"

TOOLSETS: Mapping[str, str] = {
    SPEC: "the operations of the API description: list, get, create, update, delete of four tables",
    SALES: "what sellers do: qualify, close, reopen, log activities",
    INSIGHT: "find, overview, totals, tables and their columns, who one is",
    ADMIN: "duplicates, merging, linking, assigning",
    BULK: "import and export of many records",
    CHANGES: "what was changed here, and taking it back",
    COMPACT: "five tools that cover every table, for hosts that take few",
    "accounts": "the operations on accounts",
    "contacts": "the operations on contacts",
    "opportunities": "the operations on opportunities",
    "leads": "the operations on leads",
}
"""Every toolset with what is in it."""

DEFAULT = (SPEC, SALES, INSIGHT, CHANGES)
"""What is offered when nothing is chosen."""
