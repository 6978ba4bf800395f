"""A process that is killed at any step of a write leaves a journal that says truly what the CRM has."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from crm_sandbox import create_app
from crm_server.gateway.reconciling import STILL_POSSIBLE
from tests.interaction.connecting import content, memory_client
from tests.processes import PROCESSES
from tests.state.killed_process import (
    ANSWERED,
    BEFORE,
    BEFORE_SENDING,
    ENDED,
    IN_BEGIN,
    IN_END,
    STEPS,
    main,
)

pytestmark = pytest.mark.anyio
ACTIONS = ("create", "update", "delete")

# What the journal says at once, after it has been reconciled, and whether the CRM was changed.
EXPECTED = {
    BEFORE: ("nothing", "nothing", False),
    IN_BEGIN: ("nothing", "nothing", False),
    BEFORE_SENDING: ("begun", "interrupted", False),
    ANSWERED: ("begun", "done", True),
    IN_END: ("begun", "done", True),
    ENDED: ("done", "done", True),
}


@asynccontextmanager
async def server(url: str, crm: Path, now: Callable[[], datetime]) -> AsyncIterator[Client]:
    """A server on the CRM in the file."""
    sandbox = create_app(path=crm, accounts=1)
    try:
        async with memory_client("full-access", sandbox=sandbox, state=url, now=now) as client:
            yield client
    finally:
        sandbox.close()


async def journal(client: Client, action: str, key: str) -> str:
    """What the journal says of the last change of this kind; the lead was created to begin with."""
    for change in (await content(client, "list_changes"))["records"]:
        if change["action"] == action and (action != "create" or change["id"] != key):
            return str(change["state"]).partition(";")[0]
    return "nothing"


async def is_changed(client: Client, action: str, key: str) -> bool:
    if action == "create":
        found = await content(client, "list_leads", filter="lastname eq 'Killed'")
        return bool(found["shown"] == 1)
    found = await content(client, "get_lead", leadid=key, select=["subject"])
    if action == "delete":
        return bool("error" in found)
    return bool(found["record"]["subject"] == "New")


CASES = [
    *(("sqlite", step, action) for step in STEPS for action in ACTIONS),
    # How the databases differ has nothing to do with the kind of write.
    *(("postgresql", step, "update") for step in STEPS),
]


@pytest.mark.parametrize(("url", "step", "action"), CASES, indirect=["url"])
async def test_the_journal_tells_the_truth_after_a_kill(
    url: str, tmp_path: Path, step: str, action: str, capsys: Any
) -> None:
    crm = tmp_path / "crm.db"
    later = timedelta(0)
    async with server(url, crm, lambda: datetime.now(UTC)) as client:
        made = await content(client, "create_lead", lastname="Prepared", subject="Old")
        key = made["record"]["leadid"]
    killed = PROCESSES.Process(target=main, args=(os.environ["XDG_STATE_HOME"], url, crm, step, action, key))
    killed.start()
    await anyio.to_thread.run_sync(killed.join, 60)
    assert killed.exitcode == -signal.SIGKILL
    async with server(url, crm, lambda: datetime.now(UTC) + later) as client:
        at_once = await journal(client, action, key)
        later = STILL_POSSIBLE + timedelta(seconds=1)
        settled = await journal(client, action, key)
        changed = await is_changed(client, action, key)
    with capsys.disabled():
        # The table of outcomes is worth seeing in each run.
        outcome = f"at once: {at_once:<8} later: {settled:<12} changed: {changed}"
        sys.stdout.write(f"\n{url[:6]} {step:<24} {action:<7} {outcome}")
    first, then, truth = EXPECTED[step]
    # Evidence that the write was made counts at once.
    assert at_once == ("done" if truth else first)
    assert (settled, changed) == (then, truth)
