"""What the rest of the server asks of the state: each method is one transaction, or none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from crm_server.log import get_logger
from crm_server.policy.judging import Judgement
from crm_server.policy.model import Outcome, Policy, Spent
from crm_server.state import events
from crm_server.state.keys import Keys
from crm_server.state.noting import Noting
from crm_server.state.pruning import REMEMBERED, Pruning, Retention
from crm_server.state.store import Store, nothing, sayable_id
from crm_tools.changes import Change, ChangeState
from crm_tools.errors import StateError
from crm_tools.operations import Action

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from sqlalchemy import Connection

    from crm_server.state.proposals import KeptPlan, Proposal

_log = get_logger("state")
Judge = Callable[[Spent], Judgement]


@dataclass(frozen=True, slots=True)
class Reserved:
    """What was counted ahead of a read."""

    ids: tuple[int, ...] = ()
    uncounted: tuple[str, Action] | None = None
    """Caller and action of a read that could not be counted ahead."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A write that may be sent now; ``spent`` is what was used of the limits before it."""

    change: Change
    spent: Spent


class State:
    """The budgets, plans, journal, jobs and audit that all processes on one database share."""

    def __init__(
        self, store: Store, keys: Keys, clock: Callable[[], datetime], retention: Retention | None = None
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._pruning = Pruning(keys, retention or Retention())
        self._teller = sayable_id()
        self._warm = False
        self._noting = Noting(store)

    @property
    def in_memory(self) -> bool:
        """Whether it ends with the process."""
        return self._store.in_memory

    @property
    def server(self) -> str | None:
        """The address of the PostgreSQL that other replicas share; None for a file or memory."""
        return self._store.server

    @property
    def missing_file(self) -> str | None:
        """The path of an SQLite file that does not exist (yet)."""
        return self._store.missing_file

    @property
    def key_file(self) -> Path | None:
        """The file of the state's key; None where the key is in memory alone."""
        return self._keys.path

    def key_for(self, purpose: str) -> bytes:
        """The key with which things are sealed for a purpose, the same in all processes that share the state.

        Raises:
            StateError: The key file can be neither read nor made.
        """
        return self.keys_for(purpose)[0]

    def keys_for(self, purpose: str) -> tuple[bytes, ...]:
        """The keys with which things are opened: that of :meth:`key_for` and those before it.

        Raises:
            StateError: The key file can be neither read nor made.
        """
        return tuple(key.derived(purpose) for key in self._keys.all)

    def warm(self) -> None:
        """Begin to open the state, once: what it is made of takes a second to load."""
        if not self._warm:
            self._warm = True
            self._store.submit(nothing).add_done_callback(_log_failure)

    def now(self) -> datetime:
        """The present moment, the same for all processes that share the state."""
        return self._clock() + self._store.behind

    async def check(self) -> None:
        """See whether the state can be used: it is there, and its audit is one of this server's key.

        Raises:
            StateError: It cannot.
        """
        from crm_server.state import audit

        await self.run(audit.require_key)

    async def spent(self, policy: Policy, caller: str, action: Action, record: str | None) -> Spent:
        """What was used of the limits on an action."""
        from crm_server.state import ledger

        return await self._store.run(
            lambda connection: ledger.spent(connection, policy, caller, action, record, self.now())
        )

    async def begin_read(
        self, policy: Policy, caller: str, action: Action, rows: int, judge: Judge
    ) -> tuple[Judgement, Reserved]:
        """Judge a read and count the rows that it may return at most."""
        from crm_server.state import ledger

        def work(connection: Connection) -> tuple[Judgement, Reserved]:
            now = self.now()
            judgement = judge(ledger.spent(connection, policy, caller, action, None, now))
            if judgement.decision.outcome is Outcome.DENIED:
                return judgement, Reserved()
            most = judgement.decision.max_rows
            amount = rows if most is None else min(rows, most)
            return judgement, Reserved(ledger.reserve(connection, caller, action, None, amount, now))

        return await self._store.run(work)

    async def end_read(self, reserved: Reserved, rows: int) -> None:
        """Say how many rows came in truth. What was not counted ahead is counted when the state takes it."""
        from crm_server.state import ledger

        if reserved.uncounted is None:
            await self._store.run(lambda connection: ledger.settle(connection, reserved.ids, rows))
            return
        (caller, action), now = reserved.uncounted, self.now()
        self._noting.add(lambda connection: ledger.reserve(connection, caller, action, None, rows, now))

    async def begin_write(
        self,
        policy: Policy,
        change: Change,
        fingerprint: str,
        judge: Judge,
        event: Mapping[str, Any],
        *,
        rows: int = 1,
    ) -> Begun:
        """Take a write from the budgets, use its approval up, and note it in the journal and the audit.

        All of it or nothing. ``judge`` raises what keeps the write from being sent. ``rows`` is how many
        records it changes.

        Raises:
            ApprovalError: The approval does not hold (any more).
            StateError: The state does not take it; then nothing may be sent.
        """
        from crm_server.state import journal, ledger, plans

        def work(connection: Connection) -> Begun:
            now = self.now()
            spent = ledger.spent(connection, policy, change.caller, change.action, change.record, now)
            judge(spent)
            if change.plan is not None:
                plans.use(connection, change.plan, change.caller, fingerprint, now)
            ledger.reserve(connection, change.caller, change.action, change.record, rows, now)
            change_id = journal.begin(connection, change, now)
            self._append(connection, {**event, "kind": "write begun", "change": change_id}, now)
            return Begun(replace(change, id=change_id), spent)

        return await self._store.run(work)

    async def end_write(
        self,
        change: Change,
        state: ChangeState,
        *,
        error: str | None = None,
        etag_after: str | None = None,
        crm_request_id: str | None = None,
    ) -> None:
        """Note how a write ended.

        Raises:
            StateError: It cannot be noted now; it is when the state takes it.
        """
        from crm_server.state import journal

        now = self.now()

        def work(connection: Connection) -> None:
            ending = {"error": error, "etag_after": etag_after, "crm_request_id": crm_request_id}
            if journal.end(connection, change, state, now, **ending):
                self._append(connection, events.end_event(change, state, error, crm_request_id), now)

        await self._now_or_later(work)

    async def settle_write(self, change: Change, state: ChangeState, etag_after: str | None) -> None:
        """Note how a write ended whose process did not say so, unless somebody else has."""
        from crm_server.state import journal

        def work(connection: Connection) -> None:
            now = self.now()
            if journal.settle(connection, change, state, now, etag_after):
                self._append(connection, events.end_event(change, state, journal.INTERRUPTED), now)

        await self._store.run(work)

    async def use_plan(self, plan_id: str, caller: str, fingerprint: str) -> None:
        """Use the approval of something that is no write."""
        from crm_server.state import plans

        await self._store.run(
            lambda connection: plans.use(connection, plan_id, caller, fingerprint, self.now())
        )

    async def propose(self, proposal: Proposal) -> KeptPlan:
        """The plan of a change: see :func:`crm_server.state.plans.propose`."""
        from crm_server.state import plans

        def work(connection: Connection) -> KeptPlan:
            now = self.now()
            plan = plans.propose(connection, proposal, now)
            if plan.created == now:
                self._append(connection, events.plan_event("proposed", plan), now)
            return plan

        return await self._store.run(work)

    async def decide(
        self, plan_id: str, status: str, by: str, reason: str | None = None, *, final: bool = True
    ) -> KeptPlan:
        """Approve or reject a plan: see :func:`crm_server.state.plans.decide`."""
        from crm_server.state import plans

        def work(connection: Connection) -> KeptPlan:
            now = self.now()
            plan = plans.decide(connection, plan_id, status, by, now, reason, final=final)
            self._append(connection, {**events.plan_event(status, plan), "by": by}, now)
            return plan

        return await self._store.run(work)

    async def plans(self, *, everything: bool = False) -> Sequence[KeptPlan]:
        """The plans that wait, or all."""
        from crm_server.state import plans

        return await self._store.run(
            lambda connection: plans.listed(connection, self.now(), everything=everything)
        )

    async def plan(self, plan_id: str) -> KeptPlan:
        """One plan."""
        from crm_server.state import plans

        return await self._store.run(lambda connection: plans.found(connection, plan_id))

    async def changes(
        self, caller: str, *, most: int, table: str | None = None, record: str | None = None
    ) -> Sequence[Change]:
        """The last changes of a caller, newest first."""
        from crm_server.state import journal

        self._noting.resume()  # The end of some may not have been noted yet.
        return await self._store.run(
            lambda connection: journal.listed(connection, caller, most=most, table=table, record=record)
        )

    async def change(self, caller: str | None, change_id: str) -> Change | None:
        """One change of a caller; of any, for None."""
        from crm_server.state import journal

        self._noting.resume()  # As above.
        return await self._store.run(lambda connection: journal.found(connection, caller, change_id))

    async def left_open(self, caller: str) -> Sequence[Change]:
        """Changes whose process ended before it knew their end."""
        from crm_server.state import journal

        return await self._store.run(lambda connection: journal.left_open(connection, caller, self.now()))

    async def note_reader(self, caller: str) -> None:
        """Note that a caller is about to be shown text that strangers may have written.

        Raises:
            StateError: It cannot be noted now; it is when the state takes it.
        """
        from crm_server.state import readers

        now = self.now()
        await self._now_or_later(lambda connection: readers.note(connection, caller, now))

    async def has_read(self, caller: str) -> bool:
        """Whether a caller was shown such text, and may still have it in mind."""
        from crm_server.state import readers

        return await self._store.run(
            lambda connection: readers.has_read(connection, caller, self.now() - REMEMBERED)
        )

    async def tell(self, what: str) -> None:
        """Tell other replicas what has changed; see :mod:`crm_server.state.news`. Nobody else has a file."""
        from crm_server.state import news

        if self.server is None:
            return
        try:
            await self._now_or_later(lambda connection: news.tell(connection, self._teller, what))
        except StateError as error:
            _log.error("others_not_told_yet", what=what, problem=error.message)

    async def hear(self, heard: Callable[[str], Awaitable[None]]) -> None:
        """Call ``heard`` with what other replicas tell, until cancelled."""
        from crm_server.state import news

        if self.server is not None and find_spec("psycopg") is not None:
            await news.hear(self.server, self._teller, heard)

    def note(self, event: Mapping[str, Any]) -> None:
        """Add an event to the audit without waiting for it: now, or when the state takes it."""
        now = self.now()
        self._noting.add(lambda connection: self._append(connection, event, now))
        if self._pruning.begins(now):
            self._noting.add(lambda connection: self._pruning.prune(connection, now))

    def _append(self, connection: Connection, event: Mapping[str, Any], now: datetime) -> None:
        from crm_server.state import audit

        audit.append(connection, self._keys, event, now)

    async def run(self, work: Callable[[Connection, Keys], Any]) -> Any:
        """Another unit of work, such as those of the audit's commands."""
        return await self._store.run(lambda connection: work(connection, self._keys))

    async def _now_or_later(self, work: Callable[[Connection], object]) -> None:
        """Do a unit of work, or when the state takes it.

        Raises:
            StateError: Not now.
        """
        try:
            await self._store.run(work)
        except StateError:
            self._noting.add(work)
            raise

    def close(self) -> None:
        """Finish what was begun and close the database."""
        self._noting.finish()
        self._store.close()


def _log_failure(done: Future[Any]) -> None:
    if (error := done.exception()) is not None:
        _log.error("state_does_not_work", reason=type(error.__cause__ or error).__name__, problem=str(error))
