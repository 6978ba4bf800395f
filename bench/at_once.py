"""A hundred get_account calls at the same moment against the same one by one, with the CRM 50 ms away.

    uv run --no-dev python bench/at_once.py

The calls go the whole path of a tool call in this process; the CRM and the
distance are processes of their own.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import anyio
import httpx
import structlog

from crm_server.app import Application, build_application
from crm_server.approval import Approver
from crm_server.policy.model import Decision, Principal
from crm_server.settings import Settings
from distance import distance
from hosted import root_of, sandbox

CALLS = 100
ROUNDS = 3
GOAL = 20.0


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with sandbox() as ready:
        root = root_of(ready)
        answer = httpx.get(f"{root}/api/data/v9.2/accounts?$select=accountid&$top={CALLS}").json()
        keys = [row["accountid"] for row in answer["value"]]
        with distance(int(root.rpartition(":")[2])) as port:
            one_by_one, at_once = anyio.run(measured, f"http://127.0.0.1:{port}", keys)
    ratio = one_by_one / at_once
    print(f"{CALLS} get_account calls, one by one   {one_by_one:6.3f} s")
    print(f"{CALLS} get_account calls, at once      {at_once:6.3f} s   (best of {ROUNDS})")
    print(f"ratio {ratio:.1f} (goal: at least {GOAL:.0f})")
    return 0 if ratio >= GOAL else 1


async def measured(url: str, keys: list[str]) -> tuple[float, float]:
    """Seconds one by one, and seconds at once."""
    application = build_application(Settings(url=url, auth="none"))
    await called(application, keys[0])
    started = time.perf_counter()
    for key in keys:
        await called(application, key)
    one_by_one = time.perf_counter() - started
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for key in keys:
                tasks.start_soon(called, application, key)
        taken.append(time.perf_counter() - started)
    await application.aclose()
    return one_by_one, min(taken)


async def called(application: Application, key: str) -> None:
    """One call, which has to be answered with the account that was asked for."""
    answer = await application.caller.call("get_account", {"accountid": key}, Principal(), Nobody())
    if answer.is_error or answer.content["record"]["accountid"] != key:
        raise RuntimeError(answer.text)


class Nobody(Approver):
    """Reads need no approval."""

    async def approve(self, plan: Any, decision: Decision) -> None:
        raise RuntimeError("nobody is asked here")


if __name__ == "__main__":
    sys.exit(main())
