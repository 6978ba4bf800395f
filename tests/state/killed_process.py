"""A server process that makes one write and is killed at a given step of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import anyio

from crm_sandbox import create_app
from crm_server.app import build_application
from crm_server.dataverse.client import DataverseClient
from crm_server.policy.model import Principal
from crm_server.settings import Settings
from crm_server.state import State, audit, journal, ledger, plans

LOADED = (audit, journal, ledger, plans)
"""Imported ahead, for the processes that are forked from one that has."""

BEFORE, IN_BEGIN, BEFORE_SENDING = "before it is noted", "while it is noted", "noted, not sent"
ANSWERED, IN_END, ENDED = "sent and answered", "while its end is noted", "after its end is noted"
STEPS = (BEFORE, IN_BEGIN, BEFORE_SENDING, ANSWERED, IN_END, ENDED)


def kill() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody comes here")


def arm(step: str, action: str) -> None:
    """Put the end of the process at a step."""
    if step == BEFORE:
        _before(State, "begin_write")
    elif step == ENDED:
        _after(State, "end_write")
    elif step == BEFORE_SENDING:
        _before(DataverseClient, action)
    elif step == ANSWERED:
        _after(DataverseClient, action)
    else:
        kind = "write begun" if step == IN_BEGIN else "write ended"
        whole = audit.append

        def append(connection: Any, keys: Any, event: Any, now: Any) -> int:
            number = whole(connection, keys, event, now)
            if event["kind"] == kind:
                kill()
            return number

        audit.append = append


def _before(owner: type, name: str) -> None:
    async def instead(*_args: Any, **_named: Any) -> None:
        kill()

    setattr(owner, name, instead)


def _after(owner: type, name: str) -> None:
    whole: Callable[..., Any] = getattr(owner, name)

    async def and_then(*args: Any, **named: Any) -> None:
        await whole(*args, **named)
        kill()

    setattr(owner, name, and_then)


async def run(state: str, crm: Path, step: str, action: str, key: str) -> None:
    arm(step, action)
    application = build_application(
        Settings(policy="full-access", state=state), asgi_app=create_app(path=crm, accounts=1)
    )
    arguments = {
        "create": {"lastname": "Killed", "subject": "New"},
        "update": {"leadid": key, "subject": "New"},
        "delete": {"leadid": key},
    }[action]
    answer = await application.caller.call(f"{action}_lead", arguments, Principal(), approver=None)
    raise AssertionError(f"the process was not killed: {answer.text}")


def main(home: str, state: str, crm: Path, step: str, action: str, key: str) -> None:
    """Make the write. ``home`` is where the state's key is, which the forking process does not know."""
    os.environ["XDG_STATE_HOME"] = home
    anyio.run(run, state, crm, step, action, key)
