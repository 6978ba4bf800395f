"""State and status reason: which belong together, and which changes an update may make.

https://learn.microsoft.com/power-apps/developer/data-platform/define-custom-state-model-transitions
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_sandbox.errors import BAD_STATUS, CLOSED_BY_UPDATE, ODataError
from crm_sandbox.schema.base_columns import STATE, STATUS
from crm_sandbox.schema.model import Table


def initial_state(table: Table, status: int | None) -> dict[str, int]:
    """State and status of a new row: the first state, and a reason of it.

    Raises:
        ODataError: 400, the reason belongs to another state.
    """
    state = table.columns[STATE].choices[0].value
    return {STATE: state, STATUS: _reason(table, state, status)}


def changed_state(table: Table, row: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a change of state or status reason makes of a row.

    Raises:
        ODataError: 400, the reason belongs to another state, or an action must make this change.
    """
    state = values.get(STATE)
    status = values.get(STATUS)
    if state is None:
        state = row[STATE]
    if table.name == "opportunity" and state not in (row[STATE], 0):
        raise ODataError(
            400,
            CLOSED_BY_UPDATE,
            "This message can not be used to set the state of opportunity to Won or Lost. "
            "In order to set state of opportunity to Won/Lost, please use the "
            "WinOpportunity/LoseOpportunity messages instead.",
        )
    if status is None and state == row[STATE]:
        status = row[STATUS]
    changed: dict[str, Any] = {STATE: state, STATUS: _reason(table, state, status)}
    if table.name == "opportunity" and state == 0 and row[STATE] != 0:
        changed |= {"actualvalue": None, "actualclosedate": None}
    return changed


def _reason(table: Table, state: int, status: int | None) -> int:
    """The status reason given if it belongs to the state, or the state's first."""
    of_state = [choice.value for choice in table.columns[STATUS].choices if choice.state == state]
    if status is None:
        return of_state[0]
    if status not in of_state:
        raise ODataError(
            400, BAD_STATUS, f"{status} is not a valid status code for state code {state} on {table.name}."
        )
    return status
