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
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from crm_server.state.keys import Key, Keys
from crm_server.state.schema import CHECKPOINTS, EVENTS, FACTS
from crm_tools.errors import StateError

CHECKPOINT_EVERY = 100
PAGE = 2_000
"""So many events are read at a time: meanwhile nobody writes."""
HEAD, SIGNER = "audit_head", "audit_signer"
START = "0" * 64

# Made once: SQLAlchemy takes longer to build a statement than SQLite to carry it out.
_FIND_HEAD = select(FACTS.c.name, FACTS.c.value).where(or_(FACTS.c.name == HEAD, FACTS.c.name == SIGNER))
_ADD = insert(EVENTS)
_ADD_CHECKPOINT = insert(CHECKPOINTS)
MOVE_HEAD = update(FACTS).where(FACTS.c.name == HEAD).values(value=bindparam("head"))


def append(connection: Connection, keys: Keys, event: Mapping[str, Any], now: datetime) -> int:
    """Add an event and return its number. Its caller, tool, table and outcome can be searched.

    Raises:
        StateError: Another key has signed this audit.
    """
    key = keys.newest
    number, before = _head(connection, keys, key)
    number += 1
    body = json.dumps({"at": now.isoformat(), **event}, ensure_ascii=False, default=str, sort_keys=True)
    digest = digest_of(number, before, body)
    row = {"number": number, "at": now.timestamp(), "hash": digest, "body": body}
    connection.execute(_ADD, {**row, **searched_by(event)})
    signed = {"number": number, "hash": digest, **signature_of(key, number, digest)}
    connection.execute(MOVE_HEAD, {"head": json.dumps(signed)})
    if number % CHECKPOINT_EVERY == 0:
        connection.execute(_ADD_CHECKPOINT, {**signed, "at": now.timestamp(), "kind": "chain"})
    return number


def signer(connection: Connection) -> str | None:
    """The public key that signs this audit; None before its first event."""
    found: str | None = connection.execute(select(FACTS.c.value).where(FACTS.c.name == SIGNER)).scalar()
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


def following(connection: Connection, number: int, since: datetime | None = None) -> list[dict[str, Any]]:
    """A page of the events after one of them, oldest first, each with its number and hash."""
    wanted = select(EVENTS).where(EVENTS.c.number > number).order_by(EVENTS.c.number).limit(PAGE)
    if since is not None:
        wanted = wanted.where(EVENTS.c.at >= since.timestamp())
    return [_event(row) for row in connection.execute(wanted)]


def prune(connection: Connection, keys: Keys, until: datetime, now: datetime) -> int:
    """Take out a page of events from the beginning, up to a moment; how many.

    The chain then starts at a signed mark.
    """
    page = (
        select(EVENTS.c.number, EVENTS.c.hash, EVENTS.c.at).order_by(EVENTS.c.number).limit(PAGE).subquery()
    )
    last = connection.execute(
        select(page.c.number, page.c.hash)
        .where(page.c.at < until.timestamp())
        .order_by(page.c.number.desc())
        .limit(1)
    ).first()
    if last is None:
        return 0
    gone = connection.execute(delete(EVENTS).where(EVENTS.c.number <= last.number)).rowcount
    connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.number <= last.number))
    signed = {"number": last.number, "hash": last.hash, **signature_of(keys.newest, last.number, last.hash)}
    connection.execute(_ADD_CHECKPOINT, {**signed, "at": now.timestamp(), "kind": "pruned"})
    return int(gone)


def as_csv(events: Iterable[Mapping[str, Any]], *, named: bool = True) -> Iterator[str]:
    """Lines of a table for a spreadsheet, the first with the names of the columns unless it goes on.

    What a spreadsheet would run as a formula starts with a quote.
    """
    import csv
    import io

    names = ("number", "at", "caller", "tool", "kind", "action", "table", "ids", "outcome", "rules", "hash")
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    rows = ([_cell(event.get(name)) for name in names] for event in events)
    for row in chain([names] if named else [], rows):
        writer.writerow(row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _cell(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    # https://owasp.org/www-community/attacks/CSV_Injection
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _event(row: Any) -> dict[str, Any]:
    return {"number": row.number, **json.loads(row.body), "hash": row.hash}


def searched_by(event: Mapping[str, Any]) -> dict[str, Any]:
    """What an event is found by, by column."""
    ids = event.get("ids") or []
    return {
        "caller": str(event.get("caller", ""))[:200],
        "tool": str(event.get("tool", ""))[:100],
        "table_name": str(event.get("table", ""))[:128],
        "record": str(ids[0])[:64] if len(ids) == 1 else None,
        "outcome": str(event.get("outcome", ""))[:64],
    }


def digest_of(number: int, before: str, body: str) -> str:
    """The hash of an event: it covers its number, the hash before it, and what it says."""
    return hashlib.sha256(f"{number}\n{before}\n{body}".encode()).hexdigest()


def _head(connection: Connection, keys: Keys, key: Key) -> tuple[int, str]:
    """Number and hash of the last event. ``key`` becomes the one that signs, as the first or a newer one."""
    found = {row.name: row.value for row in connection.execute(_FIND_HEAD)}
    if SIGNER not in found:
        connection.execute(insert(FACTS).values(name=SIGNER, value=key.public))
        connection.execute(
            insert(FACTS).values(name=HEAD, value=json.dumps({"number": 0, "hash": START, "signature": ""}))
        )
        return 0, START
    if found[SIGNER] != key.public:
        _require_known(keys, found[SIGNER])
        connection.execute(update(FACTS).where(FACTS.c.name == SIGNER).values(value=key.public))
    head = json.loads(found[HEAD])
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


def signature_of(key: Key, number: int, digest: str) -> dict[str, str]:
    """The signature of the chain up to an event, and whose it is."""
    return {"signature": key.signing.sign(f"{number} {digest}".encode()).hex(), "signer": key.public}


def is_signed(keys: Keys, number: int, digest: str, signature: str, signer: str | None) -> bool:
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
