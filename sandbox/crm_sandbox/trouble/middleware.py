"""The parts of trouble, put together round an application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from crm_sandbox.trouble.asgi import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    adding_headers,
    error_answer,
    header_of,
    send_answer,
)
from crm_sandbox.trouble.committing import Committing
from crm_sandbox.trouble.control import ROOT, Control, Hooks, State
from crm_sandbox.trouble.faults import HEADER, FaultScript
from crm_sandbox.trouble.hanging_up import ConnectionDropped
from crm_sandbox.trouble.latency import Latency, Sleep
from crm_sandbox.trouble.limits import (
    LIMITED_PATH,
    SEARCH_LIMITS,
    SEARCH_PATH,
    Admission,
    Limiter,
    Limits,
    Refusal,
)
from crm_sandbox.trouble.log import LoggedRequest, RequestLog, shortened
from crm_sandbox.trouble.planning import FaultPlan


def utc_now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


def one_caller(_: Scope) -> str:
    """Takes everybody for the same user."""
    return "everybody"


class Trouble:
    """An ASGI application that stands before another and makes trouble.

    From the outside in: the control endpoint, which has no trouble of its own; the log; the limits, which
    count what arrives, as the service does; latency; the faults; the application. Latency and slowness are
    inside the limits, so they count as execution time and as requests under way.

    Args:
        app: The application.
        limits: The service protection limits, or None for no limits.
        faults: The script of what goes wrong, or None for nothing.
        latency_ms: So many milliseconds are added to each request,
        jitter_ms: and up to so many more,
        seed: by this seed.
        now: The clock, with a time zone. Of limits, durations and dates.
        sleep: Waits so many seconds.
        caller_of: The user of a request, by whom is counted. The log names it: it must not be a credential.
        control: What the control endpoint can do, or None for no control endpoint.

    Raises:
        ValueError: A latency or jitter is negative or not a number.
    """

    def __init__(
        self,
        app: App,
        *,
        limits: Limits | None = None,
        faults: FaultScript | None = None,
        latency_ms: float = 0,
        jitter_ms: float = 0,
        seed: int = 0,
        now: Callable[[], datetime] = utc_now,
        sleep: Sleep = asyncio.sleep,
        caller_of: Callable[[Scope], str] = one_caller,
        control: Hooks | None = None,
    ) -> None:
        limiter = None if limits is None else Limiter(limits, now)
        search_limiter = None if limits is None else Limiter(SEARCH_LIMITS, now)
        self._state = State(RequestLog(), limiter, FaultPlan(faults or FaultScript()), search_limiter)
        self._app = app
        self._committing = Committing(app, now, sleep)
        self._latency = Latency(latency_ms, jitter_ms, seed, sleep)
        self._now = now
        self._caller_of = caller_of
        self._control = None if control is None else Control(control, self._state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with or without trouble.

        Raises:
            ConnectionDropped: The connection is to be dropped, and the server cannot.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._control is not None and scope["path"].startswith(ROOT):
            await self._control(scope, receive, send)
        else:
            await self._logged(scope, receive, send)

    async def _logged(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller, started = self._caller_of(scope), self._now()
        outcome = _Outcome(send)
        try:
            await self._limited(caller, scope, receive, outcome)
        except ConnectionDropped:
            raise
        except Exception:
            outcome.status = outcome.status or 500  # which is what a server makes of it
            raise
        finally:
            self._state.log.add(
                LoggedRequest(
                    method=shortened(scope["method"]),
                    path=shortened(_sent_path(scope)),
                    status=outcome.status,
                    duration_ms=max(0.0, (self._now() - started) / timedelta(milliseconds=1)),
                    caller=shortened(caller),
                    client_request_id=_client_request_id(scope),
                    fault=outcome.fault,
                )
            )

    async def _limited(self, caller: str, scope: Scope, receive: Receive, outcome: _Outcome) -> None:
        limiter, shows_rest = self._limiter_of(scope["path"])
        if limiter is None:
            await self._latency.wait()
            await self._faulty(scope, receive, outcome, outcome)
            return
        send = adding_headers(outcome, lambda: limiter.headers(caller)) if shows_rest else outcome
        admission = limiter.admit(caller)
        if isinstance(admission, Refusal):
            await self._latency.wait()
            await _refuse(admission, send)
        else:
            await self._admitted(admission, scope, receive, send, outcome)

    def _limiter_of(self, path: str) -> tuple[Limiter | None, bool]:
        """What limits a path, and whether its answers say how much is left."""
        if path.startswith(SEARCH_PATH):
            return self._state.search_limiter, False
        return (self._state.limiter if path.startswith(LIMITED_PATH) else None), True

    async def _admitted(
        self, admission: Admission, scope: Scope, receive: Receive, send: Send, outcome: _Outcome
    ) -> None:
        try:
            await self._latency.wait()
            await self._faulty(scope, receive, send, outcome)
        finally:
            admission.release()

    async def _faulty(self, scope: Scope, receive: Receive, send: Send, outcome: _Outcome) -> None:
        armed = self._state.plan.choose(scope["method"], scope["path"], header_of(scope, HEADER))
        if armed is None:
            await self._app(scope, receive, send)
            return
        outcome.fault = armed.fault.what
        if not await self._committing.commit(armed.fault, scope, receive, send):
            armed.spare()
            outcome.fault = None


class _Outcome:
    """The way out of an answer, which sees how the request ends."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.fault: str | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


async def _refuse(refusal: Refusal, send: Send) -> None:
    """https://learn.microsoft.com/power-apps/developer/data-platform/api-limits."""
    answer = error_answer(429, refusal.code, refusal.message, retry_after=str(refusal.retry_after))
    await send_answer(answer, send)


def _sent_path(scope: Scope) -> str:
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _client_request_id(scope: Scope) -> str | None:
    sent = header_of(scope, "x-ms-client-request-id")
    return None if sent is None else shortened(sent)
