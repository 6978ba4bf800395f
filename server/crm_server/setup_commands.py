"""The commands that help to set the server up: ``doctor``, ``entra`` and ``callers``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from crm_server.settings import Settings, SettingsError

OK, FAILED, USAGE = 0, 1, 2

Common = Callable[[argparse.ArgumentParser], None]
"""Adds the options that every command has which reads the policy."""


def add_setup_commands(
    commands: Any, common: Common, settings: Callable[[argparse.Namespace], Settings]
) -> None:
    """Add them to the command line; ``settings`` reads the settings for given options."""
    doctor = commands.add_parser(
        "doctor", help="check everything the server needs, and say what to do about what is missing"
    )
    doctor.add_argument("--json", action="store_true", help="print JSON lines")
    doctor.add_argument(
        "--sandbox", action="store_true", help="check with the embedded CRM instead of an environment"
    )
    common(doctor)
    doctor.set_defaults(command=_doctor, settings=settings)

    entra = commands.add_parser("entra", help="print the commands that register a team's server in Entra ID")
    entra.add_argument("--public-url", required=True, help="address by which clients reach the server")
    entra.add_argument("--tenant", required=True, help="directory (tenant) id")
    entra.add_argument("--name", default="Dynamics CRM for assistants", help="name of the application")
    entra.add_argument("--roles", default="", help="roles of the policy, separated by commas")
    entra.add_argument(
        "--clients", default="", help="client ids that need no consent of each user, separated by commas"
    )
    entra.add_argument(
        "--federated-issuer",
        help="issuer of the platform's tokens (Kubernetes: that of the cluster), so that no secret is needed",
    )
    entra.add_argument(
        "--federated-subject",
        help="the server in those tokens, such as system:serviceaccount:NAMESPACE:NAME",
    )
    entra.set_defaults(command=_entra)

    callers = commands.add_parser("callers", help="callers of a lab without an issuer")
    about = callers.add_subparsers(required=True, metavar="token")
    token = about.add_parser("token", help="print a new token, and the lines that let it in")
    token.add_argument("name", help="who calls, such as ann")
    token.set_defaults(command=_token)


def _doctor(options: argparse.Namespace) -> int:
    import anyio

    from crm_server.doctor import examine
    from crm_server.doctor.context import Context
    from crm_server.doctor.outcomes import Outcome, Status, failed
    from crm_server.doctor.printing import as_json, as_text, summary
    from crm_server.log import configure_logging

    # What is wrong is said once, by the checks.
    configure_logging("critical")
    ended: list[Outcome] = []

    def tell(name: str, outcome: Outcome) -> None:
        ended.append(outcome)
        _print((as_json if options.json else as_text)(name, outcome))
        sys.stdout.flush()

    async def run(settings: Settings) -> None:
        async for name, outcome in examine(
            Context(settings, lambda: datetime.now(UTC), sandbox=options.sandbox)
        ):
            tell(name, outcome)

    try:
        settings = options.settings(options)
    except SettingsError as error:
        tell("settings", failed("the settings cannot be read", str(error)))
        return USAGE
    anyio.run(run, settings)
    if not options.json:
        _print(summary(ended))
    return FAILED if any(outcome.status is Status.FAILED for outcome in ended) else OK


def _entra(options: argparse.Namespace) -> int:
    from crm_server.entra import Registration, script

    _print(
        script(
            Registration.of(
                public_url=options.public_url,
                tenant=options.tenant,
                name=options.name,
                roles=_listed(options.roles),
                clients=_listed(options.clients),
                federated_issuer=options.federated_issuer,
                federated_subject=options.federated_subject,
            )
        )
    )
    return OK


def _token(options: argparse.Namespace) -> int:
    from crm_server.authorization.lab import new_token

    token, lines = new_token(options.name)
    # Apart from the lines, which go to a file where the token has no business.
    sys.stderr.write(f"The token of {options.name}, which is shown this once: {token}\n")
    sys.stderr.write(
        "Its lines for the file that DYNAMICS_CALLERS_FILE names are on standard output; choose roles and "
        "scopes in them.\n"
    )
    sys.stderr.flush()
    _print(lines.rstrip())
    return OK


def _listed(text: str) -> Sequence[str]:
    return tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
