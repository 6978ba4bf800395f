"""Conditions on parts of a text, which an index serves where it can.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows#filter-using-string-functions
"""

from __future__ import annotations

from crm_sandbox.queries.sql import Condition, Operand
from crm_sandbox.store import fold

_PATTERNS = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}


def text_condition(function: str, operand: Operand, text: str) -> Condition:
    """``contains``, ``startswith`` or ``endswith`` on a column of text, where ``% _ [ ]`` are wildcards."""
    given = str(fold(text))
    if any(char in given for char in "%_["):
        return Condition(f"crm_like({operand.compared}, ?)", (_PATTERNS[function].format(given),))
    if not given:
        return Condition(f"({operand.sql} IS NOT NULL)")
    if function == "contains":
        return Condition(f"(instr({operand.compared}, ?) > 0)", (given,))
    if function == "startswith":
        # The range lets an index serve it; the highest character ends it.
        return Condition(
            f"({operand.compared} >= ? AND {operand.compared} < ?)", (given, given + "\U0010ffff")
        )
    return Condition(f"(substr({operand.compared}, -length(?)) = ?)", (given, given))
