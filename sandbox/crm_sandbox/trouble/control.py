"""The control endpoint: ``/sandbox/`` of the same server, JSON in and out.

=======  =====================  ===================================================================
GET      /sandbox/requests      the log; see :meth:`RequestLog.as_json`
DELETE   /sandbox/requests      empties the log and the counters
GET      /sandbox/counters      counts by method, status and fault, the limits and what is used of them
GET      /sandbox/faults        the fault script in force
PUT      /sandbox/faults        a new one, which counts from the beginning
POST     /sandbox/reset         calls the hook; log, counters, limits and faults begin anew as well
POST     /sandbox/snapshot      calls the hook with the name in ``{"name": ...}``, or "default"
POST     /sandbox/restore       the same, to go back to that snapshot
=======  =====================  ===================================================================

An error is ``{"error": reason}`` with 400, 404, 405, 413 or, for a hook that was not given, 501.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from crm_sandbox.trouble.asgi import Answer, Receive, Scope, Send, json_answer, send_answer
from crm_sandbox.trouble.faults import FaultScript, FaultScriptError
from crm_sandbox.trouble.limits import Limiter
from crm_sandbox.trouble.log import RequestLog
from crm_sandbox.trouble.planning import FaultPlan

ROOT = "/sandbox/"
LARGEST_BODY = 1024 * 1024
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the control endpoint can do to the data; what is None is answered with 501.

    ``restore`` raises LookupError for a name that no snapshot has; any of them may raise ValueError for a
    request that it cannot fulfil. The text of either is the reason that the client gets.
    """

    reset: Callable[[], object] | None = None
    snapshot: Callable[[str], object] | None = None
    restore: Callable[[str], object] | None = None


@dataclass(slots=True)
class State:
    """What the middleware and its control endpoint share."""

    log: RequestLog
    limiter: Limiter | None
    plan: FaultPlan
    search_limiter: Limiter | None = None

    def begin_anew(self) -> None:
        """Empty log, unused limits, and the same fault script from its beginning."""
        self.log.clear()
        for limiter in (self.limiter, self.search_limiter):
            if limiter is not None:
                limiter.reset()
        self.plan = FaultPlan(self.plan.script)


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


Handler = Callable[[Receive], Awaitable[Any]]


class Control:
    """Answers the control endpoint."""

    def __init__(self, hooks: Hooks, state: State) -> None:
        self._hooks = hooks
        self._state = state
        self._handlers: dict[str, dict[str, Handler]] = {
            "requests": {"GET": self._requests, "DELETE": self._forget_requests},
            "counters": {"GET": self._counters},
            "faults": {"GET": self._faults, "PUT": self._set_faults},
            "reset": {"POST": self._reset},
            "snapshot": {"POST": self._snapshot},
            "restore": {"POST": self._restore},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await send_answer(
            await self._answer(scope["method"], scope["path"].removeprefix(ROOT), receive), send
        )

    async def _answer(self, method: str, name: str, receive: Receive) -> Answer:
        handlers = self._handlers.get(name)
        if handlers is None:
            return _error(404, f"There is no {ROOT}{name}; there are {', '.join(self._handlers)}.")
        if method not in handlers:
            return _error(405, f"{ROOT}{name} does not know {method}.", allow=", ".join(handlers))
        try:
            return json_answer(200, await handlers[method](receive))
        except _RefusedError as refused:
            return _error(refused.status, str(refused))

    async def _requests(self, _: Receive) -> Any:
        return self._state.log.as_json()

    async def _forget_requests(self, _: Receive) -> Any:
        self._state.log.clear()
        return self._state.log.as_json()

    async def _counters(self, _: Receive) -> Any:
        limiter = self._state.limiter
        limits = None if limiter is None else {**asdict(limiter.limits), "used": limiter.used()}
        return {**self._state.log.counters(), "limits": limits}

    async def _faults(self, _: Receive) -> Any:
        return self._state.plan.script.as_json()

    async def _set_faults(self, receive: Receive) -> Any:
        try:
            script = FaultScript.from_json(await _text(receive))
        except FaultScriptError as error:
            raise _RefusedError(400, str(error)) from None
        self._state.plan = FaultPlan(script)
        return script.as_json()

    async def _reset(self, _: Receive) -> Any:
        _call(self._hooks.reset, "reset")
        self._state.begin_anew()
        return {"reset": True}

    async def _snapshot(self, receive: Receive) -> Any:
        name = _name(await _text(receive))
        _call(self._hooks.snapshot, "snapshot", name)
        return {"snapshot": name}

    async def _restore(self, receive: Receive) -> Any:
        name = _name(await _text(receive))
        _call(self._hooks.restore, "restore", name)
        return {"restored": name}


def _call(hook: Callable[..., object] | None, name: str, *arguments: str) -> None:
    if hook is None:
        raise _RefusedError(501, f"This sandbox has no {name}.")
    try:
        hook(*arguments)
    except LookupError as error:
        # str() of a KeyError is the quoted key; its argument is the text.
        raise _RefusedError(404, str(error.args[0]) if error.args else "There is no such snapshot.") from None
    except ValueError as error:
        raise _RefusedError(400, str(error)) from None


def _name(text: str) -> str:
    """The name of a snapshot out of a body, which may be empty."""
    if not text.strip():
        return "default"
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, f"This is not JSON: {error}") from None
    name = content.get("name", "default") if isinstance(content, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise _RefusedError(
            400, f'The body is {{"name": a text of 1 to {LONGEST_NAME} characters}}, or empty.'
        )
    return name


async def _text(receive: Receive) -> str:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise _RefusedError(413, f"The body has more than {LARGEST_BODY} bytes.")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _RefusedError(400, "The body is not text in UTF-8.") from None


def _error(status: int, reason: str, **headers: str) -> Answer:
    return json_answer(status, {"error": reason}, **headers)
