"""What other replicas change, and this one has to know: it hears of it while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from crm_server.log import get_logger

if TYPE_CHECKING:
    from crm_server.app import Application

_log = get_logger("replicas")


@asynccontextmanager
async def hearing_of_others(application: Application) -> AsyncIterator[None]:
    """Inside, the application follows what other replicas tell, where the state is shared."""
    state = application.crm.state
    if state.server is None:
        yield
        return

    async def heard(what: str) -> None:
        try:
            await application.heard(what)
        except Exception:  # noqa: BLE001 - it is logged whole
            # Whatever it is, the next news is to be heard.
            _log.exception("news_not_followed", what=what)

    task = asyncio.create_task(state.hear(heard))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
