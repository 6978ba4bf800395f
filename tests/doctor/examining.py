"""Runs the checks, on the embedded sandbox or on what settings name."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_sandbox import create_app
from crm_server.doctor import Outcome, Status, examine
from crm_server.doctor.context import Context
from crm_server.settings import Settings
from tests.organisation.organisation import Organisation


async def examined(
    settings: Settings | None = None,
    *,
    asgi_app: Any = None,
    ahead: timedelta = timedelta(),
    until: str | None = None,
) -> dict[str, Outcome]:
    """The outcome of each check, or of those until one; ``ahead`` is how wrong this machine's clock is."""
    context = Context(settings or Settings(), lambda: datetime.now(UTC) + ahead, asgi_app=asgi_app)
    outcomes: dict[str, Outcome] = {}
    async with aclosing(examine(context)) as ended:
        async for name, outcome in ended:
            outcomes[name] = outcome
            if name == until:
                break
    return outcomes


async def on_sandbox(settings: Settings | None = None, app: Any = None) -> dict[str, Outcome]:
    """The same on the embedded sandbox, or on an application in front of one."""
    return await examined(settings, asgi_app=app or create_app(accounts=20))


def failures(outcomes: dict[str, Outcome]) -> list[str]:
    """The checks that failed."""
    return [name for name, outcome in outcomes.items() if outcome.status is Status.FAILED]


class As:
    """The sandbox for one of its users, whom its administrator acts for."""

    def __init__(self, name: str) -> None:
        self.app = create_app(accounts=20)
        self._name = name
        self._object_id = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request as the user's own."""
        if not self._object_id:
            self._object_id = await self._found()
        header = (b"callerobjectid", self._object_id.encode())
        await self.app({**scope, "headers": [*scope["headers"], header]}, receive, send)

    async def disable(self) -> None:
        """Take the user out of the organisation."""
        async with _administrator(self.app) as crm:
            user = (await crm.rows(f"systemusers?$filter=fullname eq '{self._name}'"))[0]
            await crm("PATCH", f"systemusers({user['systemuserid']})", {"isdisabled": True})

    async def _found(self) -> str:
        async with _administrator(self.app) as crm:
            user = (await crm.rows(f"systemusers?$filter=fullname eq '{self._name}'"))[0]
            return str(user["azureactivedirectoryobjectid"])


def _administrator(app: Any) -> Any:
    behind = Organisation(())
    behind.app = app
    return behind.as_administrator()
