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
    people_tools,
    selling,
    summaries,
    tidying,
    views,
)
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
    name: str,
    toolset: str,
    action: Action,
    schema: JsonSchema,
    handler: OwnHandler,
    needs: Needs,
    hints: Hints | None = None,
) -> OwnTool:
    words = name.replace("_", " ")
    return OwnTool(
        name=name,
        title=words[0].upper() + words[1:],
        description=people_tools.DESCRIPTIONS[name],
        effect=action.value,
        toolsets=(toolset,),
        hints=hints or HINTS[action],
        input_schema=schema,
        output_schema=_ANY_OUTPUT,
        handler=handler,
        needs=needs,
    )


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
    words = people_tools
    return (
        _tool("find_records", INSIGHT, Action.READ, words.FIND_RECORDS, finding.find_records, read),
        _tool("get_overview", INSIGHT, Action.READ, words.GET_OVERVIEW, overview.get_overview, glance),
        _tool(
            "summarize_records",
            INSIGHT,
            Action.READ,
            words.SUMMARIZE_RECORDS,
            summaries.summarize_records,
            total,
        ),
        _tool("list_tables", INSIGHT, Action.READ, words.LIST_TABLES, describing.list_tables, read),
        _tool("describe_table", INSIGHT, Action.READ, words.DESCRIBE_TABLE, describing.describe_table, read),
        _tool("whoami", INSIGHT, Action.READ, words.WHOAMI, describing.whoami, read),
    )


def _sales() -> tuple[OwnTool, ...]:
    closing = ((Action.WIN, "opportunity"), (Action.LOSE, "opportunity"))
    reopening = ((Action.REOPEN, "opportunity"),)
    qualifying = ((Action.QUALIFY, "lead"),)
    logging = _on(Action.CREATE, activities.ACTIVITY_TYPES.values())
    words = people_tools
    return (
        _tool("qualify_lead", SALES, Action.UPDATE, words.QUALIFY_LEAD, selling.qualify_lead, qualifying),
        _tool(
            "close_opportunity",
            SALES,
            Action.UPDATE,
            words.CLOSE_OPPORTUNITY,
            selling.close_opportunity,
            closing,
        ),
        _tool(
            "reopen_opportunity",
            SALES,
            Action.UPDATE,
            words.REOPEN_OPPORTUNITY,
            selling.reopen_opportunity,
            reopening,
        ),
        _tool("log_activity", SALES, Action.CREATE, words.LOG_ACTIVITY, activities.log_activity, logging),
    )


def _admin() -> tuple[OwnTool, ...]:
    tables = standard_tables()
    same = _on(Action.READ, tidying.MERGEABLE)
    merging = _on(Action.MERGE, tidying.MERGEABLE)
    words = people_tools
    return (
        _tool("find_duplicates", ADMIN, Action.READ, words.FIND_DUPLICATES, tidying.find_duplicates, same),
        _tool("merge_records", ADMIN, Action.DELETE, words.MERGE_RECORDS, tidying.merge_records, merging),
        _tool(
            "link_records",
            ADMIN,
            Action.UPDATE,
            words.LINK_RECORDS,
            tidying.link_records,
            _on(Action.LINK, tables),
        ),
        _tool(
            "assign_record",
            ADMIN,
            Action.UPDATE,
            words.ASSIGN_RECORD,
            selling.assign_record,
            _on(Action.ASSIGN, tables),
        ),
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
        input_schema=people_tools.COMPLETE,
        output_schema=_ANY_OUTPUT,
        handler=completing.complete,
        needs=_on(Action.READ, standard_tables()),
    )


def _bulk() -> tuple[OwnTool, ...]:
    tables, words = standard_tables(), people_tools
    many = _on(Action.BULK, tables)
    hints = Hints(read_only=False, destructive=True, idempotent=False, open_world=False)
    writes_files = Hints(read_only=False, destructive=False, idempotent=False, open_world=False)
    return (
        _tool(
            "import_records", BULK, Action.BULK, words.IMPORT_RECORDS, importing.import_records, many, hints
        ),
        _tool(
            "export_records",
            BULK,
            Action.READ,
            words.EXPORT_RECORDS,
            exporting.export_records,
            _on(Action.READ, tables),
            writes_files,
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
        input_schema=people_tools.LIST_VIEWS,
        output_schema=_ANY_OUTPUT,
        handler=views.list_views,
        needs=_on(Action.READ, (VIEWS,)),
    )


def _compact() -> tuple[OwnTool, ...]:
    tables = standard_tables()
    words = people_tools
    five = (
        ("query_records", Action.READ, words.QUERY_RECORDS, generic.query_records),
        ("get_record", Action.READ, words.GET_RECORD, generic.get_record),
        ("create_record", Action.CREATE, words.CREATE_RECORD, generic.create_record),
        ("update_record", Action.UPDATE, words.UPDATE_RECORD, generic.update_record),
        ("delete_record", Action.DELETE, words.DELETE_RECORD, generic.delete_record),
    )
    return tuple(
        _tool(name, COMPACT, action, schema, handler, _on(action, tables))
        for name, action, schema, handler in five
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
