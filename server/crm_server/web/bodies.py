"""The bodies of requests: read whole, within size, time and room, before anything is done with them.

That keeps a slow or endless sender from holding what others need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from crm_server.authorization.resource import refuse
from crm_server.log import get_logger
from crm_server.sign_in.callers import SCOPE_KEY, Caller

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_SECONDS = 20.0
RETRY_SECONDS = "2"
_log = get_logger("http")


class RoomError(Exception):
    """There is no room for more. The message says of whose it is."""


@dataclass
class Room:
    """How many bytes of bodies are held at once, of one caller and in all."""

    of_caller: int
    in_all: int
    held: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def taken(self, caller: str) -> Iterator[Taken]:
        """Room for one body, given back at the end; an empty name is of nobody in particular."""
        taken = Taken(self, caller)
        try:
            yield taken
        finally:
            self.held[caller] -= taken.size
            if not self.held[caller]:
                del self.held[caller]


@dataclass
class Taken:
    """What one body takes of a room."""

    room: Room
    caller: str
    size: int = 0

    def take(self, size: int) -> None:
        """Take more.

        Raises:
            RoomError: There is no more.
        """
        if self.room.held.total() + size > self.room.in_all:
            raise RoomError("all")
        if self.caller and self.room.held[self.caller] + size > self.room.of_caller:
            raise RoomError("caller")
        self.room.held[self.caller] += size
        self.size += size


class WholeBodies:
    """Reads the body of each POST, and lets the request through with it, in one piece.

    ``largest`` is how many bytes it may have; the room is held for as long as the request lasts.
    """

    def __init__(self, app: ASGIApp, largest: int, room: Room | None = None) -> None:
        self._app = app
        self._largest = largest
        self._room = room or Room(largest, in_all=256 * largest)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        codings = [value.strip().lower() for name, value in scope["headers"] if name == b"content-encoding"]
        if any(coding not in (b"", b"identity") for coding in codings):
            await _refuse(send, 415, "encoded", "A body is taken as it is, and not compressed.")
            return
        caller = scope.get(SCOPE_KEY)
        with self._room.taken(caller.key if isinstance(caller, Caller) else "") as taken:
            await self._answer(scope, receive, send, taken)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, taken: Taken) -> None:
        body: bytes | None = None
        try:
            with anyio.move_on_after(BODY_SECONDS) as limit:
                body = await _body(receive, self._largest, taken)
        except _TooLargeError:
            await _refuse(send, 413, "too_large", f"A message has at most {self._largest:,} bytes.")
            return
        except RoomError as error:
            own = str(error) == "caller"
            whose = "You are sending" if own else "The server is being sent"
            message = f"{whose} too much at once. Wait for an answer."
            await _refuse(send, 429 if own else 503, "too_much", message, retry=True)
            return
        if limit.cancelled_caught:
            await _refuse(send, 408, "request_timeout", "The request did not arrive in time.")
        elif body is not None:
            await self._app(scope, in_one_piece(body, receive), send)


class _TooLargeError(Exception):
    """The body has more bytes than it may have."""


async def _body(receive: Receive, largest: int, taken: Taken) -> bytes | None:
    """The body; None where its sender went away in the midst of it."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        if taken.size + len(part) > largest:
            raise _TooLargeError
        taken.take(len(part))
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def in_one_piece(body: bytes, receive: Receive) -> Receive:
    """Gives the body, and then what comes behind it."""
    left = [body]

    async def again() -> Message:
        # Once only, so that nothing of it is held on to while a long answer is given.
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again


async def _refuse(send: Send, status: int, code: str, message: str, *, retry: bool = False) -> None:
    _log.warning("body_refused", reason=code)
    await refuse(send, status, code, message, [("retry-after", RETRY_SECONDS)] if retry else [])
