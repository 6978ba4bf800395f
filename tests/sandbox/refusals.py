"""How the sandbox answers what may be wrong."""

from __future__ import annotations

from collections.abc import Callable

from crm_sandbox.errors import ODataError


def status_of(ask: Callable[[], object]) -> int:
    """The status of an answer: 200, or that of the refusal."""
    try:
        ask()
    except ODataError as refusal:
        return refusal.status
    return 200
