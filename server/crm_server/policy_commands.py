"""The ``policy`` commands: show, explain, test, replay and schema."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crm_server.settings import Settings, SettingsError
from crm_server.state_commands import moment_given

if TYPE_CHECKING:
    from crm_server.explaining import Asking

OK, FAILED = 0, 1

Common = Callable[[argparse.ArgumentParser], None]
"""Adds the options that every command has which reads the policy."""


def add_policy_commands(
    commands: argparse._SubParsersAction[Any],
    common: Common,
    settings: Callable[[argparse.Namespace], Settings],
) -> None:
    """Add the ``policy`` command with all that is below it."""
    policy = commands.add_parser("policy", help="show, explain or test the policy")
    policy.set_defaults(settings=settings)
    about = policy.add_subparsers(required=True, metavar="show|explain|test|replay|schema")

    show = about.add_parser("show", help="print what the policy comes to")
    common(show)
    show.set_defaults(command=_show)

    explain = about.add_parser("explain", help="print the decision on one call, without making it")
    explain.add_argument("tool", help="name of a tool, such as delete_account")
    explain.add_argument("arguments", nargs="*", metavar="ARGS", help="a JSON object, or name=value pairs")
    explain.add_argument("--user", help="who calls, as rules name users")
    explain.add_argument("--role", action="append", default=[], help="a role of who calls; can be repeated")
    explain.add_argument("--environment", help="the kind of environment, such as production")
    explain.add_argument("--at", type=_moment, help="when, such as 2026-05-04T10:00 (UTC); now if left out")
    common(explain)
    explain.set_defaults(command=_explain)

    test = about.add_parser("test", help="hold the policy against a file of cases; exit code 1 if one fails")
    test.add_argument("file", help="a TOML file of cases")
    common(test)
    test.set_defaults(command=_test)

    again = about.add_parser("replay", help="hold the audit against a policy: what would have been otherwise")
    again.add_argument("--since", type=moment_given, help="from this time on, such as 2026-05-01 or 2d (ago)")
    common(again)
    again.set_defaults(command=_replay)

    schema = about.add_parser("schema", help="print a JSON Schema of policy files, for editors")
    schema.set_defaults(command=_schema)


def _show(options: argparse.Namespace) -> int:
    from crm_server.policy.load import load_policy
    from crm_server.policy.show import show
    from crm_tools.standard import standard_tables

    tables = standard_tables()
    _print(show(load_policy(options.settings(options).policy, tables), tables))
    return OK


def _explain(options: argparse.Namespace) -> int:
    from crm_server.explaining import explain_call

    arguments = _call_arguments(options.arguments)
    _print(explain_call(options.settings(options), options.tool, arguments, _asking(options)))
    return OK


def _asking(options: argparse.Namespace) -> Asking:
    from crm_server.explaining import Asking
    from crm_server.policy.model import KINDS_OF_ENVIRONMENT, Principal
    from crm_server.settings import did_you_mean

    kind = options.environment
    if kind is not None and kind not in KINDS_OF_ENVIRONMENT:
        raise SettingsError(
            f"Unknown kind of environment {kind!r}.{did_you_mean(kind, KINDS_OF_ENVIRONMENT)}"
        )
    name = Principal().name if options.user is None else options.user
    return Asking(Principal(name, frozenset(options.role)), kind, options.at)


def _test(options: argparse.Namespace) -> int:
    from crm_server.policy_testing import run_cases

    # What is named on the command line wins over what the file of cases names.
    named = options.policy is not None
    report = run_cases(options.file, options.settings(options).policy if named else None)
    _print(report.text)
    return OK if report.passed else FAILED


def _replay(options: argparse.Namespace) -> int:
    from crm_server.policy.load import load_policy
    from crm_server.replaying import replay
    from crm_server.state_commands import all_events
    from crm_tools.standard import standard_tables

    settings = options.settings(options)
    policy = load_policy(settings.policy, standard_tables())
    _print(replay(policy, all_events(settings, options.since)).text)
    return OK


def _schema(_options: argparse.Namespace) -> int:
    import json

    from crm_server.policy.schema import policy_schema
    from crm_tools.standard import standard_tables

    _print(json.dumps(policy_schema(standard_tables()), indent=2))
    return OK


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"a date and time such as 2026-05-04T10:00 is expected, not {text!r}"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _call_arguments(words: Sequence[str]) -> dict[str, Any]:
    import json

    text = " ".join(words)
    if text.lstrip().startswith("{"):
        try:
            parsed: dict[str, Any] = json.loads(text)
        except ValueError:
            raise SettingsError("ARGS is not a JSON object.") from None
        return parsed
    arguments: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise SettingsError(f"ARGS are a JSON object or name=value pairs; {word!r} is neither.")
        try:
            arguments[name] = json.loads(value)
        except ValueError:
            arguments[name] = value
    return arguments


def _print(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")
