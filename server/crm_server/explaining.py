"""Explains the policy's decision on one tool call without making it.

The tool's own handler runs on a gateway that judges each operation as always, and stops there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

import anyio

from crm_server.approval import Judged, Plan
from crm_server.dataverse.client import DataverseClient
from crm_server.gateway import Crm, Gateway, Session, Trail
from crm_server.policy.explain import explain
from crm_server.policy.load import load_policy
from crm_server.policy.model import Decision, Policy, Principal
from crm_server.settings import Settings
from crm_server.state import open_memory
from crm_tools.catalogue import Tool, catalogue
from crm_tools.errors import UnknownNameError
from crm_tools.handlers import Context
from crm_tools.operations import Access
from crm_tools.standard import standard_tables


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, in which kind of environment, and when: None is not known, and now."""

    principal: Principal = field(default_factory=Principal)
    environment: str | None = None
    at: datetime | None = None

    def now(self) -> datetime:
        """The moment of asking."""
        return self.at or datetime.now(UTC)


def explain_call(
    settings: Settings, tool_name: str, arguments: Mapping[str, Any], asking: Asking | None = None
) -> str:
    """The decision on a call of this tool with these arguments, as text.

    Raises:
        UnknownNameError: No such tool.
        InputError: The arguments do not fit the tool.
        PolicyFileError: The policy cannot be read.
    """
    policy = load_policy(settings.policy, standard_tables())
    return explain(policy, tool_name, judged_call(policy, tool_name, arguments, asking or Asking()))


def judged_call(
    policy: Policy, tool_name: str, arguments: Mapping[str, Any], asking: Asking
) -> list[tuple[Access, Decision]]:
    """The decisions on what a call of this tool with these arguments touches.

    Raises:
        UnknownNameError: No such tool.
        InputError: The arguments do not fit the tool.
    """
    tool = _tool(tool_name)
    tool.checker.check(arguments)
    crm = Crm(
        "",
        "",
        dict(standard_tables()),
        policy,
        client=_no_client,
        now=asking.now,
        state=open_memory(asking.now),
    )
    return anyio.run(_judged, tool, arguments, _JudgingSession(crm, asking))


async def _judged(
    tool: Tool, arguments: Mapping[str, Any], session: _JudgingSession
) -> list[tuple[Access, Decision]]:
    try:
        await tool.handler(arguments, Context(tool.table, session.crm.tables, Gateway(session)))
    except _JudgedError as judged:
        return judged.decisions
    raise AssertionError("a handler ended without asking the CRM for anything")


class _JudgedError(Exception):
    """Carries the decisions out of the handler."""

    def __init__(self, decisions: list[tuple[Access, Decision]]) -> None:
        super().__init__("judged")
        self.decisions = decisions


class _JudgingSession(Session):
    """Stops at the first judgement, before anything else happens."""

    def __init__(self, crm: Crm, asking: Asking) -> None:
        super().__init__(crm, asking.principal, _NobodyToAsk(), Trail())
        self._asking = asking

    @property
    def environment(self) -> str | None:
        """The kind of environment that was asked about."""
        return self._asking.environment

    async def judge(self, operation: Judged) -> NoReturn:
        raise _JudgedError(list(self.quietly(operation).parts))


class _NobodyToAsk:
    async def approve(self, plan: Plan, decision: Decision) -> None:
        raise AssertionError("nothing is asked while explaining")


def _no_client() -> DataverseClient:
    raise AssertionError("nothing is sent while explaining")


def _tool(name: str) -> Tool:
    tools = {tool.name: tool for tool in catalogue()}
    if name not in tools:
        raise UnknownNameError("tool", name, tools)
    return tools[name]
