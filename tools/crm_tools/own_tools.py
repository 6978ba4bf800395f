"""The tools that stand for no operation of the API description: each with its words, handler and needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from crm_tools import (
    activities,
    change_handlers,
    completing,
    describing,
    exporting,
    finding,
    generic,
    importing,
    overview,
    selling,
    summaries,
    tidying,
    views,
)
from crm_tools import people_tools as words
from crm_tools.checking import ArgumentChecker
from crm_tools.description import Verb
from crm_tools.handlers import Answer, Arguments
from crm_tools.operations import READING, Action
from crm_tools.port import CrmPort
from crm_tools.schemas import (
    LIST_CHANGES_INPUT,
    UNDO_CHANGE_INPUT,
    JsonSchema,
    output_schema,
)
from crm_tools.standard import VIEWS, standard_tables
from crm_tools.tables import Table
from crm_tools.toolsets import ADMIN, BULK, CHANGES, COMPACT, INSIGHT, SALES

OwnHandler = Callable[[Arguments, Mapping[str, Table], CrmPort], Awaitable[Answer]]
Needs = tuple[tuple[Action, str], ...]
_Row = tuple[str, Action, JsonSchema, OwnHandler, Needs]
"""A tool of a toolset: name, action, arguments, handler and needs."""
_ANY_OUTPUT: JsonSchema = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Hints:
    """The four behaviour hints of MCP's ToolAnnotations."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


_ADDS = Hints(read_only=False, destructive=False, idempotent=False, open_world=False)
_CHANGES = Hints(read_only=False, destructive=True, idempotent=True, open_world=False)
_ADDS_AND_CHANGES = Hints(read_only=False, destructive=True, idempotent=False, open_world=False)
HINTS: Mapping[Action, Hints] = {
    # An update replaces values, so it counts as destructive; a CRM is a closed world.
    Action.READ: Hints(read_only=True, destructive=False, idempotent=True, open_world=False),
    Action.CREATE: _ADDS,
    Action.UPDATE: _CHANGES,
    Action.DELETE: _CHANGES,
}


@dataclass(frozen=True)
class OwnTool:
    """A tool that stands for no operation of the API description.

    ``needs`` are the actions on tables one of which has to be possible for the tool to be of use. With
    ``renders`` its answers are also text made for reading (:mod:`crm_tools.rendering`).
    """

    name: str
    title: str
    description: str
    effect: str
    toolsets: tuple[str, ...]
    hints: Hints
    input_schema: JsonSchema
    output_schema: JsonSchema
    handler: OwnHandler
    needs: Needs
    renders: bool = True
    about: str = ""
    operation_id: str | None = None

    @cached_property
    def checker(self) -> ArgumentChecker:
        """Checks arguments against the input schema."""
        return ArgumentChecker(self.name, self.input_schema, frozenset())

    def without(self, _columns: frozenset[str]) -> OwnTool:
        """The tool as it is listed where columns are hidden: its schema names none."""
        return self

    async def run(self, arguments: Arguments, tables: Mapping[str, Table], port: CrmPort) -> Answer:
        """Run the handler on the port."""
        return await self.handler(arguments, tables, port)


def _tool(
    toolset: str,
    name: str,
    action: Action,
    schema: JsonSchema,
    handler: OwnHandler,
    needs: Needs,
    hints: Hints | None = None,
) -> OwnTool:
    return OwnTool(
        name=name,
        title=name.replace("_", " ").capitalize(),
        description=words.DESCRIPTIONS[name],
        effect=action.value,
        toolsets=(toolset,),
        hints=hints or HINTS[action],
        input_schema=schema,
        output_schema=_ANY_OUTPUT,
        handler=handler,
        needs=needs,
    )


def _tools(toolset: str, *rows: _Row) -> tuple[OwnTool, ...]:
    return tuple(_tool(toolset, *row) for row in rows)


def _on(action: Action, tables: Iterable[str]) -> Needs:
    return tuple((action, table) for table in tables)


@cache
def own_tools() -> tuple[OwnTool, ...]:
    """The tools of the server itself, in a fixed order."""
    return (*_insight(), *_sales(), *_admin(), *_bulk(), *_compact(), *_changes())


def _insight() -> tuple[OwnTool, ...]:
    read = _on(Action.READ, standard_tables())
    glance = _on(Action.READ, overview.OVERVIEW_TABLES)
    total = _on(Action.AGGREGATE, standard_tables())
    return _tools(
        INSIGHT,
        ("find_records", Action.READ, words.FIND_RECORDS, finding.find_records, read),
        ("get_overview", Action.READ, words.GET_OVERVIEW, overview.get_overview, glance),
        ("summarize_records", Action.READ, words.SUMMARIZE_RECORDS, summaries.summarize_records, total),
        ("list_tables", Action.READ, words.LIST_TABLES, describing.list_tables, read),
        ("describe_table", Action.READ, words.DESCRIBE_TABLE, describing.describe_table, read),
        ("whoami", Action.READ, words.WHOAMI, describing.whoami, read),
    )


def _sales() -> tuple[OwnTool, ...]:
    qualify = ((Action.QUALIFY, "lead"),)
    close = ((Action.WIN, "opportunity"), (Action.LOSE, "opportunity"))
    reopen = ((Action.REOPEN, "opportunity"),)
    log = _on(Action.CREATE, activities.ACTIVITY_TYPES.values())
    return _tools(
        SALES,
        ("qualify_lead", Action.UPDATE, words.QUALIFY_LEAD, selling.qualify_lead, qualify),
        ("close_opportunity", Action.UPDATE, words.CLOSE_OPPORTUNITY, selling.close_opportunity, close),
        ("reopen_opportunity", Action.UPDATE, words.REOPEN_OPPORTUNITY, selling.reopen_opportunity, reopen),
        ("log_activity", Action.CREATE, words.LOG_ACTIVITY, activities.log_activity, log),
    )


def _admin() -> tuple[OwnTool, ...]:
    same = _on(Action.READ, tidying.MERGEABLE)
    merge = _on(Action.MERGE, tidying.MERGEABLE)
    link = _on(Action.LINK, standard_tables())
    assign = _on(Action.ASSIGN, standard_tables())
    return _tools(
        ADMIN,
        ("find_duplicates", Action.READ, words.FIND_DUPLICATES, tidying.find_duplicates, same),
        ("merge_records", Action.DELETE, words.MERGE_RECORDS, tidying.merge_records, merge),
        ("link_records", Action.UPDATE, words.LINK_RECORDS, tidying.link_records, link),
        ("assign_record", Action.UPDATE, words.ASSIGN_RECORD, selling.assign_record, assign),
    )


@cache
def complete_tool() -> OwnTool:
    """Completes what somebody types; for clients, and so listed nowhere."""
    return OwnTool(
        name="complete",
        title="Complete",
        description="Values that begin with what was typed.",
        effect="complete",
        toolsets=(),
        hints=HINTS[Action.READ],
        input_schema=words.COMPLETE,
        output_schema=_ANY_OUTPUT,
        handler=completing.complete,
        needs=_on(Action.READ, standard_tables()),
    )


def _bulk() -> tuple[OwnTool, ...]:
    many = _on(Action.BULK, standard_tables())
    read = _on(Action.READ, standard_tables())
    return (
        _tool(
            BULK,
            "import_records",
            Action.BULK,
            words.IMPORT_RECORDS,
            importing.import_records,
            many,
            _ADDS_AND_CHANGES,
        ),
        # It reads the CRM, and adds a file.
        _tool(
            BULK, "export_records", Action.READ, words.EXPORT_RECORDS, exporting.export_records, read, _ADDS
        ),
    )


@cache
def list_views_tool() -> OwnTool:
    """Says which saved views a table has; a resource for clients, and so listed nowhere."""
    return OwnTool(
        name="list_views",
        title="List views",
        description="The saved views of a table.",
        effect=Action.READ.value,
        toolsets=(),
        hints=HINTS[Action.READ],
        input_schema=words.LIST_VIEWS,
        output_schema=_ANY_OUTPUT,
        handler=views.list_views,
        needs=_on(Action.READ, (VIEWS,)),
    )


def _compact() -> tuple[OwnTool, ...]:
    read, create, update, delete = (
        _on(action, standard_tables())
        for action in (Action.READ, Action.CREATE, Action.UPDATE, Action.DELETE)
    )
    return _tools(
        COMPACT,
        ("query_records", Action.READ, words.QUERY_RECORDS, generic.query_records, read),
        ("get_record", Action.READ, words.GET_RECORD, generic.get_record, read),
        ("create_record", Action.CREATE, words.CREATE_RECORD, generic.create_record, create),
        ("update_record", Action.UPDATE, words.UPDATE_RECORD, generic.update_record, update),
        ("delete_record", Action.DELETE, words.DELETE_RECORD, generic.delete_record, delete),
    )


def _changes() -> tuple[OwnTool, ...]:
    writes = tuple(
        (action, table) for table in standard_tables() for action in Action if action not in READING
    )
    return (
        OwnTool(
            name="list_changes",
            title="List changes",
            description="Your last changes made here, newest first, with values before and after.",
            effect="list changes",
            toolsets=(CHANGES,),
            hints=HINTS[Action.READ],
            input_schema=LIST_CHANGES_INPUT,
            output_schema=output_schema(Verb.LIST),
            handler=change_handlers.list_changes,
            needs=writes,
            renders=False,
        ),
        OwnTool(
            name="undo_change",
            title="Undo a change",
            description="Takes back one change of list_changes, under the same policy; a human is asked if "
            "the record has changed since. Says what cannot be brought back.",
            effect="undo",
            toolsets=(CHANGES,),
            hints=HINTS[Action.UPDATE],
            input_schema=UNDO_CHANGE_INPUT,
            output_schema=output_schema(Verb.UPDATE),
            handler=change_handlers.undo_change,
            needs=writes,
            renders=False,
        ),
    )
