"""Goes through the audit page by page, so that others write in between: it may have millions of events.

Whatever happens between two pages, each event is held against the one before it, and the last one against the
signed end as it is then.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, select, update

from crm_server.state import audit
from crm_server.state.audit import digest_of, is_signed, searched_by, signature_of
from crm_server.state.keys import Keys
from crm_server.state.schema import CHECKPOINTS, EVENTS, FACTS
from crm_tools.errors import StateError

Run = Callable[[Callable[[Connection, Keys], Any]], Awaitable[Any]]
"""Carries out a unit of work, in a transaction of its own: :meth:`crm_server.state.State.run`."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found. ``broken`` is the number of the first event that is not as it was."""

    events: int
    first: int
    last: int
    hash: str
    broken: int | None = None
    problem: str = ""


async def verify(run: Run) -> Verified:
    """Go through the whole chain; stops at the first event that is not as it was.

    Raises:
        StateError: The state does not answer.
    """
    verification = _Verification()
    found: Verified | None = None
    while found is None:
        found = await run(verification.page)
    return found


async def everything(run: Run, since: datetime | None = None) -> AsyncIterator[list[dict[str, Any]]]:
    """Each event since a moment, oldest first, with its number and hash.

    Raises:
        StateError: The state does not answer.
    """
    number = 0
    while True:
        events = await run(partial(_page, number=number, since=since))
        if not events:
            return
        number = events[-1]["number"]
        yield events


def _page(
    connection: Connection, _keys: Keys, *, number: int, since: datetime | None
) -> list[dict[str, Any]]:
    return audit.following(connection, number, since)


async def sign_anew(run: Run) -> int:
    """Sign with the newest key all that older ones have signed; how many signatures.

    The older ones can be forgotten then.

    Raises:
        StateError: The chain is broken; signing it would hide that.
    """
    found = await verify(run)
    if found.broken is not None:
        raise StateError(f"The audit is broken at event {found.broken} and was not signed: {found.problem}")
    count = 0
    while signed := await run(_sign_some_anew):
        count += signed
    return count


class _Verification:
    """How far it is: what the last event was that is as it was."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._number = 0
        self._hash = audit.START
        self._events = 0

    def page(self, connection: Connection, keys: Keys) -> Verified | None:
        """Go through the next events; what was found, or None where there are more."""
        # Of the first page nothing is left out: what stands before the beginning does not belong there.
        begins = self._first is None
        wanted = select(EVENTS).order_by(EVENTS.c.number).limit(audit.PAGE)
        rows = connection.execute(wanted if begins else wanted.where(EVENTS.c.number > self._number)).all()
        if problem := self._moved_to_the_beginning(connection, keys, rows):
            return self._found(problem)
        signed = self._checkpoints(connection)
        for row in rows:
            if problem := _problem(row, self._number + 1, self._hash, signed.get(self._number + 1), keys):
                return self._found(problem)
            self._number, self._hash = row.number, row.hash
            self._events += 1
        if len(rows) == audit.PAGE:
            return None
        return self._found(_end_problem(connection, keys, self._number, self._hash))

    def _moved_to_the_beginning(self, connection: Connection, keys: Keys, rows: Any) -> str:
        """Go to where the chain begins now, if that is further on: it may just have been pruned."""
        start = connection.execute(
            select(CHECKPOINTS).where(CHECKPOINTS.c.kind == "pruned").order_by(CHECKPOINTS.c.number.desc())
        ).first()
        begins = self._first is None
        pruned = (
            start is not None
            and start.number > self._number
            and (not rows or rows[0].number > self._number + 1)
        )
        if start is not None and (begins or pruned):
            if not is_signed(keys, start.number, start.hash, start.signature, start.signer):
                self._number, self._hash = start.number - 1, start.hash
                return "The mark of what was pruned is not signed by us."
            self._number, self._hash = start.number, start.hash
        if begins:
            self._first = self._number + 1
        return ""

    def _checkpoints(self, connection: Connection) -> dict[int, Any]:
        within = CHECKPOINTS.c.number.between(self._number, self._number + audit.PAGE)
        wanted = select(CHECKPOINTS).where(CHECKPOINTS.c.kind == "chain", within)
        return {row.number: row for row in connection.execute(wanted)}

    def _found(self, problem: str) -> Verified:
        broken = self._number + 1 if problem else None
        return Verified(self._events, self._first or 1, self._number, self._hash, broken, problem)


def _problem(row: Any, number: int, before: str, checkpoint: Any, keys: Keys) -> str:
    if row.number != number:
        return "It is missing: events were removed or moved."
    if row.hash != digest_of(number, before, row.body):
        return "It was changed, or what came before it was."
    body = json.loads(row.body)
    if {name: getattr(row, name) for name in searched_by(body)} != searched_by(body) or abs(
        datetime.fromisoformat(body["at"]).timestamp() - row.at
    ) > 0.001:
        return "What it is searched by was changed."
    if checkpoint is not None and (
        checkpoint.hash != row.hash
        or not is_signed(keys, number, row.hash, checkpoint.signature, checkpoint.signer)
    ):
        return "It is not what the checkpoint signed."
    return ""


def _end_problem(connection: Connection, keys: Keys, number: int, digest: str) -> str:
    head = _head(connection)
    if head is None:
        return "The signed end of the audit is missing." if number else ""
    if not _is_ours(keys, head):
        return "The end of the audit is not signed by a key of this state's key file."
    if head["number"] > number:
        return f"Events up to {head['number']} were removed from the end."
    if (head["number"], head["hash"]) != (number, digest):
        return "There are events after the signed end."
    return ""


def _head(connection: Connection) -> dict[str, Any] | None:
    text = connection.execute(select(FACTS.c.value).where(FACTS.c.name == audit.HEAD)).scalar()
    return None if text is None else json.loads(text)


def _is_ours(keys: Keys, signed: dict[str, Any]) -> bool:
    return is_signed(keys, signed["number"], signed["hash"], signed["signature"], signed.get("signer"))


def _sign_some_anew(connection: Connection, keys: Keys) -> int:
    """Sign a few; how many, 0 when all are signed. What was changed since it was verified is not signed."""
    key = keys.newest
    older = CHECKPOINTS.c.signer.is_(None) | (CHECKPOINTS.c.signer != key.public)
    marks = connection.execute(
        select(CHECKPOINTS).where(older).order_by(CHECKPOINTS.c.number).limit(audit.PAGE // 10)
    ).all()
    for mark in marks:
        _require_ours(keys, mark._asdict())
        connection.execute(
            update(CHECKPOINTS)
            .where(CHECKPOINTS.c.number == mark.number)
            .values(**signature_of(key, mark.number, mark.hash))
        )
    head = _head(connection)
    if marks or head is None or head.get("signer") == key.public:
        return len(marks)
    _require_ours(keys, head)
    head |= signature_of(key, head["number"], head["hash"])
    connection.execute(audit.MOVE_HEAD, {"head": json.dumps(head)})
    return 1


def _require_ours(keys: Keys, signed: dict[str, Any]) -> None:
    if not _is_ours(keys, signed):
        raise StateError(
            f"What the audit says of event {signed['number']} was changed, and was not signed anew."
        )
