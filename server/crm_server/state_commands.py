"""The commands about what the server keeps: ``approvals``, ``audit`` and ``state``."""

from __future__ import annotations

import argparse
import getpass
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from crm_server.settings import Settings, SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_server.state import State
    from crm_server.state.keys import Keys
    from crm_server.state.proposals import KeptPlan

T = TypeVar("T")
OK, FAILED = 0, 1
_SEARCHED = ("caller", "tool", "table", "outcome")


def add_commands(commands: Any, settings: Callable[[argparse.Namespace], Settings]) -> None:
    """Add them to the command line; ``settings`` reads the settings for given options."""
    _add_approvals(commands, settings)
    _add_audit(commands, settings)
    _add_state(commands, settings)


def _add_approvals(commands: Any, settings: Callable[[argparse.Namespace], Settings]) -> None:
    approvals = commands.add_parser(
        "approvals", help="changes that wait for a human: list, approve or reject"
    )
    about = approvals.add_subparsers(required=True, metavar="list|show|approve|reject")

    def add(name: str, help_: str, run: Callable[[State, argparse.Namespace], Awaitable[int]]) -> Any:
        parser = about.add_parser(name, help=help_)
        parser.set_defaults(
            command=_in_state(run, settings),
            policy=None,
            toolsets=None,
        )
        return parser

    listing = add("list", "print the changes that wait", _list)
    listing.add_argument("--all", action="store_true", help="those that were decided or expired as well")
    add("show", "print one change", _show).add_argument("id")
    approve = add("approve", "let one change be made, once, by the caller who asked for it", _approve)
    approve.add_argument("id")
    approve.add_argument("--yes", action="store_true", help="do not ask again")
    reject = add("reject", "refuse one change", _reject)
    reject.add_argument("id")
    reject.add_argument("--reason", help="what the assistant is told")


def _add_audit(commands: Any, settings: Callable[[argparse.Namespace], Settings]) -> None:
    audit = commands.add_parser("audit", help="verify, read or export the audit of all calls")
    about = audit.add_subparsers(required=True, metavar="verify|tail|search|export")

    def add(name: str, help_: str, run: Callable[[State, argparse.Namespace], Awaitable[int]]) -> Any:
        parser = about.add_parser(name, help=help_)
        parser.set_defaults(command=_in_state(run, settings), policy=None, toolsets=None)
        return parser

    add("verify", "check that no event was changed, removed or moved", _verify)
    tail = add("tail", "print the last events", _search)
    search = add("search", "print the events that match", _search)
    for parser in (tail, search):
        parser.add_argument("-n", type=_number, default=20, help="how many at most (default 20)")
        parser.add_argument("--json", action="store_true", help="print JSON lines")
    for name in _SEARCHED:
        search.add_argument(f"--{name}", help=f"events of this {name}")
    search.add_argument("--id", help="events that touched the record with this id")
    search.add_argument(
        "--since", type=moment_given, help="from this time on, such as 2026-05-01 or 2h (ago)"
    )
    search.add_argument("--until", type=moment_given, help="before this time")
    export = add("export", "print all events", _export)
    export.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")


def _with_state(settings: Settings, run: Callable[[State], Awaitable[T]]) -> T:
    import anyio

    from crm_server.app import configured_state

    state = configured_state(settings, lambda: datetime.now(UTC))
    if state.in_memory:
        raise SettingsError("DYNAMICS_STATE=memory is the state of one process; there is nothing to look at.")
    if (missing := state.missing_file) is not None:
        raise SettingsError(
            f"There is no state at {missing} yet: no server with these settings has been called."
        )

    async def main() -> T:
        try:
            return await run(state)
        finally:
            state.close()

    return anyio.run(main)


def _in_state(
    run: Callable[[State, argparse.Namespace], Awaitable[int]],
    settings: Callable[[argparse.Namespace], Settings],
) -> Callable[[argparse.Namespace], int]:
    """A command that is about the state."""
    return lambda options: _with_state(settings(options), lambda state: run(state, options))


def _add_state(commands: Any, settings: Callable[[argparse.Namespace], Settings]) -> None:
    state = commands.add_parser("state", help="the keys of what the server keeps")
    about = state.add_subparsers(required=True, metavar="rotate-key|forget-keys")
    rotate = about.add_parser(
        "rotate-key", help="seal and sign with a new key; what was sealed with the others stays good"
    )
    rotate.set_defaults(command=_in_state(_rotate, settings), policy=None, toolsets=None)
    forget = about.add_parser(
        "forget-keys",
        help="sign the audit anew with the newest key and forget the others; wait an hour after a rotation",
    )
    forget.set_defaults(command=_in_state(_forget_keys, settings), policy=None, toolsets=None)


def all_events(settings: Settings, since: datetime | None) -> list[dict[str, Any]]:
    """The events of the audit, oldest first."""

    async def in_state(state: State) -> list[dict[str, Any]]:
        from crm_server.state import chain

        return [event async for page in chain.everything(state.run, since) for event in page]

    return _with_state(settings, in_state)


async def _list(state: State, options: argparse.Namespace) -> int:
    plans = await state.plans(everything=options.all)
    if not plans:
        _print("No change waits for approval.")
    now = datetime.now(UTC)
    for plan in plans:
        asked = plan.proposal
        _print(f"{plan.id}  {plan.created:%Y-%m-%d %H:%M UTC}  {asked.caller}  {plan.said(now)}")
        _print(f"    {asked.question}")
    if plans and not options.all:
        _print("\nSee one: dynamics-crm-mcp approvals show ID. Then approve ID or reject ID.")
    return OK


async def _show(state: State, options: argparse.Namespace) -> int:
    _print_plan(await state.plan(options.id))
    return OK


async def _approve(state: State, options: argparse.Namespace) -> int:
    plan = await state.plan(options.id)
    _print_plan(plan)
    if not options.yes:
        if not sys.stdin.isatty():
            raise SettingsError("Nobody is there to be asked; add --yes if you have read the plan.")
        sys.stdout.write("\nApprove exactly this? Type yes: ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() != "yes":
            _print("Not approved; it still waits.")
            return FAILED
    await state.decide(plan.id, "approved", _who())
    _print("\nApproved. It is carried out when the assistant makes the same call again, if nothing changed.")
    return OK


async def _reject(state: State, options: argparse.Namespace) -> int:
    await state.decide(options.id, "rejected", _who(), options.reason)
    _print(f"Rejected. Nothing was changed, and plan {options.id} cannot be carried out.")
    return OK


def _print_plan(plan: KeptPlan) -> None:
    asked = plan.proposal
    _print(asked.question)
    for fact in asked.facts:
        _print(f"  - {fact}")
    _print(f"\nasked by   {asked.caller}, with {asked.tool}")
    _print(f"because    rule {', '.join(asked.rules) or '(none)'}")
    _print(
        f"record     {asked.table} {asked.record or '(new)'}{f', version {asked.etag}' if asked.etag else ''}"
    )
    _print(f"asked at   {plan.created:%Y-%m-%d %H:%M:%S UTC}, good until {plan.expires:%Y-%m-%d %H:%M UTC}")
    _print(f"state      {plan.said(datetime.now(UTC))}")
    if plan.reason:
        _print(f"reason     {plan.reason}")


async def _verify(state: State, _options: argparse.Namespace) -> int:
    from crm_server.state import chain

    found = await chain.verify(state.run)
    if found.broken is not None:
        _print(f"BROKEN at event {found.broken}: {found.problem}")
        _print(f"{found.events:,} events before it are as they were.")
        return FAILED
    _print(f"{found.events:,} events, {found.first} to {found.last}: none was changed, removed or moved.")
    _print(f"Signed end: {found.last} {found.hash}")
    return OK


async def _search(state: State, options: argparse.Namespace) -> int:
    from crm_server.state import audit

    given = {name: getattr(options, name, None) for name in _SEARCHED}
    wanted = {
        "table_name" if name == "table" else name: value for name, value in given.items() if value is not None
    }
    events = await state.run(
        lambda connection, _keys: audit.recent(
            connection,
            most=options.n,
            since=getattr(options, "since", None),
            until=getattr(options, "until", None),
            contains=wanted,
            record=getattr(options, "id", None),
        )
    )
    for event in events:
        _print(json.dumps(event, ensure_ascii=False) if options.json else _event_line(event))
    if not events and not options.json:
        _print("No events.")
    return OK


async def _export(state: State, options: argparse.Namespace) -> int:
    from crm_server.state import audit, chain

    as_csv = options.format == "csv"
    if as_csv:
        sys.stdout.writelines(audit.as_csv(()))
    async for page in chain.everything(state.run):
        lines = (json.dumps(event, ensure_ascii=False) + "\n" for event in page)
        sys.stdout.writelines(audit.as_csv(page, named=False) if as_csv else lines)
    return OK


async def _rotate(state: State, _options: argparse.Namespace) -> int:
    from crm_server.state import audit

    def work(connection: Connection, keys: Keys) -> Keys:
        before, key = keys.newest.public, keys.rotate()
        event = {"kind": "key rotated", "caller": _who(), "outcome": "done", "from": before, "to": key.public}
        audit.append(connection, keys, event, state.now())
        return keys

    keys = await state.run(work)
    _print(f"The newest key is {keys.newest.public[:16]}; {len(keys.all) - 1} older stay good.")
    _print("Running servers that read this file take it at once; no restart is needed.")
    return OK


async def _forget_keys(state: State, _options: argparse.Namespace) -> int:
    from crm_server.state import audit, chain

    keys = await state.run(lambda _connection, keys: keys)
    older = [key.public for key in keys.all[1:]]
    if not older:
        _print("There is one key, and none to forget.")
        return OK
    count = await chain.sign_anew(state.run)
    event = {"kind": "keys forgotten", "caller": _who(), "outcome": "done", "forgotten": older}
    await state.run(lambda connection, keys: audit.append(connection, keys, event, state.now()))
    # Not before the signatures are stored: without them nobody could tell any more who made the old ones.
    keys.forget_older()
    _print(f"{count:,} signatures of the audit are made with {keys.newest.public[:16]} now.")
    _print(f"Forgotten: {', '.join(name[:16] for name in older)}.")
    return OK


def _event_line(event: Mapping[str, Any]) -> str:
    at = datetime.fromisoformat(event["at"])
    ids = event.get("ids") or []
    records = ids[0] if len(ids) == 1 else f"({len(ids)} records)" if ids else ""
    about = " ".join(filter(None, [event.get("table"), records]))
    rules = f"  rules {', '.join(event['rules'])}" if event.get("rules") else ""
    return (
        f"{event['number']:>7}  {at:%Y-%m-%d %H:%M:%S}  {event.get('caller', '')}  {event['kind']}  "
        f"{event.get('tool', '')}  {about}  {event.get('outcome', '')}{rules}"
    )


def _who() -> str:
    return f"{getpass.getuser()} at {socket.gethostname()}"


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"a number from 1 to 100000 is expected, not {text!r}")
    return int(text)


def moment_given(text: str) -> datetime:
    """A time on the command line: a date, a time, or how long ago."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if text[:-1].isdecimal() and text[-1:] in units:
        return datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"a time is written 2026-05-01, 2026-05-01T10:00 or 2h, not {text!r}"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
