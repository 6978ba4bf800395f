"""What other replicas change, and this one has to know: it hears of it while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from crm_server.log import get_logger
from crm_server.state.topics import POLICY

if TYPE_CHECKING:
    from crm_server.app import Application

AGAIN_SECONDS, TRIES = 5.0, 36
"""A file that is handed out to each machine by itself, as Kubernetes does, comes within two minutes."""
_log = get_logger("replicas")


@asynccontextmanager
async def hearing_of_others(application: Application) -> AsyncIterator[None]:
    """Inside, the application follows what other replicas tell, where the state is shared."""
    state = application.crm.state
    if state.server is None:
        yield
        return
    waiting: asyncio.Task[None] | None = None

    async def heard(news: str) -> None:
        nonlocal waiting
        await _follow(application, news)
        what, _, digest = news.partition(" ")
        if what == POLICY and digest:
            await _ended(waiting)
            waiting = asyncio.create_task(_wait_for_policy(application, digest))

    hearing = asyncio.create_task(state.hear(heard))
    try:
        yield
    finally:
        await _ended(hearing)
        await _ended(waiting)


async def _follow(application: Application, news: str) -> None:
    try:
        await application.heard(news)
    except Exception:  # noqa: BLE001 - it is logged whole
        # Whatever it is, the next news is to be heard.
        _log.exception("news_not_followed", what=news)


async def _wait_for_policy(application: Application, digest: str) -> None:
    """Read the policy until it is the one that was told of: its file may come later than the news of it."""
    for _ in range(TRIES):
        if application.crm.policy.digest == digest:
            return
        await asyncio.sleep(AGAIN_SECONDS)
        await _follow(application, POLICY)
    if application.crm.policy.digest != digest:
        _log.error("policy_differs", here=application.crm.policy.digest, told=digest)


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
