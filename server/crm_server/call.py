"""The path of one tool call, and the only place that catches every exception.

Find the tool through the predicate that also lists it, check the arguments, run the handler, shape the
answer, write one log event.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from uuid import uuid4

from crm_server.approval import Approver, InputNeededError
from crm_server.auditing import call_event
from crm_server.dataverse import crm_request_id
from crm_server.gateway import Crm, Gateway, Session, Tell, Trail, untold
from crm_server.log import bound, get_logger
from crm_server.metering import UNKNOWN_TOOL
from crm_server.policy.decide import ever_allows
from crm_server.policy.limits import Left
from crm_server.policy.model import Decision, Policy, Principal
from crm_server.tracing import describe_call, trace_id
from crm_tools.catalogue import AnyTool
from crm_tools.errors import AnswerTooLargeError, CrmError, InternalError
from crm_tools.forms import Form, form_of
from crm_tools.rendering import rendered

_LITTLE = 3
"""So few left of a limit are told in the answer itself."""

UNDO = "undo_change"

LARGEST_ANSWER = 400_000
"""Characters of an answer. Hosts cut far earlier; over SSE the SDK's client takes no event of a megabyte."""

log = get_logger("call")


class UnknownToolError(LookupError):
    """No tool of this name is offered: it does not exist, or the policy never allows it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Unknown tool: {name[:100]}")


@dataclass(frozen=True)
class CallAnswer:
    """The answer of a call: ``content`` is JSON, ``is_error`` says whether it describes an error.

    ``decision`` is the policy's, when the call got as far as to be judged; ``environment`` says where the
    call was made.
    """

    content: Mapping[str, Any]
    is_error: bool = False
    decision: Decision | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    left: tuple[Left, ...] = ()
    """What is left of the limits after a write."""
    reading: str | None = None
    """The content as text made for reading, where the tool has one."""

    @cached_property
    def text(self) -> str:
        """The content as text: made for reading, or compact JSON."""
        if self.reading is not None:
            return self.reading
        return json.dumps(self.content, ensure_ascii=False, separators=(",", ":"))


def offers(policy: Policy, tool: AnyTool) -> bool:
    """Whether some call of the tool could be allowed."""
    return any(ever_allows(policy, action, table) for action, table in tool.needs)


class Caller:
    """Lists and calls tools for a principal."""

    def __init__(self, crm: Crm, tools: tuple[AnyTool, ...]) -> None:
        self._crm = crm
        self.offer(tools)

    def offer(self, tools: tuple[AnyTool, ...]) -> None:
        """Offer these tools from now on, as far as the policy lets them through."""
        policy = self._crm.policy
        self._tools, self._policy = tools, policy
        self._offered = {tool.name: tool for tool in tools if offers(policy, tool)}
        self._listed = tuple(
            tool.without(policy.hidden.get(tool.about, frozenset())) for tool in self._offered.values()
        )

    def tools(self) -> tuple[AnyTool, ...]:
        """The tools on offer. What is not among them cannot be called."""
        self._follow_policy()
        return tuple(self._offered.values())

    def listed(self) -> tuple[AnyTool, ...]:
        """The tools on offer as a client sees them: without the columns that nobody may see or set."""
        self._follow_policy()
        return self._listed

    def _follow_policy(self) -> None:
        if self._policy is not self._crm.policy:
            self.offer(self._tools)

    def tool(self, name: str) -> AnyTool:
        """The tool of this name.

        Raises:
            UnknownToolError: Not on offer; unknown and hidden tools are told apart by nobody.
        """
        self._follow_policy()
        if name not in self._offered:
            raise UnknownToolError(name)
        return self._offered[name]

    def environment(self) -> Mapping[str, Any]:
        """What is known of the environment the present caller works in."""
        return self._crm.identities.facts()

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        principal: Principal,
        approver: Approver,
        tell: Tell = untold,
    ) -> CallAnswer:
        """Run a tool. Whatever goes wrong inside becomes an answer with ``is_error``.

        Raises:
            UnknownToolError: No such tool is on offer.
            InputNeededError: A human has to be asked by way of the client first.
        """
        tool = self._noted_tool(name, principal)
        return await self._called(tool, arguments, principal, approver, tell)

    def _noted_tool(self, name: str, principal: Principal) -> AnyTool:
        """The tool of this name; that there is none is noted.

        Raises:
            UnknownToolError: As :meth:`tool`.
        """
        try:
            return self.tool(name)
        except UnknownToolError:
            # Its name is the caller's own text, and so is no part of the audit.
            self._crm.state.note(
                {"kind": "call", "caller": principal.name, "tool": UNKNOWN_TOOL, "outcome": "unknown_tool"}
            )
            self._crm.meter.called(UNKNOWN_TOOL, "none", "unknown_tool", "none", 0.0)
            raise

    async def undo(self, change_id: str, principal: Principal, approver: Approver) -> CallAnswer:
        """Take a change back, whoever made it: for people who look after all callers.

        Raises:
            UnknownToolError: The policy offers no tool for it.
            InputNeededError: As :meth:`call`.
        """
        tool = self._noted_tool(UNDO, principal)
        return await self._called(tool, {"change_id": change_id}, principal, approver, of_all=True)

    async def consult(
        self, tool: AnyTool, arguments: Mapping[str, Any], principal: Principal, approver: Approver
    ) -> CallAnswer:
        """Run a tool that answers for something else, such as a resource; it need not be on offer itself.

        Raises:
            UnknownToolError: The policy leaves nothing that it could do.
            InputNeededError: A human has to be asked by way of the client first.
        """
        if not offers(self._crm.policy, tool):
            raise UnknownToolError(tool.name)
        return await self._called(tool, arguments, principal, approver)

    async def _called(
        self,
        tool: AnyTool,
        arguments: Mapping[str, Any],
        principal: Principal,
        approver: Approver,
        tell: Tell = untold,
        *,
        of_all: bool = False,
    ) -> CallAnswer:
        request_id = uuid4().hex[:12]
        trail = Trail(tool.about, tool.effect, tool.name, request_id)
        crm_request_id.set(None)
        started = time.perf_counter()
        with bound(request_id=request_id, **trace_id()):
            session = Session(self._crm, principal, approver, trail, tell=tell, of_all=of_all)
            try:
                answer = await self._run(tool, arguments, session)
            except InputNeededError:
                self._measure(trail, "input_needed", started)
                raise
            outcome = answer.content["error"]["code"] if answer.is_error else "ok"
            self._crm.state.note(call_event(trail, principal, self._kind(), outcome, crm_request_id.get()))
            describe_call(trail.table, trail.effect, outcome, answer.decision, request_id)
            log.info(
                "call",
                tool=tool.name,
                table=trail.table,
                effect=trail.effect,
                decision=answer.decision.outcome.value if answer.decision else "none",
                rules=list(answer.decision.rules) if answer.decision else [],
                outcome=outcome,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
                crm_request_id=crm_request_id.get(),
            )
            self._measure(trail, outcome, started)
        return answer

    def _measure(self, trail: Trail, outcome: str, started: float) -> None:
        decision = trail.decision.outcome.value if trail.decision else "none"
        seconds = time.perf_counter() - started
        self._crm.meter.called(trail.tool, trail.effect, outcome, decision, seconds)

    def _kind(self) -> str | None:
        kind = str(self.environment()["kind"])
        return None if kind == "unknown" else kind

    async def _run(
        self,
        tool: AnyTool,
        arguments: Mapping[str, Any],
        session: Session,
    ) -> CallAnswer:
        if self._crm.policy.asks_environment:
            await self._crm.identities.learn()
        async with self._crm.identities.learning() as asked:
            session.asked = asked
            try:
                answer = await self._answer(tool, arguments, Gateway(session), session.trail)
            finally:
                await session.settle()
        return replace(answer, environment=self.environment())

    def _form(self) -> Form:
        return form_of(self._crm.zone, self._crm.locale, self._crm.tables.values())

    async def _answer(
        self, tool: AnyTool, arguments: Mapping[str, Any], gateway: Gateway, trail: Trail
    ) -> CallAnswer:
        try:
            tool.checker.check(arguments)
            answered = await tool.run(arguments, self._crm.tables, gateway)
            content = _with_notes(answered, trail)
            detailed = arguments.get("format") == "detailed"
            reading = rendered(content, self._form(), detailed=detailed) if tool.renders else None
            return _bounded(CallAnswer(content, decision=trail.decision, left=trail.left, reading=reading))
        except InputNeededError:
            log.info("approval asked", tool=tool.name, table=trail.table, effect=trail.effect)
            raise
        except CrmError as error:
            return _error_answer(error, trail)
        except Exception:
            log.exception("unexpected error", tool=tool.name)
            return _error_answer(
                InternalError(
                    "The server hit an unexpected error; its log has the cause under the correlation id. "
                    "If the call was a write, read the record before you try again."
                ),
                trail,
            )


def _bounded(answer: CallAnswer) -> CallAnswer:
    if len(answer.text) > LARGEST_ANSWER:
        raise AnswerTooLargeError(
            f"The answer has {len(answer.text):,} characters, and more than {LARGEST_ANSWER:,} are not sent. "
            "Ask for fewer rows by top, fewer columns by select, or fewer related rows by expand."
        )
    return answer


def _with_notes(content: Mapping[str, Any], trail: Trail) -> Mapping[str, Any]:
    """The answer with what the caller has to know besides: what went wrong, which limit is nearly used up."""
    notes = dict(content)
    if trail.changes:
        notes["change_id"] = trail.changes[-1]
    if trail.warnings:
        notes["warning"] = " ".join([*filter(None, [notes.get("warning")]), *trail.warnings])
    if nearly := [one.words for one in trail.left if one.left <= max(_LITTLE, one.limit // 10)]:
        notes["limits"] = nearly
    return notes


def _error_answer(error: CrmError, trail: Trail) -> CallAnswer:
    details = {"code": error.code, "message": error.message, **error.details}
    if trail.warnings:
        details["message"] = " ".join([error.message, *trail.warnings])
    details["correlation_id"] = trail.request_id
    return CallAnswer({"error": details}, is_error=True, decision=trail.decision, left=trail.left)
