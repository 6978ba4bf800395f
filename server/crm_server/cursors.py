"""Cursors: the rest of a query in one opaque, signed word.

A cursor holds the query it continues and Dataverse's nextLink. It is signed with a key of the state, so that
any replica opens it, and bound to its caller: what a model sends back must not become an address to call.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crm_server.log import get_logger
from crm_tools.errors import InputError, StateError, UnreadableAnswerError
from crm_tools.operations import Expansion, OrderBy, Query

_log = get_logger("cursors")
LIFETIME = timedelta(hours=1)
_TAG_BYTES = 16
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a cursor stands for. ``link`` is the nextLink, to be sent back unchanged.

    ``stamp`` is that of what the policy narrowed the query to, which the link holds.
    """

    query: Query
    link: str
    walk: Walk
    stamp: str = ""

    def on(self, link: str) -> Continuation:
        """The continuation behind the page that this one leads to.

        Raises:
            UnreadableAnswerError: The link was followed before: the pages go round in a circle.
        """
        return Continuation(self.query, link, self.walk.step(link), self.stamp)


def continuation(query: Query, link: str, stamp: str = "") -> Continuation:
    """The continuation behind the first page of a query."""
    return Continuation(query, link, Walk(_digest(link)), stamp)


@dataclass(frozen=True, slots=True)
class Walk:
    """Finds out whether links lead in a circle, with one of them remembered (Brent's algorithm).

    After 1, 2, 4, 8 ... steps (``stride``) the link then reached becomes the ``milestone``; whoever walks in
    a circle comes past it again.
    """

    milestone: str
    stride: int = 1
    steps: int = 0

    def step(self, link: str) -> Walk:
        """The walk one link further.

        Raises:
            UnreadableAnswerError: It has come past its milestone again.
        """
        digest = _digest(link)
        if digest == self.milestone:
            raise UnreadableAnswerError(
                "The CRM's pages go round in a circle: the next one was shown before. What was shown so "
                "far may not be all there is. Narrow the filter, or sort by another column."
            )
        if self.steps + 1 == self.stride:
            return Walk(digest, self.stride * 2)
        return Walk(self.milestone, self.stride, self.steps + 1)


def _digest(link: str) -> str:
    return hashlib.sha256(link.encode()).hexdigest()[:16]


class Cursors:
    """Makes and opens cursors. ``keys_for`` gives the keys for a purpose: the first signs, all verify."""

    def __init__(self, keys_for: Callable[[str], Sequence[bytes]]) -> None:
        self._keys_for = keys_for
        self._own = secrets.token_bytes(32)

    def seal(self, continuation: Continuation, caller: str, now: datetime) -> str:
        """The cursor for a continuation. Only the same caller can open it, within an hour."""
        content = {"q": _dump(continuation.query), "l": continuation.link, "e": (now + LIFETIME).timestamp()}
        content["w"] = [continuation.walk.milestone, continuation.walk.stride, continuation.walk.steps]
        content["s"] = continuation.stamp
        payload = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
        return base64.urlsafe_b64encode(_tag(self._keys()[0], payload, caller) + payload).decode().rstrip("=")

    def open(self, cursor: str, table: str, caller: str, now: datetime) -> Continuation:
        """What the cursor stands for.

        Raises:
            InputError: Not a cursor of this server, caller and table, or too old.
        """
        refused = InputError(
            "Argument cursor is not one that this server gave for this list in the last hour. "
            "Run the list again without it."
        )
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raise refused from None
        tag, payload = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not any(hmac.compare_digest(tag, _tag(key, payload, caller)) for key in self._keys()):
            raise refused
        # The signature says the payload is our own; the bound is for good measure.
        content: dict[str, Any] = json.loads(zlib.decompressobj().decompress(payload, _MOST_BYTES))
        query = _load(content["q"])
        if now.timestamp() > content["e"] or query.table != table:
            raise refused
        return Continuation(query, content["l"], Walk(*content["w"]), content["s"])

    def _keys(self) -> Sequence[bytes]:
        try:
            return self._keys_for("cursors")
        except StateError as error:
            # Reading goes on, with cursors that only this process opens.
            _log.error("cursors_end_with_the_process", problem=error.message)
            return (self._own,)


def _tag(key: bytes, payload: bytes, caller: str) -> bytes:
    return hmac.digest(key, caller.encode() + b"\0" + payload, hashlib.sha256)[:_TAG_BYTES]


def _dump(query: Query) -> list[Any]:
    return [
        query.table,
        query.select,
        query.filter,
        [[key.path, key.descending] for key in query.orderby],
        [[item.name, item.table, item.select, item.lookup, item.many] for item in query.expand],
        {table: sorted(columns) for table, columns in query.named.items()},
        query.top,
        query.count,
    ]


def _load(dumped: list[Any]) -> Query:
    table, select, text, orderby, expand, named, top, count = dumped
    return Query(
        table=table,
        select=tuple(select),
        filter=text,
        orderby=tuple(OrderBy(path, descending) for path, descending in orderby),
        expand=tuple(
            Expansion(name, target, tuple(columns), lookup, many)
            for name, target, columns, lookup, many in expand
        ),
        named={name: frozenset(columns) for name, columns in named.items()},
        top=top,
        count=count,
    )
