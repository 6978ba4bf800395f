"""What each kind of tool does: from arguments to operations on the port, and from rows to an answer.

A handler knows no HTTP and no policy and catches nothing: errors are shaped at the one boundary of a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any
from uuid import uuid4

from crm_tools.arguments import expansions, order_by, values_and_bindings, wire_names
from crm_tools.errors import InputError
from crm_tools.filters import parse_filter
from crm_tools.guids import guid
from crm_tools.naming import with_keys
from crm_tools.operations import (
    Create,
    Delete,
    Expansion,
    Fetch,
    Page,
    Query,
    Row,
    Update,
    Write,
)
from crm_tools.outside_text import LONGEST_ALONE
from crm_tools.port import CrmPort
from crm_tools.shaping import record
from crm_tools.tables import Table
from crm_tools.where import where_text

Arguments = Mapping[str, Any]
Answer = dict[str, Any]

DEFAULT_ROWS = 20


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler works with: its table, all tables, and the port to the CRM."""

    table: Table
    tables: Mapping[str, Table]
    port: CrmPort
    brief: bool = False
    """Whether the answer to a write shows only the record's name and what was written."""


async def list_rows(arguments: Arguments, context: Context) -> Answer:
    """Rows that match, a page at a time."""
    given = {name: value for name, value in arguments.items() if name != "format"}
    if cursor := given.pop("cursor", None):
        if given:
            raise InputError(
                "Argument cursor continues the query it came from and takes no other argument but format; "
                f"leave out {', '.join(given)}."
            )
        page = await context.port.next_page(context.table.name, cursor)
    else:
        page = await context.port.query(await list_query(arguments, context))
    return _page_answer(page, arguments, context)


async def list_query(arguments: Arguments, context: Context) -> Query:
    """The rows that are meant, as a question.

    Raises:
        InputError: A filter or a name in the arguments cannot be read.
    """
    return _query(await _with_where(arguments, context), context)


async def get_row(arguments: Arguments, context: Context) -> Answer:
    """One row by its id."""
    fetch = Fetch(
        table=context.table.name,
        key=_key(arguments, context.table),
        select=_select(arguments, context),
        expand=_expand(arguments, context),
    )
    return {"record": _record(await context.port.fetch(fetch), context, fetch.expand)}


async def create_row(arguments: Arguments, context: Context) -> Answer:
    """A new row."""
    given = await with_keys(_to_set(arguments, context.table), context.table, context.tables, context.port)
    values, bindings = values_and_bindings(given, context.table, _zone(context))
    create = Create(
        table=context.table.name,
        key=str(uuid4()),
        values=values,
        bindings=bindings,
        returning=_returning(arguments, context),
    )
    if arguments.get("dry_run"):
        return await _preview(create, context)
    row = await context.port.create(create)
    return _saved(row, create, context)


async def update_row(arguments: Arguments, context: Context) -> Answer:
    """Changes to a row that exists."""
    given = _to_set(arguments, context.table)
    if not given:
        raise InputError("Nothing to change: give at least one column besides the id.")
    given = await with_keys(given, context.table, context.tables, context.port)
    values, bindings = values_and_bindings(given, context.table, _zone(context))
    update = Update(
        table=context.table.name,
        key=_key(arguments, context.table),
        values=values,
        bindings=bindings,
        etag=_etag(arguments),
        returning=_returning(arguments, context),
        state=_state(values, context.table),
    )
    if arguments.get("dry_run"):
        return await _preview(update, context)
    row = await context.port.update(update)
    return _saved(row, update, context)


async def delete_row(arguments: Arguments, context: Context) -> Answer:
    """A row to delete."""
    delete = Delete(context.table.name, _key(arguments, context.table), _etag(arguments))
    if arguments.get("dry_run"):
        return await _preview(delete, context)
    await context.port.delete(delete)
    return {"deleted": {context.table.key: delete.key, "table": context.table.name}}


async def _with_where(arguments: Arguments, context: Context) -> Arguments:
    """The arguments with the structured filter as text, beside the text that was given."""
    where = await where_text(arguments.get("where") or (), context.table, context.tables, context.port)
    texts = [text for text in (arguments.get("filter"), where) if text]
    return (
        arguments if where is None else {**arguments, "filter": " and ".join(f"({text})" for text in texts)}
    )


def _query(arguments: Arguments, context: Context) -> Query:
    table, tables = context.table, context.tables
    named: dict[str, frozenset[str]] = {}
    text: str | None = None
    if given := arguments.get("filter"):
        parsed = parse_filter(given, table, tables)
        text, named = parsed.text, dict(parsed.named)
    keys, sorted_by = order_by(arguments["orderby"], table, tables) if arguments.get("orderby") else ((), {})
    for name, columns in sorted_by.items():
        named[name] = named.get(name, frozenset()) | columns
    return Query(
        table=table.name,
        select=_select(arguments, context),
        filter=text,
        orderby=keys,
        expand=_expand(arguments, context),
        named=named,
        top=arguments.get("top", DEFAULT_ROWS),
        count=arguments.get("count", False),
    )


def _select(arguments: Arguments, context: Context) -> tuple[str, ...]:
    """The columns asked for, or the usual ones that may be read; always with the key."""
    table = context.table
    if asked := arguments.get("select"):
        columns = wire_names(asked, table)
    elif arguments.get("format") == "detailed":
        columns = context.port.readable(table.name, table.columns)
    else:
        columns = context.port.readable(table.name, table.concise)
    return tuple(dict.fromkeys((table.key, *columns)))


def _expand(arguments: Arguments, context: Context) -> tuple[Expansion, ...]:
    if not (names := arguments.get("expand")):
        return ()
    tables = context.tables
    concise = {name: context.port.readable(name, table.concise) for name, table in tables.items()}
    return expansions(names, context.table, tables, concise)


def _key(arguments: Arguments, table: Table) -> str:
    return guid(arguments[table.key], table.key)


def _zone(context: Context) -> tzinfo:
    return context.port.now().tzinfo or UTC


def _etag(arguments: Arguments) -> str | None:
    etag: str | None = arguments.get("etag")
    if etag is not None and not (etag.startswith('W/"') and etag.endswith('"')):
        raise InputError('Argument etag is the etag of a record as it was shown, such as W/"1234567".')
    return etag


def _state(values: Mapping[str, Any], table: Table) -> int | None:
    """The state that values take a row to: given as such, or by a status reason that only another one has."""
    if "statecode" in values:
        return int(values["statecode"])
    reasons = table.columns["statuscode"].choices if "statuscode" in values else ()
    # The reasons of the first state are also given to a row that has it already.
    return next((choice.state for choice in reasons if choice.value == values["statuscode"]), None) or None


def _to_set(arguments: Arguments, table: Table) -> Arguments:
    control = {table.key, "etag", "dry_run"}
    return {name: value for name, value in arguments.items() if name not in control}


def _returning(arguments: Arguments, context: Context) -> tuple[str, ...]:
    """What to read back: the usual columns and those just set, so that the answer shows what was stored."""
    table = context.table
    written = [
        table.navigations[name].column if name in table.navigations else name
        for name in _to_set(arguments, table)
    ]
    usual = (table.primary_name,) if context.brief else table.concise
    return context.port.readable(table.name, dict.fromkeys((table.key, *usual, *written)))


def _record(row: Row, context: Context, expand: tuple[Expansion, ...] = ()) -> Answer:
    shaped = record(row, context.table, context.tables, expand, LONGEST_ALONE)
    shaped["url"] = context.port.record_url(context.table.name, shaped[context.table.key])
    return shaped


def _saved(row: Row, write: Create | Update, context: Context) -> Answer:
    answer: Answer = {"record": _record(row, context)}
    if ignored := _not_stored(row, write):
        answer["warning"] = (
            f"Dataverse did not store what was sent for {', '.join(ignored)}; the record shows what it holds."
        )
    return answer


def _not_stored(row: Row, write: Create | Update) -> list[str]:
    """Columns whose stored value differs: Dataverse ignores columns it will not set, without an error."""
    differing = [name for name, value in write.values.items() if name in row and row[name] != value]
    unbound = [
        item.navigation
        for item in write.bindings
        if item.column in row and (row[item.column] or None) != item.key
    ]
    return differing + unbound


async def _preview(write: Write, context: Context) -> Answer:
    preview = await context.port.preview(write)
    request: Answer = {"method": preview.method, "path": preview.path, "headers": dict(preview.headers)}
    if preview.body is not None:
        request["body"] = dict(preview.body)
    return {
        "changes": list(preview.changes),
        "request": request,
        "sent": False,
        "note": "Dry run: nothing was sent."
        + (" Sending it needs the approval of a human." if preview.needs_approval else ""),
    }


def _page_answer(page: Page, arguments: Arguments, context: Context) -> Answer:
    rows = [record(row, context.table, context.tables, page.query.expand) for row in page.rows]
    if arguments.get("format") == "detailed":
        for shaped in rows:
            shaped["url"] = context.port.record_url(context.table.name, shaped[context.table.key])
    answer: Answer = {"records": rows, "shown": len(rows), "more": page.more}
    if page.cursor:
        answer["cursor"] = page.cursor
    if page.total is not None:
        answer["total"] = page.total
        if page.total_is_floor:
            answer["total_note"] = "Counting stopped here; there may be more."
    if rows:
        answer["record_url"] = context.port.record_url(context.table.name, f"{{{context.table.key}}}")
    return answer
