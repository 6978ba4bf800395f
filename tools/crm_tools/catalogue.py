"""Every tool, one line each. A tool is a value; its action and its hints follow from its verb."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property

from crm_tools import handlers
from crm_tools.checking import ArgumentChecker
from crm_tools.description import ApiDescription, ApiOperation, Verb, load
from crm_tools.handlers import Answer, Arguments, Context
from crm_tools.operations import Action
from crm_tools.own_tools import HINTS, Hints, OwnTool, own_tools
from crm_tools.port import CrmPort
from crm_tools.schemas import JsonSchema, input_schema, output_schema, untold_label
from crm_tools.tables import CHOICE_TYPES, Column, Table
from crm_tools.toolsets import SPEC

Handler = Callable[[Arguments, Context], Awaitable[Answer]]
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


@dataclass(frozen=True)
class Tool:
    """One tool: an operation of the API description with its handler."""

    operation: ApiOperation
    handler: Handler
    api: ApiDescription
    is_own: bool = False
    """Whether it stands for a table of the organisation, which the API description does not have."""

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
    def toolsets(self) -> tuple[str, ...]:
        """The groups the tool belongs to: those of the API description, and those of its table."""
        return (SPEC, self.table.entity_set)

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
    def operation_id(self) -> str | None:
        """The operation of the API description that it stands for."""
        return None if self.is_own else self.operation.operation_id

    def without(self, columns: frozenset[str]) -> Tool:
        """The tool as it is listed where the policy hides these columns; calls are checked by the whole."""
        if columns.isdisjoint(self.table.columns):
            return self
        tables = {**self.api.tables, self.table.name: self.table.without(columns)}
        return replace(self, api=replace(self.api, tables=tables))

    renders = False
    """Its answers are JSON, as those of the operation that it stands for."""

    async def run(self, arguments: Arguments, tables: Mapping[str, Table], port: CrmPort) -> Answer:
        """Run the handler on the port."""
        return await self.handler(arguments, Context(self.table, tables, port))

    @property
    def hints(self) -> Hints:
        """Behaviour hints, from the action alone."""
        return HINTS[self.action]

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


AnyTool = Tool | OwnTool


@cache
def all_tools() -> tuple[AnyTool, ...]:
    """Every tool there is."""
    return (*catalogue(), *own_tools())


@cache
def catalogue() -> tuple[Tool, ...]:
    """All tools, in a fixed order."""
    api = load()
    return tuple(Tool(api.operations[operation_id], handler, api) for operation_id, handler in HANDLERS)


def table_tools(names: Iterable[str], tables: Mapping[str, Table]) -> tuple[Tool, ...]:
    """The five tools of each of these tables, as they are described here; unknown names have none."""
    known = {tool.operation.operation_id: tool for tool in catalogue()}
    named = {name: tables[name] for name in names if name in tables}
    api = ApiDescription({**load().tables, **named}, load().operations)
    found: list[Tool] = []
    for name, table in named.items():
        described = [tool for tool in known.values() if tool.table.name == name]
        found += [replace(tool, api=api) for tool in described] or _own_table_tools(table, api)
    return tuple(found)


_VERBS: tuple[tuple[Verb, str, Handler], ...] = (
    (Verb.LIST, "GET", handlers.list_rows),
    (Verb.GET, "GET", handlers.get_row),
    (Verb.CREATE, "POST", handlers.create_row),
    (Verb.UPDATE, "PATCH", handlers.update_row),
    (Verb.DELETE, "DELETE", handlers.delete_row),
)


def _own_table_tools(table: Table, api: ApiDescription) -> list[Tool]:
    tools = []
    for verb, method, handler in _VERBS:
        of_rows = verb is Verb.LIST
        name = f"{verb}_{table.entity_set if of_rows else table.name}"
        path = f"/{table.entity_set}" if verb in (Verb.LIST, Verb.CREATE) else f"/{table.entity_set}({{id}})"
        summary = f"{verb.capitalize()} {table.label.lower()}{' records' if of_rows else ''}"
        operation = ApiOperation(name, verb, method, path, table.name, summary)
        tools.append(Tool(operation, handler, api, is_own=True))
    return tools


def _description(verb: Verb, table: Table, summary: str) -> str:
    match verb:
        case Verb.LIST:
            columns = ", ".join(_named(column) for column in table.columns.values())
            return f"{summary}, a page at a time. Columns: {columns}"
        case Verb.GET:
            return f"{summary} by id, with related rows on request."
        case Verb.CREATE:
            return f"{summary}. Lookups take a name or an id."
        case Verb.UPDATE:
            return f"{summary}: only what is given changes, null clears. Never creates."
        case Verb.DELETE:
            return f"{summary} and what depends on it. May ask a human first."


def _named(column: Column) -> str:
    label = untold_label(column)
    return f"{column.short_name} ({label})" if label else column.short_name
