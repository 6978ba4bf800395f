"""Which environment the CRM is, and as whom each caller works in it.

It is learned beside the first request of a caller's first call, so that it costs that call no trip of its
own, and kept for an hour: a sandbox may become production. Nothing that goes wrong here fails a call: it is
tried again at a call a minute later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio

from crm_server.approval import InputNeededError, shown
from crm_server.log import get_logger
from crm_server.sign_in import callers
from crm_tools.errors import CrmError

if TYPE_CHECKING:
    from crm_server.dataverse.client import DataverseClient, Environment

AGAIN_AFTER = timedelta(minutes=1)
FRESH = timedelta(hours=1)
PATIENCE_SECONDS = 5.0
"""How much longer than its own request a call waits for this."""
MOST_CALLERS = 1_000

log = get_logger("identity")


@dataclass
class _Entry:
    """What is known for one caller. ``attempts`` counts those that came to an end."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    found: Environment | None = None
    attempts: int = 0
    not_before: datetime | None = None
    fresh_until: datetime | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether it need not be asked for."""
        return self.fresh_until is not None and now < self.fresh_until

    def may_be_asked(self, now: datetime) -> bool:
        """Whether enough time has passed since it was asked for."""
        return self.not_before is None or now >= self.not_before


class Identities:
    """Knows the environment. ``address`` is its URL, ``name`` what it is called before more is known."""

    def __init__(
        self, address: str, name: str, client: Callable[[], DataverseClient], now: Callable[[], datetime]
    ) -> None:
        self.patience = PATIENCE_SECONDS
        self._address = address
        self._name = name
        self._client = client
        self._now = now
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    @asynccontextmanager
    async def learning(self) -> AsyncIterator[Callable[[], None]]:
        """A call's frame: what it yields is called when the call asks the CRM something."""
        question: InputNeededError | None = None
        async with anyio.create_task_group() as tasks:

            def begin() -> None:
                if self._due():
                    tasks.start_soon(self.learn)

            try:
                yield begin
            except InputNeededError as error:  # Kept out of the group, which would wrap it.
                question = error
            tasks.cancel_scope.deadline = anyio.current_time() + self.patience
        if question is not None:
            raise question

    async def learn(self) -> None:
        """Ask the CRM, unless the answer is known or comes to somebody who asked just before."""
        entry = self._entry()
        before, now = entry.attempts, self._now()
        async with entry.lock:
            is_old = entry.found is not None and not entry.may_be_asked(now)
            if entry.is_fresh(now) or is_old or entry.attempts != before:
                return
            entry.not_before = now + AGAIN_AFTER
            try:
                entry.found = await self._client().identify()
                entry.fresh_until = now + FRESH
            except CrmError as error:
                log.warning("environment unknown", code=error.code)
            except Exception:
                log.exception("environment unknown")
            entry.attempts += 1

    async def named(self) -> str:
        """The environment as a human is asked about it: organisation, kind and address."""
        if self._entry().found is None:
            with anyio.move_on_after(self.patience):
                await self.learn()
        found = self._entry().found
        if found is None:
            return f"{self._name} (what it is called, and whether it is production, could not be found out)"
        return f"{shown(found.described)}, {self._name}"

    def facts(self) -> Mapping[str, Any]:
        """The environment for programs: ``url``, ``kind`` and, when known, ``organization`` and ``user``."""
        found = self._entry().found
        if found is None:
            return {"url": self._address, "kind": "unknown"}
        return {
            "organization": found.organization,
            "kind": found.kind,
            "url": self._address,
            "user": found.user,
        }

    @property
    def kind(self) -> str:
        """What kind of environment it is, such as production; unknown until somebody's call found out."""
        found = (entry.found for entry in self._entries.values())
        return next((each.kind for each in found if each is not None), "unknown")

    def _due(self) -> bool:
        entry, now = self._entry(), self._now()
        return not entry.is_fresh(now) and (entry.lock.locked() or entry.may_be_asked(now))

    def _entry(self) -> _Entry:
        entry = self._entries.setdefault(callers.key(), _Entry())
        self._entries.move_to_end(callers.key())
        while len(self._entries) > MOST_CALLERS:
            self._entries.popitem(last=False)
        return entry
