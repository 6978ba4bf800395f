"""What takes a token: signing in, who one then is, and search."""

from __future__ import annotations

from crm_server.doctor.context import Context
from crm_server.doctor.outcomes import Outcome, advised, failed, ok, skipped
from crm_server.sign_in import provider_for
from crm_server.sign_in.storage import token_file
from crm_tools.errors import CrmError, SignInError
from crm_tools.insight_operations import Search

_OF_PERSONS = ("interactive", "device-code")
_NO_CALLER = "it takes a caller, and DYNAMICS_AUTH=on-behalf-of has none here; run this with client-secret"
# Refusals that are about the application itself, whomever it acts for.
_OF_THE_APPLICATION = frozenset(
    {"700016", "700027", "7000215", "7000222", "90002", "900023", "70021", "700213", "700024"}
)


async def sign_in(context: Context) -> Outcome:
    """Whether a token can be had."""
    given = context.settings
    if context.embedded:
        return ok("the embedded sandbox asks for none")
    if given.auth == "on-behalf-of":
        return await _application_of_callers(context)
    if given.auth in _OF_PERSONS and not token_file().exists():
        return failed("nobody has signed in here yet", "Run: dynamics-crm-mcp login")
    context.provider = provider_for(given)()
    if context.provider is None:
        return ok("DYNAMICS_AUTH=none asks for no token")
    try:
        await context.provider.token()
    except SignInError as error:
        return refused(error)
    return ok(f"a token can be had by {given.auth}", auth=given.auth)


async def _application_of_callers(context: Context) -> Outcome:
    """The application that exchanges callers' tokens: a wrong secret shows before the first caller comes.

    Services work under it, so where there are any it has to be a user of the environment itself.
    """
    from crm_server.sign_in.applications import of_callers

    provider = of_callers(context.settings)
    try:
        await provider.token()
        if context.settings.callers_services:
            context.provider = provider
            return ok("a token can be had by the application itself, under which services work")
    except SignInError as error:
        code = (error.crm_code or "").removeprefix("AADSTS")
        if error.crm_code is None or code in _OF_THE_APPLICATION:
            return refused(error)
    return skipped(_NO_CALLER)


def refused(error: SignInError) -> Outcome:
    """A refusal of Entra ID or of the environment with what it means; nothing of their own texts."""
    found, _, todo = error.message.partition(". ")
    code = f" ({error.crm_code})" if error.crm_code else ""
    return failed(f"{found}{code}", todo or "An administrator looks at the sign-in log.", code=error.crm_code)


async def who_am_i(context: Context) -> Outcome:
    """Who one is, in which organisation, and what kind of environment that is."""
    try:
        context.user = str((await context.client.who_am_i())["UserId"])
        found = await context.client.identify()
    except SignInError as error:
        return refused(error)
    except CrmError as error:
        return advised(error.message)
    roles = await _roles(context, context.user)
    named = f", with the security roles {', '.join(roles)}" if roles else ""
    return ok(
        f"{found.user} in {found.described}{named}",
        user=found.user,
        user_id=context.user,
        organization=found.organization,
        kind=found.kind,
        roles=list(roles),
    )


async def _roles(context: Context, user: str) -> tuple[str, ...]:
    """Security roles, which not everybody may read; they only help to find the one to change."""
    try:
        return await context.client.roles_of(user)
    except CrmError:
        return ()


async def search(context: Context) -> Outcome:
    """Whether Dataverse search is switched on; without it records are found by their names alone."""
    table = context.tables["account"]
    try:
        hits = await context.client.search([Search(table.name, "contoso", (table.primary_name,), top=1)])
    except CrmError as error:
        return advised(error.message)
    if hits is None:
        return ok("Dataverse search is off: records are found by the text of their columns", search=False)
    return ok("Dataverse search is on", search=True)
