"""Explains the policy's decision on one tool call without making it.

The tool's own handler runs on a gateway that judges each operation as always, and stops there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

import anyio

from crm_server.approval import Plan
from crm_server.dataverse.client import DataverseClient
from crm_server.gateway import Crm, Gateway, Session, Trail
from crm_server.policy.explain import explain
from crm_server.policy.load import load_policy
from crm_server.policy.model import Decision, Principal
from crm_server.settings import Settings
from crm_server.state import open_memory
from crm_tools.catalogue import Tool, catalogue
from crm_tools.description import load
from crm_tools.errors import UnknownNameError
from crm_tools.handlers import Context
from crm_tools.operations import Access, Operation


def explain_call(settings: Settings, tool_name: str, arguments: Mapping[str, Any]) -> str:
    """The decision on a call of this tool with these arguments, as text.

    Raises:
        UnknownNameError: No such tool.
        InputError: The arguments do not fit the tool.
        PolicyFileError: The policy cannot be read.
    """
    tables = load().tables
    policy = load_policy(settings.policy, tables)
    tool = _tool(tool_name)
    tool.checker.check(arguments)
    crm = Crm("", "", tables, policy, client=_no_client, now=_now, state=open_memory(_now))
    return explain(policy, tool.name, anyio.run(_judged, tool, arguments, crm))


async def _judged(tool: Tool, arguments: Mapping[str, Any], crm: Crm) -> list[tuple[Access, Decision]]:
    try:
        await tool.handler(arguments, Context(tool.table, crm.tables, Gateway(_JudgingSession(crm))))
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

    def __init__(self, crm: Crm) -> None:
        super().__init__(crm, Principal(), _NobodyToAsk(), Trail())

    async def judge(self, operation: Operation) -> NoReturn:
        raise _JudgedError(list(self.quietly(operation).parts))


def _now() -> datetime:
    return datetime.now(UTC)


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
