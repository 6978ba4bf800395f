"""The audit: events in a chain of hashes, whose end is signed.

Each hash covers the event's number, the hash before it and the event itself, so an event that is changed,
taken out or moved breaks the chain there. The signature of the last one tells when the end was cut off, and a
checkpoint is kept each hundred events. Each signature names its key, so the state's key can be rotated.
Whoever has that key can write a new chain: keep it, and copies of the signed lines that ``audit verify``
prints, where those who are audited cannot reach them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from crm_server.state.keys import Key, Keys
from crm_server.state.schema import CHECKPOINTS, EVENTS, FACTS
from crm_tools.errors import StateError

CHECKPOINT_EVERY = 100
_HEAD, _SIGNER = "audit_head", "audit_signer"
_START = "0" * 64

# Made once: SQLAlchemy takes longer to build a statement than SQLite to carry it out.
_FIND_HEAD = select(FACTS.c.name, FACTS.c.value).where(or_(FACTS.c.name == _HEAD, FACTS.c.name == _SIGNER))
_ADD = insert(EVENTS)
_ADD_CHECKPOINT = insert(CHECKPOINTS)
_MOVE_HEAD = update(FACTS).where(FACTS.c.name == _HEAD).values(value=bindparam("head"))


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found. ``broken`` is the number of the first event that is not as it was."""

    events: int
    first: int
    last: int
    hash: str
    broken: int | None = None
    problem: str = ""


def append(connection: Connection, keys: Keys, event: Mapping[str, Any], now: datetime) -> int:
    """Add an event and return its number. Its caller, tool, table and outcome can be searched.

    Raises:
        StateError: Another key has signed this audit.
    """
    key = keys.newest
    number, before = _head(connection, keys, key)
    number += 1
    body = json.dumps({"at": now.isoformat(), **event}, ensure_ascii=False, default=str, sort_keys=True)
    digest = _digest(number, before, body)
    row = {"number": number, "at": now.timestamp(), "hash": digest, "body": body}
    connection.execute(_ADD, {**row, **_searched(event)})
    signed = {"number": number, "hash": digest, **_signed(key, number, digest)}
    connection.execute(_MOVE_HEAD, {"head": json.dumps(signed)})
    if number % CHECKPOINT_EVERY == 0:
        connection.execute(_ADD_CHECKPOINT, {**signed, "at": now.timestamp(), "kind": "chain"})
    return number


def verify(connection: Connection, keys: Keys) -> Verified:
    """Go through the whole chain; stops at the first event that is not as it was."""
    start = connection.execute(
        select(CHECKPOINTS).where(CHECKPOINTS.c.kind == "pruned").order_by(CHECKPOINTS.c.number.desc())
    ).first()
    number, before = (start.number, start.hash) if start is not None else (0, _START)
    first = number + 1
    if start is not None and not _is_signed(keys, number, before, start.signature, start.signer):
        return Verified(0, first, number, before, number, "The mark of what was pruned is not signed by us.")
    signed = {
        row.number: row
        for row in connection.execute(select(CHECKPOINTS).where(CHECKPOINTS.c.kind == "chain"))
    }
    for row in connection.execute(select(EVENTS).order_by(EVENTS.c.number)):
        problem = _problem(row, number + 1, before, signed.get(number + 1), keys)
        if problem:
            return Verified(number + 1 - first, first, number, before, number + 1, problem)
        number, before = row.number, row.hash
    problem = _end_problem(connection, keys, number, before)
    broken = number + 1 if problem else None
    return Verified(number + 1 - first, first, number, before, broken, problem)


def _problem(row: Any, number: int, before: str, checkpoint: Any, keys: Keys) -> str:
    if row.number != number:
        return "It is missing: events were removed or moved."
    if row.hash != _digest(number, before, row.body):
        return "It was changed, or what came before it was."
    body = json.loads(row.body)
    if {name: getattr(row, name) for name in _searched(body)} != _searched(body) or abs(
        datetime.fromisoformat(body["at"]).timestamp() - row.at
    ) > 0.001:
        return "What it is searched by was changed."
    if checkpoint is not None and (
        checkpoint.hash != row.hash
        or not _is_signed(keys, number, row.hash, checkpoint.signature, checkpoint.signer)
    ):
        return "It is not what the checkpoint signed."
    return ""


def _end_problem(connection: Connection, keys: Keys, number: int, digest: str) -> str:
    text = connection.execute(select(FACTS.c.value).where(FACTS.c.name == _HEAD)).scalar()
    if text is None:
        return "The signed end of the audit is missing." if number else ""
    head = json.loads(text)
    if not _is_signed(keys, head["number"], head["hash"], head["signature"], head.get("signer")):
        return "The end of the audit is not signed by a key of this state's key file."
    if head["number"] > number:
        return f"Events up to {head['number']} were removed from the end."
    if (head["number"], head["hash"]) != (number, digest):
        return "There are events after the signed end."
    return ""


def signer(connection: Connection) -> str | None:
    """The public key that signs this audit; None before its first event."""
    found: str | None = connection.execute(select(FACTS.c.value).where(FACTS.c.name == _SIGNER)).scalar()
    return found


def recent(
    connection: Connection,
    *,
    most: int = 20,
    since: datetime | None = None,
    until: datetime | None = None,
    contains: Mapping[str, str] | None = None,
    record: str | None = None,
    before: int | None = None,
) -> list[dict[str, Any]]:
    """The last events, oldest first; ``contains`` maps columns to search by to their value.

    ``before`` is the number of an event: those before it, for one page after the other.
    """
    wanted = select(EVENTS).order_by(EVENTS.c.number.desc()).limit(most)
    if before is not None:
        wanted = wanted.where(EVENTS.c.number < before)
    if since is not None:
        wanted = wanted.where(EVENTS.c.at >= since.timestamp())
    if until is not None:
        wanted = wanted.where(EVENTS.c.at < until.timestamp())
    for name, value in (contains or {}).items():
        wanted = wanted.where(EVENTS.c[name] == value)
    if record is not None:
        # A call can be about many records; their ids stand in the event itself.
        wanted = wanted.where(EVENTS.c.body.contains(record.lower(), autoescape=True))
    return [_event(row) for row in reversed(connection.execute(wanted).all())]


def everything(connection: Connection) -> Iterator[dict[str, Any]]:
    """Each event, oldest first, with its number and hash."""
    for row in connection.execute(select(EVENTS).order_by(EVENTS.c.number)).yield_per(500):
        yield _event(row)


def prune(connection: Connection, keys: Keys, until: datetime, now: datetime) -> int:
    """Take out events from the beginning, up to a moment; the chain then starts at a signed mark."""
    last = connection.execute(
        select(EVENTS.c.number, EVENTS.c.hash)
        .where(EVENTS.c.at < until.timestamp())
        .order_by(EVENTS.c.number.desc())
        .limit(1)
    ).first()
    if last is None:
        return 0
    gone = connection.execute(delete(EVENTS).where(EVENTS.c.number <= last.number)).rowcount
    connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.number <= last.number))
    signed = {"number": last.number, "hash": last.hash, **_signed(keys.newest, last.number, last.hash)}
    connection.execute(_ADD_CHECKPOINT, {**signed, "at": now.timestamp(), "kind": "pruned"})
    return int(gone)


def as_csv(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of a table for a spreadsheet. What a spreadsheet would run as a formula starts with a quote."""
    import csv
    import io

    names = ("number", "at", "caller", "tool", "kind", "action", "table", "ids", "outcome", "rules", "hash")
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(names)
    for event in events:
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([_cell(event.get(name)) for name in names])
    yield buffer.getvalue()


def _cell(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    # https://owasp.org/www-community/attacks/CSV_Injection
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _event(row: Any) -> dict[str, Any]:
    return {"number": row.number, **json.loads(row.body), "hash": row.hash}


def _searched(event: Mapping[str, Any]) -> dict[str, Any]:
    ids = event.get("ids") or []
    return {
        "caller": str(event.get("caller", ""))[:200],
        "tool": str(event.get("tool", ""))[:100],
        "table_name": str(event.get("table", ""))[:128],
        "record": str(ids[0])[:64] if len(ids) == 1 else None,
        "outcome": str(event.get("outcome", ""))[:64],
    }


def _digest(number: int, before: str, body: str) -> str:
    return hashlib.sha256(f"{number}\n{before}\n{body}".encode()).hexdigest()


def sign_anew(connection: Connection, keys: Keys) -> int:
    """Sign everything with the newest key, so that the older ones can be forgotten; how many signatures.

    Raises:
        StateError: The chain is broken; signing it would hide that.
    """
    found = verify(connection, keys)
    if found.broken is not None:
        raise StateError(f"The audit is broken at event {found.broken} and was not signed: {found.problem}")
    key = keys.newest
    marks = connection.execute(select(CHECKPOINTS.c.number, CHECKPOINTS.c.hash)).all()
    for number, digest in marks:
        mark = update(CHECKPOINTS).where(CHECKPOINTS.c.number == number)
        connection.execute(mark.values(**_signed(key, number, digest)))
    number, digest = _head(connection, keys, key)
    head = {"number": number, "hash": digest, **_signed(key, number, digest)}
    connection.execute(_MOVE_HEAD, {"head": json.dumps(head)})
    return len(marks) + 1


def _head(connection: Connection, keys: Keys, key: Key) -> tuple[int, str]:
    """Number and hash of the last event. ``key`` becomes the one that signs, as the first or a newer one."""
    found = {row.name: row.value for row in connection.execute(_FIND_HEAD)}
    if _SIGNER not in found:
        connection.execute(insert(FACTS).values(name=_SIGNER, value=key.public))
        connection.execute(
            insert(FACTS).values(name=_HEAD, value=json.dumps({"number": 0, "hash": _START, "signature": ""}))
        )
        return 0, _START
    if found[_SIGNER] != key.public:
        _require_known(keys, found[_SIGNER])
        connection.execute(update(FACTS).where(FACTS.c.name == _SIGNER).values(value=key.public))
    head = json.loads(found[_HEAD])
    return int(head["number"]), str(head["hash"])


def require_key(connection: Connection, keys: Keys) -> None:
    """See that this audit can be gone on with.

    Raises:
        StateError: Another key has signed it.
    """
    if (found := signer(connection)) is not None:
        _require_known(keys, found)


def _require_known(keys: Keys, public: str) -> None:
    if keys.named(public) is None:
        raise StateError(
            "The audit in this state is signed with another key than this server has. Set "
            "DYNAMICS_STATE_KEY to the key file of the servers that share the state. Nothing was changed "
            "in the CRM."
        )


def _signed(key: Key, number: int, digest: str) -> dict[str, str]:
    return {"signature": key.signing.sign(f"{number} {digest}".encode()).hex(), "signer": key.public}


def _is_signed(keys: Keys, number: int, digest: str, signature: str, signer: str | None) -> bool:
    """Whether one of our keys signed it. What is older than the names of keys is signed by any of them."""
    return any(_verifies(key, number, digest, signature) for key in keys.all if signer in (None, key.public))


def _verifies(key: Key, number: int, digest: str, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.signing.public_key().verify(bytes.fromhex(signature), f"{number} {digest}".encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def moment(seconds: float) -> datetime:
    """A stored time."""
    return datetime.fromtimestamp(seconds, UTC)
