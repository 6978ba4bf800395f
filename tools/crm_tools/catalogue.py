"""Every tool, one line each. A tool is a value; its action and its hints follow from its verb."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from crm_tools import change_handlers, handlers
from crm_tools.checking import ArgumentChecker
from crm_tools.description import ApiDescription, ApiOperation, Verb, load
from crm_tools.handlers import Answer, Arguments, Context
from crm_tools.operations import READING, Action, CrmPort
from crm_tools.schemas import (
    LIST_CHANGES_INPUT,
    UNDO_CHANGE_INPUT,
    JsonSchema,
    input_schema,
    output_schema,
)
from crm_tools.tables import CHOICE_TYPES, Table

Handler = Callable[[Arguments, Context], Awaitable[Answer]]
OwnHandler = Callable[[Arguments, Mapping[str, Table], CrmPort], Awaitable[Answer]]

CHANGES = "changes"
"""The toolset of the journal."""

HANDLERS: tuple[tuple[str, Handler], ...] = (
    ("listAccounts", handlers.list_rows),
    ("getAccount", handlers.get_row),
    ("createAccount", handlers.create_row),
    ("updateAccount", handlers.update_row),
    ("deleteAccount", handlers.delete_row),
    ("listContacts", handlers.list_rows),
    ("getContact", handlers.get_row),
    ("createContact", handlers.create_row),
    ("updateContact", handlers.update_row),
    ("deleteContact", handlers.delete_row),
    ("listOpportunities", handlers.list_rows),
    ("getOpportunity", handlers.get_row),
    ("createOpportunity", handlers.create_row),
    ("updateOpportunity", handlers.update_row),
    ("deleteOpportunity", handlers.delete_row),
    ("listLeads", handlers.list_rows),
    ("getLead", handlers.get_row),
    ("createLead", handlers.create_row),
    ("updateLead", handlers.update_row),
    ("deleteLead", handlers.delete_row),
)
"""operationId of the API description -> handler, in the order in which tools are listed."""

_ACTIONS = {
    Verb.LIST: Action.READ,
    Verb.GET: Action.READ,
    Verb.CREATE: Action.CREATE,
    Verb.UPDATE: Action.UPDATE,
    Verb.DELETE: Action.DELETE,
}


@dataclass(frozen=True, slots=True)
class Hints:
    """The four behaviour hints of MCP's ToolAnnotations."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


_HINTS = {
    # An update replaces values, so it counts as destructive; a CRM is a closed world.
    Action.READ: Hints(read_only=True, destructive=False, idempotent=True, open_world=False),
    Action.CREATE: Hints(read_only=False, destructive=False, idempotent=False, open_world=False),
    Action.UPDATE: Hints(read_only=False, destructive=True, idempotent=True, open_world=False),
    Action.DELETE: Hints(read_only=False, destructive=True, idempotent=True, open_world=False),
}


@dataclass(frozen=True)
class Tool:
    """One tool: an operation of the API description with its handler."""

    operation: ApiOperation
    handler: Handler
    api: ApiDescription

    @cached_property
    def name(self) -> str:
        """``listAccounts`` -> ``list_accounts``."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.operation.operation_id).lower()

    @property
    def title(self) -> str:
        """A name for people."""
        return self.operation.summary

    @property
    def table(self) -> Table:
        """The table the tool works on."""
        return self.api.tables[self.operation.table]

    @property
    def toolset(self) -> str:
        """The group the tool belongs to: its table's entity set."""
        return self.table.entity_set

    @property
    def action(self) -> Action:
        """What the tool does to its table."""
        return _ACTIONS[self.operation.verb]

    @property
    def about(self) -> str:
        """The name of its table, for the log."""
        return self.table.name

    @property
    def effect(self) -> str:
        """What it does, for the log."""
        return self.action.value

    @property
    def needs(self) -> tuple[tuple[Action, str], ...]:
        """The actions on tables one of which has to be possible for the tool to be of use."""
        return ((self.action, self.table.name),)

    @property
    def operation_id(self) -> str:
        """The operation of the API description that it stands for."""
        return self.operation.operation_id

    async def run(self, arguments: Arguments, tables: Mapping[str, Table], port: CrmPort) -> Answer:
        """Run the handler on the port."""
        return await self.handler(arguments, Context(self.table, tables, port))

    @property
    def hints(self) -> Hints:
        """Behaviour hints, from the action alone."""
        return _HINTS[self.action]

    @cached_property
    def input_schema(self) -> JsonSchema:
        """JSON Schema of the arguments."""
        return input_schema(self.operation.verb, self.table, self.api.tables)

    @cached_property
    def output_schema(self) -> JsonSchema:
        """JSON Schema of the structured answer."""
        return output_schema(self.operation.verb)

    @cached_property
    def checker(self) -> ArgumentChecker:
        """Checks arguments against the input schema."""
        choices = frozenset(
            column.name for column in self.table.columns.values() if column.type in CHOICE_TYPES
        )
        return ArgumentChecker(self.name, self.input_schema, choices)

    @cached_property
    def description(self) -> str:
        """What the model reads to decide whether and how to call the tool."""
        return _description(self.operation.verb, self.table, self.operation.summary)


@dataclass(frozen=True)
class OwnTool:
    """A tool that stands for no operation of the API description, but for one of the server itself."""

    name: str
    title: str
    description: str
    effect: str
    toolset: str
    hints: Hints
    input_schema: JsonSchema
    output_schema: JsonSchema
    handler: OwnHandler
    needs: tuple[tuple[Action, str], ...]
    about: str = ""
    operation_id: str | None = None

    @cached_property
    def checker(self) -> ArgumentChecker:
        """Checks arguments against the input schema."""
        return ArgumentChecker(self.name, self.input_schema, frozenset())

    async def run(self, arguments: Arguments, tables: Mapping[str, Table], port: CrmPort) -> Answer:
        """Run the handler on the port."""
        return await self.handler(arguments, tables, port)


AnyTool = Tool | OwnTool


@cache
def own_tools() -> tuple[OwnTool, ...]:
    """The tools of the server itself, in a fixed order."""
    writes = tuple((action, table) for table in load().tables for action in Action if action not in READING)
    return (
        OwnTool(
            name="list_changes",
            title="List changes",
            description="Your last changes made here, newest first, with values before and after.",
            effect="list changes",
            toolset=CHANGES,
            hints=_HINTS[Action.READ],
            input_schema=LIST_CHANGES_INPUT,
            output_schema=output_schema(Verb.LIST),
            handler=change_handlers.list_changes,
            needs=writes,
        ),
        OwnTool(
            name="undo_change",
            title="Undo a change",
            description="Takes back one change of list_changes, under the same policy; a human is asked if "
            "the record has changed since. Says what cannot be brought back.",
            effect="undo",
            toolset=CHANGES,
            hints=_HINTS[Action.UPDATE],
            input_schema=UNDO_CHANGE_INPUT,
            output_schema=output_schema(Verb.UPDATE),
            handler=change_handlers.undo_change,
            needs=writes,
        ),
    )


@cache
def all_tools() -> tuple[AnyTool, ...]:
    """Every tool there is."""
    return (*catalogue(), *own_tools())


@cache
def catalogue() -> tuple[Tool, ...]:
    """All tools, in a fixed order."""
    api = load()
    return tuple(Tool(api.operations[operation_id], handler, api) for operation_id, handler in HANDLERS)


def _description(verb: Verb, table: Table, summary: str) -> str:
    match verb:
        case Verb.LIST:
            columns = ", ".join(column.short_name for column in table.columns.values())
            return f"{summary}, a page at a time. Columns: {columns}"
        case Verb.GET:
            return f"{summary} by id, with related rows on request."
        case Verb.CREATE:
            return f"{summary}. Lookups take an id."
        case Verb.UPDATE:
            return f"{summary}: only what is given changes, null clears. Never creates."
        case Verb.DELETE:
            return f"{summary} and what depends on it. May ask a human first."
