"""Servers in this process that share a state, as replicas do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import psycopg

from crm_server.app import Application, build_application
from crm_server.replicas import hearing_of_others
from crm_server.settings import Settings


@asynccontextmanager
async def serving(sandbox: Any, url: str, policy: str = "full-access") -> AsyncIterator[Application]:
    """A server on this CRM and this state, that hears of others by now."""
    application = build_application(Settings(policy=policy, state=url), asgi_app=sandbox)
    first = application.crm.policy
    try:
        async with hearing_of_others(application):
            with anyio.fail_after(20):
                # The first that it does when it hears is to read its policy anew.
                while application.crm.policy is first:
                    await anyio.lowlevel.checkpoint()
            yield application
    finally:
        await application.aclose()


@asynccontextmanager
async def two_serving(
    sandbox: Any, url: str, policy: object = "full-access"
) -> AsyncIterator[tuple[Application, Application]]:
    """Two replicas on one state that hear of each other."""
    async with serving(sandbox, url, str(policy)) as one, serving(sandbox, url, str(policy)) as other:
        yield one, other


async def in_thread(work: Callable[[], object]) -> None:
    """Do something that takes its time."""
    await anyio.to_thread.run_sync(work)


async def until_heard(url: str, listeners: int) -> None:
    """Until so many connections listen."""
    with psycopg.connect(url, autocommit=True) as connection, anyio.fail_after(20):
        found = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND state = 'idle'"
        while connection.execute(found).fetchone() != (listeners,):
            await anyio.lowlevel.checkpoint()
