"""What sellers do with a record, by its name: qualify, close, reopen, assign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_tools.acts import LOST, WON, Act, Close, Qualify
from crm_tools.choices import choice_label
from crm_tools.column_values import column_value
from crm_tools.errors import AmbiguousNameError, InputError, UnknownNameError
from crm_tools.naming import candidate, quoted
from crm_tools.operations import (
    Action,
    Binding,
    Fetch,
    Page,
    Row,
    Update,
    Write,
)
from crm_tools.outside_text import line
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables, one_record, rows_of
from crm_tools.shaping import record
from crm_tools.tables import Table
from crm_tools.wording import table_named

Arguments = Mapping[str, Any]
NEW, NONE = "new", "none"
_IN_PROGRESS, _QUALIFIED = 1, 3
_MADE = ("account", "contact", "opportunity")


async def qualify_lead(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """A lead becomes an account, a contact and an opportunity; what is there already is used, not doubled."""
    found = await one_record(arguments["lead"], ("lead",), "lead", tables, port)
    lead = await _lead(found.key, tables, port)
    _require_open(lead, "lead", tables)
    uses = await _already_there(arguments, lead, tables, port)
    act = Qualify(
        found.key,
        account=_is_made("account", arguments, uses)
        and not ("account" not in arguments and _is_private(lead)),
        contact=_is_made("contact", arguments, uses),
        opportunity=arguments.get("opportunity", True),
        status=_QUALIFIED,
        uses={name: key for name, key in uses.items() if lead.get(f"_parent{name}id_value") != key},
    )
    if arguments.get("dry_run"):
        return await previewed(act, port)
    made = await port.act(act)
    return {
        "qualified": {"table": "lead", "id": found.key, "name": line(str(lead.get("fullname") or ""))},
        "created": await _named(made, tables, port),
        **({"used": await _named(uses, tables, port)} if uses else {}),
    }


def _is_made(name: str, arguments: Arguments, uses: Mapping[str, str]) -> bool:
    return name not in uses and _word(arguments.get(name)) != NONE


def _is_private(lead: Row) -> bool:
    """Whether the lead is known to name no company that an account could be made of."""
    return "companyname" in lead and not lead["companyname"]


def _word(given: str | None) -> str:
    return (given or NEW).strip().casefold()


async def _lead(key: str, tables: Tables, port: CrmPort) -> Row:
    wanted = ("fullname", "companyname", "emailaddress1", "statecode", "_parentaccountid_value")
    columns = port.usable("lead", (*wanted, "_parentcontactid_value"))
    return await port.fetch(Fetch("lead", key, tuple(dict.fromkeys((tables["lead"].key, *columns)))))


def _require_open(row: Row, table: str, tables: Tables) -> None:
    state = row.get("statecode")
    if state not in (None, 0):
        label = choice_label(state, tables[table].columns["statecode"]) or "closed"
        raise InputError(
            f"This {tables[table].label.lower()} is {label.lower()} already. Nothing was changed."
        )


async def _already_there(arguments: Arguments, lead: Row, tables: Tables, port: CrmPort) -> dict[str, str]:
    """Records that the lead stands for and that exist: those given, those it is linked to.

    Raises:
        AmbiguousNameError: There are records like it, and nothing was said of them.
    """
    uses: dict[str, str] = {}
    for name in ("account", "contact"):
        given = arguments.get(name)
        if given is not None and _word(given) in (NEW, NONE):
            continue
        if given is not None:
            uses[name] = (await one_record(given, (name,), name, tables, port)).key
        elif linked := lead.get(f"_parent{name}id_value"):
            uses[name] = str(linked)
    open_questions = [name for name in ("account", "contact") if name not in uses and name not in arguments]
    if like := await _like(lead, open_questions, tables, port):
        raise AmbiguousNameError(
            "There are records like this lead's already. Nothing was changed. Give account and contact each "
            f'as the record to use, or "{NEW}" to create another one.',
            like,
        )
    return uses


async def _like(lead: Row, names: list[str], tables: Tables, port: CrmPort) -> list[dict[str, Any]]:
    """Accounts with the lead's company name, contacts with its e-mail address or name."""
    compared = {
        "account": (("name", lead.get("companyname")),),
        "contact": (("emailaddress1", lead.get("emailaddress1")), ("fullname", lead.get("fullname"))),
    }
    queries = []
    for name in names:
        parts = [
            f"{column} eq {quoted(str(value))}"
            for column, value in compared[name]
            if value and port.usable(name, (column,))
        ]
        if parts:
            text = f"({' or '.join(parts)}) and statecode eq 0"
            shown = (tables[name].primary_name, "emailaddress1", "address1_city", "_parentcustomerid_value")
            queries.append(rows_of(tables[name], text, shown, tables, port, top=5))
    pages = await port.together(queries) if queries else []
    return [
        candidate(tables[page.query.table], row)
        for page in pages
        if isinstance(page, Page)
        for row in page.rows
    ]


async def _named(keys: Mapping[str, str], tables: Tables, port: CrmPort) -> list[dict[str, Any]]:
    """Records by table and key, with their names where they may be read."""
    queries = [
        rows_of(
            tables[name], f"{tables[name].key} eq {key}", (tables[name].primary_name,), tables, port, top=1
        )
        for name, key in keys.items()
    ]
    pages = await port.together(queries) if queries else []
    named: list[dict[str, Any]] = []
    for (name, key), page in zip(keys.items(), pages, strict=True):
        row = page.rows[0] if isinstance(page, Page) and page.rows else {}
        told = {"table": name, "id": key, "name": row.get(tables[name].primary_name)}
        told = {part: line(str(value)) for part, value in told.items() if value}
        named.append({**told, "url": port.record_url(name, key)})
    return named


async def close_opportunity(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """An opportunity is won or lost."""
    table = tables["opportunity"]
    found = await one_record(arguments["opportunity"], ("opportunity",), "opportunity", tables, port)
    won = arguments["outcome"] == "won"
    act = Close(
        found.key,
        won=won,
        status=_reason(arguments.get("reason"), table, WON if won else LOST),
        subject=_subject(won, found.name),
        revenue=column_value(arguments.get("value"), table.columns["actualvalue"]),
        closed_on=column_value(arguments.get("date"), table.columns["actualclosedate"]),
        note=_note(arguments, table),
    )
    columns = port.readable("opportunity", (table.primary_name, "statecode"))
    before = await port.fetch(Fetch("opportunity", found.key, tuple(dict.fromkeys((table.key, *columns)))))
    _require_open(before, "opportunity", tables)
    if arguments.get("dry_run"):
        return await previewed(act, port)
    await port.act(act)
    return {"record": await _as_it_is(table, found.key, tables, port)}


def _subject(won: bool, name: str) -> str:
    return f"{'Won' if won else 'Lost'}: {name}"[:200] if name else f"Opportunity {'won' if won else 'lost'}"


def _reason(given: str | None, table: Table, state: int) -> int:
    """The status reason of this label in the state that is meant; without one, the state's first."""
    choices = [choice for choice in table.columns["statuscode"].choices if choice.state == state]
    if given is None:
        return choices[0].value
    for choice in choices:
        if given.strip().casefold() in (choice.label.casefold(), str(choice.value)):
            return choice.value
    raise UnknownNameError(
        "reason",
        given,
        [choice.label for choice in choices],
        hint="Give one of these as reason, and what happened in your own words as note.",
    )


def _note(arguments: Arguments, table: Table) -> str | None:
    note = arguments.get("note")
    return None if note is None else str(column_value(note, table.columns["description"]))


async def reopen_opportunity(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """A closed opportunity is open again."""
    table = tables["opportunity"]
    found = await one_record(
        arguments["opportunity"], ("opportunity",), "opportunity", tables, port, closed=True
    )
    columns = port.readable("opportunity", (table.primary_name, "statecode"))
    before = await port.fetch(Fetch("opportunity", found.key, tuple(dict.fromkeys((table.key, *columns)))))
    if before.get("statecode") == 0:
        raise InputError("This opportunity is open. Nothing was changed.")
    update = Update(
        "opportunity",
        found.key,
        {"statecode": 0, "statuscode": _IN_PROGRESS},
        state=0,
        acts_as=Action.REOPEN,
        returning=port.readable("opportunity", (table.key, table.primary_name, "statecode", "statuscode")),
    )
    return await written(update, bool(arguments.get("dry_run")), table, tables, port)


async def assign_record(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """A record gets another owner."""
    table = table_named(arguments["table"], tables)
    if "_ownerid_value" not in table.columns:
        raise InputError(f"Records of {table.name} have no owner of their own.")
    found = await one_record(arguments["record"], (table.name,), "record", tables, port)
    owner = await one_record(arguments["to"], ("systemuser", "team"), "to", tables, port)
    update = Update(
        table.name,
        found.key,
        {},
        (Binding("ownerid", "_ownerid_value", owner.table, owner.key),),
        acts_as=Action.ASSIGN,
        returning=port.readable(table.name, (table.key, table.primary_name, "_ownerid_value")),
    )
    return await written(update, bool(arguments.get("dry_run")), table, tables, port)


async def written(
    update: Update, dry_run: bool, table: Table, tables: Tables, port: CrmPort
) -> dict[str, Any]:
    """The record after a change, or what would change."""
    if dry_run:
        return await previewed(update, port)
    row = await port.update(update)
    return {"record": {**record(row, table, tables), "url": port.record_url(table.name, update.key)}}


async def previewed(write: Write | Act, port: CrmPort) -> dict[str, Any]:
    """What would change; nothing is sent."""
    preview = await port.preview(write)
    asks = " Doing it needs the approval of a human." if preview.needs_approval else ""
    return {"changes": list(preview.changes), "sent": False, "note": f"Dry run: nothing was sent.{asks}"}


async def _as_it_is(table: Table, key: str, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """A record after an act, as far as it may be read."""
    columns = (table.primary_name, "statecode", "statuscode", "actualvalue", "actualclosedate")
    (page,) = await port.together([rows_of(table, f"{table.key} eq {key}", columns, tables, port, top=1)])
    told: dict[str, Any] = {table.key: key}
    if isinstance(page, Page) and page.rows:
        told = record(page.rows[0], table, tables)
    return {**told, "url": port.record_url(table.name, key)}
