"""Moments at which a replica is in the middle of something, found by looking at the state and the CRM."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.replicas.counting import is_there
from tests.replicas.deployment import Deployment, Replica

LOOKS_SECONDS = 60.0


def _until(reached: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + LOOKS_SECONDS
    while not reached():
        assert time.monotonic() < until, f"it never came to that: {what}"


def freeze_when_it_has_written(deployment: Deployment, replica: Replica) -> str:
    """Freeze it when the CRM has a lead that it created, and it has not been told so; the lead's id."""
    lead = ""
    with deployment.connected() as state:
        is_begun = "FROM changes WHERE state = 'begun' AND action = 'create' AND process = %s"

        def frozen() -> bool:
            nonlocal lead
            begun = state.execute(f"SELECT record {is_begun}", (replica.pid,))
            lead = next((found for (found,) in begun if is_there(deployment, found)), "")
            if not lead:
                return False
            replica.freeze()
            # It may have been told meanwhile.
            still = state.execute(f"SELECT 1 {is_begun} AND record = %s", (replica.pid, lead)).fetchone()
            if still is None:
                replica.thaw()
            return still is not None

        _until(frozen, f"{replica.name} has written and not heard of it")
    return lead


def kill_when_it_has_written(deployment: Deployment, replica: Replica) -> str:
    """Kill it then; the lead's id."""
    lead = freeze_when_it_has_written(deployment, replica)
    replica.kill()
    return lead


def freeze_when_it_holds_the_lock(deployment: Deployment, replica: Replica) -> None:
    """Freeze it in the middle of a transaction, in which it holds up all others."""
    with deployment.connected() as state:

        def frozen() -> bool:
            replica.freeze()
            holds = state.execute(
                "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
                "AND granted AND application_name = %s AND state = 'idle in transaction'",
                (replica.name,),
            ).fetchone()
            if holds is None:
                replica.thaw()
            return holds is not None

        _until(frozen, f"{replica.name} holds the lock")
