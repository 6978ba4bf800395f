"""What a fault does to a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from crm_sandbox.trouble.asgi import (
    Answer,
    App,
    Receive,
    Scope,
    Send,
    answer_of,
    error_answer,
    send_answer,
    send_start,
    text_answer,
)
from crm_sandbox.trouble.faults import (
    Drop,
    ExpiredToken,
    Fault,
    ForeignNextLink,
    Gateway,
    NotJson,
    Slow,
    Throttle,
    Truncate,
)
from crm_sandbox.trouble.hanging_up import hang_up
from crm_sandbox.trouble.latency import Sleep
from crm_sandbox.trouble.limits import REQUESTS_CODE

Spoiling = Truncate | Slow | ForeignNextLink
"""The faults of a real answer; all others stand in its place."""

NEXT_LINK = "@odata.nextLink"
PIECES = 10
"""A trickle comes in so many pieces at most."""

_HTML = "text/html; charset=utf-8"
_GATEWAY = {"bad_gateway": 502, "unavailable": 503, "gateway_timeout": 504}
_REASON = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


class Committing:
    """Commits faults on an application. Waits by ``sleep``, dates by ``now``."""

    def __init__(self, app: App, now: Callable[[], datetime], sleep: Sleep) -> None:
        self._app = app
        self._now = now
        self._sleep = sleep

    async def commit(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a request with a fault.

        False: nothing in the real answer could fail this way, and it has been sent as it is.

        Raises:
            ConnectionDropped: The connection is to be dropped, and the server cannot.
        """
        match fault:
            case Throttle():
                await send_answer(self._throttled(fault), send)
            case ExpiredToken():
                expired = text_answer(401, "text/html", "", www_authenticate=fault.www_authenticate)
                await send_answer(expired, send)
            case Gateway() | NotJson():
                await self._run_if(fault.stored, scope, receive)
                await send_answer(_page(fault), send)
            case Drop():
                await self._run_if(fault.stored, scope, receive)
                await hang_up(scope, receive)
            case _:
                answer = await answer_of(self._app, scope, receive)
                return await self._spoil(fault, answer, scope, receive, send)
        return True

    async def _run_if(self, stored: bool, scope: Scope, receive: Receive) -> None:
        if stored:
            await answer_of(self._app, scope, receive)

    async def _spoil(
        self,
        fault: Spoiling,
        answer: Answer,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> bool:
        if isinstance(fault, Slow):
            await self._slowly(fault, answer, send)
            return True
        if isinstance(fault, ForeignNextLink):
            spoiled = _with_foreign_link(answer, fault.host)
            await send_answer(spoiled or answer, send)
            return spoiled is not None
        if not answer.body or scope["method"] == "HEAD":
            await send_answer(answer, send)
            return False
        await send_start(answer.with_body(answer.body), send)
        half = answer.body[: len(answer.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await hang_up(scope, receive)
        return True

    async def _slowly(self, fault: Slow, answer: Answer, send: Send) -> None:
        if not fault.trickle or not answer.body:
            await self._sleep(fault.seconds)
            await send_answer(answer, send)
            return
        pieces = _pieces(answer.body)
        await send_start(answer, send)
        for piece in pieces:
            await self._sleep(fault.seconds / len(pieces))
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _throttled(self, fault: Throttle) -> Answer:
        """https://learn.microsoft.com/power-apps/developer/data-platform/api-limits; dates as in RFC 9110."""
        message = "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
        value = str(fault.retry_after)
        if fault.retry_after_as == "date":
            moment = self._now().astimezone(UTC) + timedelta(seconds=fault.retry_after)
            value = format_datetime(moment, usegmt=True)
        return error_answer(429, REQUESTS_CODE, message, retry_after=value)


def _page(fault: Gateway | NotJson) -> Answer:
    status = 200 if isinstance(fault, NotJson) else _GATEWAY[fault.what]
    title = _REASON.get(status, "Sign in to the network")
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return text_answer(status, _HTML, page)


def _pieces(body: bytes) -> list[bytes]:
    edges = sorted({len(body) * number // PIECES for number in range(PIECES + 1)})
    return [body[begin:end] for begin, end in pairwise(edges)]


def _with_foreign_link(answer: Answer, host: str) -> Answer | None:
    """The answer with a nextLink to another host; None, when it has no nextLink."""
    content = _json(answer.body)
    link = content.get(NEXT_LINK) if isinstance(content, dict) else None
    if not isinstance(link, str):
        return None
    content[NEXT_LINK] = urlunsplit(urlsplit(link)._replace(netloc=host))
    return answer.with_body(json.dumps(content, ensure_ascii=False).encode())


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
