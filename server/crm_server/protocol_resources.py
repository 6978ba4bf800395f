"""Resources and completions on the wire. What is read of the CRM is a call of the tool that answers it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from crm_server.app import Application
from crm_server.approval import Plan
from crm_server.call import CallAnswer, UnknownToolError
from crm_server.policy.model import Decision, Principal
from crm_server.policy.show import show
from crm_server.resources import POLICY, RESOURCES, TEXT, completing, question_of, view_at
from crm_server.sign_in import callers
from crm_server.views import MIME_TYPE, resource_meta
from crm_tools.errors import ApprovalError
from crm_tools.own_tools import complete_tool, list_views_tool, own_tools

Context = ServerRequestContext[Any, Any]
_COMPLETE = "complete"
_CONSULTED = (*own_tools(), complete_tool(), list_views_tool())


def principal_of(application: Application) -> Principal:
    """Who calls: told by the transport, or whoever runs the server."""
    caller = callers.present()
    return application.local if caller is None else Principal(caller.name, caller.roles)


class ResourceAdapter:
    """Resources and completions: each read of the CRM is a call of the tool that answers it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        named = application.named
        tools = _CONSULTED if named is None else tuple(named.on_named_too(tool) for tool in _CONSULTED)
        self._consulted_tools = {tool.name: tool for tool in tools}

    async def list_resources(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """What can be read at one address."""
        return types.ListResourcesResult(
            resources=[
                types.Resource(
                    uri=item.uri,
                    name=item.name,
                    title=item.title,
                    description=item.description,
                    mime_type=item.mime_type,
                    _meta=None if item.view is None else resource_meta(item.view),
                )
                for item in RESOURCES
                if not item.is_template
            ]
        )

    async def list_templates(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """Forms of addresses that stand for many."""
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(
                    uri_template=item.uri,
                    name=item.name,
                    title=item.title,
                    description=item.description,
                    mime_type=item.mime_type,
                )
                for item in RESOURCES
                if item.is_template
            ]
        )

    async def read(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """What stands at an address.

        Raises:
            MCPError: Nothing does, or it may not be read.
        """
        uri = str(params.uri)
        if (view := view_at(uri)) is not None:
            return _contents(uri, MIME_TYPE, view.html, resource_meta(view))
        if uri == POLICY:
            return _contents(uri, TEXT, show(self._application.crm.policy, self._application.crm.tables))
        question = question_of(uri)
        if question is None:
            raise _no_such_resource(uri)
        answer = await self._consulted(context, question.tool, question.arguments)
        if answer is None:
            raise _no_such_resource(uri)
        if answer.is_error:
            raise _refused(answer.content["error"])
        text = answer.text if question.mime_type == TEXT else json.dumps(answer.content, ensure_ascii=False)
        return _contents(uri, question.mime_type, text)

    async def complete(self, context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        """Values for what somebody types; none where nothing may be read."""
        others = (params.context.arguments if params.context else None) or {}
        found = completing(params.argument.name, others)
        answer = None
        if found is not None:
            given = {"kind": found.kind, "table": found.table, "column": found.column}
            arguments = {name: value for name, value in given.items() if value is not None}
            arguments["text"] = params.argument.value
            answer = await self._consulted(context, _COMPLETE, arguments)
        # Nothing is said of what may not be read: there is nothing to complete then.
        content = {} if answer is None or answer.is_error else answer.content
        return types.CompleteResult(
            completion=types.Completion(values=content.get("values", []), has_more=content.get("more", False))
        )

    async def _consulted(
        self, context: Context, name: str, arguments: Mapping[str, Any]
    ) -> CallAnswer | None:
        tool = self._consulted_tools[name]
        try:
            with callers.called_by(callers.of_request(context.request)):
                principal = principal_of(self._application)
                return await self._application.caller.consult(tool, arguments, principal, _NobodyAsked())
        except UnknownToolError:
            return None


class _NobodyAsked:
    """Nobody is asked to read a resource: who wants what needs a human calls the tool."""

    async def approve(self, _plan: Plan, decision: Decision) -> None:
        raise ApprovalError(
            f"Reading this needs the approval of a human (rule {', '.join(decision.rules)}). Call the tool."
        )


def _contents(
    uri: str, mime_type: str, text: str, meta: dict[str, Any] | None = None
) -> types.ReadResourceResult:
    content = types.TextResourceContents(uri=uri, mime_type=mime_type, text=text, _meta=meta)
    return types.ReadResourceResult(contents=[content])


def _refused(error: Mapping[str, Any]) -> MCPError:
    """Why a resource cannot be read; records to choose from stand beside the message, as data."""
    candidates = error.get("candidates")
    return MCPError(
        code=types.INVALID_PARAMS,
        message=str(error["message"]),
        data={"candidates": candidates} if candidates else None,
    )


def _no_such_resource(uri: str) -> MCPError:
    return MCPError(
        code=types.INVALID_PARAMS, message=f"Unknown resource: {uri[:200]}", data={"uri": uri[:200]}
    )
