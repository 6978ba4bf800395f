"""What is on this machine: settings, policy, the folder for files, and the tools on offer."""

from __future__ import annotations

import json
import tempfile
import tomllib
from dataclasses import replace

from crm_server.app import build_application
from crm_server.doctor.context import Context
from crm_server.doctor.outcomes import Outcome, failed, ok, skipped, warning
from crm_server.organisation import chosen_tools
from crm_server.policy.load import PolicyFileError, load_policy, read_text
from crm_server.settings import SettingsError
from crm_server.sign_in import provider_for
from crm_server.web.configured import team_of

CHARACTERS_OF_A_TOKEN = 4
"""As a rule of thumb; models count in ways of their own."""
MANY_TOKENS = 25_000


async def settings(context: Context) -> Outcome:
    """Whether an environment is named, with all that its way to sign in needs."""
    if context.embedded:
        return ok("read; the environment is the embedded sandbox", environment="embedded sandbox")
    if context.settings.url is None:
        return failed(
            "no environment is named", "Set DYNAMICS_URL, such as https://contoso.crm.dynamics.com."
        )
    try:
        provider_for(context.settings)
    except SettingsError as error:
        return failed("what signing in needs is not complete", str(error))
    mode = context.settings.auth
    return ok(f"read and complete: {context.address}, signing in by {mode}", url=context.address, auth=mode)


async def callers(context: Context) -> Outcome:
    """Whether the settings of callers over HTTP are complete and go together."""
    given = context.settings
    try:
        # What is asked here is the callers' settings alone; any application does for that.
        application = build_application(
            replace(given, policy="read-only", tables=(), state=None), sandbox=True, now=context.now
        )
        try:
            team = team_of(given, application, "/mcp")
        finally:
            await application.aclose()
    except SettingsError as error:
        return failed("the settings of callers do not go together", str(error))
    if team is None:
        return ok("nobody is told apart: this server is for one person on this machine", callers="none")
    if given.callers_file is not None:
        return ok("told apart by the tokens of a file, as in a lab", callers="file")
    if given.auth != "on-behalf-of" and not context.embedded:
        return warning(
            f"told apart by {given.callers_issuer}, but all act in the CRM under the server's own rights",
            "Set DYNAMICS_AUTH=on-behalf-of if each is to act under their own.",
            callers="issuer",
        )
    return ok(f"told apart by {given.callers_issuer}", callers="issuer")


async def policy(context: Context) -> Outcome:
    """Whether the policy can be read; what it says of tables that are not described yet comes later."""
    name = context.settings.policy
    try:
        if context.undescribed:
            tomllib.loads(read_text(name))
            return ok(
                f"{name} can be read; the rest is checked once {', '.join(context.undescribed)} is described"
            )
        context.policy = load_policy(name, context.tables)
    except PolicyFileError as error:
        return policy_failed(error)
    except tomllib.TOMLDecodeError as error:
        return failed(f"{name} is no TOML", f"Correct it: {error}.")
    return ok(f"{name}: {len(context.policy.rules)} rules", policy=name, rules=len(context.policy.rules))


def policy_failed(error: PolicyFileError) -> Outcome:
    """What is wrong with a policy, with its file and line."""
    place = error.source if error.line is None else f"{error.source}, line {error.line}"
    return failed(f"the policy cannot be used: {place}", error.problem)


async def files(context: Context) -> Outcome:
    """Whether the folder for imports and exports can be read, and written to."""
    folder = context.settings.files
    if folder is None:
        return skipped("DYNAMICS_FILES is not set, so nothing is imported or exported by file")
    try:
        list(folder.iterdir())
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".dynamics-crm-mcp-"):
            pass
    except OSError as error:
        return failed(
            f"the folder {folder} cannot be used: {error.strerror}",
            "Let the user that the server runs as read and write it, or name another as DYNAMICS_FILES.",
        )
    return ok(f"{folder} can be read and written", folder=str(folder))


async def tools(context: Context) -> Outcome:
    """What the tools on offer cost in every conversation."""
    offered = chosen_tools(context.settings, context.tables)
    size = sum(
        len(json.dumps([tool.name, tool.description, tool.input_schema], ensure_ascii=False))
        for tool in offered
    )
    tokens = round(size / CHARACTERS_OF_A_TOKEN, -2)
    found = f"{len(offered)} tools, about {tokens:,.0f} tokens in each conversation"
    if tokens > MANY_TOKENS:
        return warning(
            found, "Choose fewer with DYNAMICS_TOOLSETS, or set it to compact.", tokens=int(tokens)
        )
    return ok(found, tools=len(offered), tokens=int(tokens))
