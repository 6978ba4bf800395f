"""Whether the process lives, and whether it can serve: for whoever starts, balances and watches it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import anyio
from starlette.responses import JSONResponse, PlainTextResponse

from crm_server.log import get_logger

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

CHECK_SECONDS = 3.0
_TOLD = "The server's log says why."
_log = get_logger("http")

Check = Callable[[], Awaitable[str | None]]
"""Says in our words what is missing; None when nothing is."""


class Health:
    """``checks`` are what it takes to serve, by name. Once it drains, new work goes to other replicas.

    Anybody may ask, so the checks are made once for all who ask at the same time, and who asks learns what is
    missing; why stands in the log.
    """

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._draining = False
        self._looking = anyio.Lock()
        self._looks = 0
        self._found: dict[str, str] | None = None
        self._logged: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """What :meth:`missing` may name: the server itself, and what it needs."""
        return ("server", *sorted(self._checks))

    def drain(self) -> None:
        """Say from now on that the server is ending."""
        self._draining = True

    async def live(self, _request: Request) -> Response:
        """The process answers."""
        return PlainTextResponse("ok\n")

    async def ready(self, _request: Request) -> Response:
        """All it takes to serve is there; else which part is missing."""
        missing = await self.missing()
        told = {name: _TOLD if name in self._checks else why for name, why in missing.items()}
        return JSONResponse({"ready": not missing, "missing": told}, status_code=503 if missing else 200)

    async def missing(self) -> dict[str, str]:
        """What is missing and why, by the name of the check."""
        if self._draining:
            return {"server": "It is ending."}
        before = self._looks
        async with self._looking:
            # A look that began since then, for somebody else, will do.
            if self._found is None or self._looks == before:
                self._looks, self._found = self._looks + 1, None
                self._found = await self._look()
            return self._found

    async def _look(self) -> dict[str, str]:
        found: dict[str, str] = {}

        async def look(name: str, check: Check) -> None:
            problem: str | None = "It did not answer in time."
            with anyio.move_on_after(CHECK_SECONDS):
                problem = await check()
            if problem is not None:
                found[name] = problem

        async with anyio.create_task_group() as tasks:
            for name, check in self._checks.items():
                tasks.start_soon(look, name, check)
        found = dict(sorted(found.items()))
        if found and found != self._logged:
            _log.error("not_ready", missing=found)
        self._logged = found
        return found
