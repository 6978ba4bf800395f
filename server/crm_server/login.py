"""``dynamics-crm-mcp login``: signs in now, at the terminal, so that the server finds the sign-in later."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crm_server.settings import Settings, SettingsError
from crm_server.sign_in import provider_for
from crm_tools.standard import standard_tables

if TYPE_CHECKING:
    from crm_server.sign_in.people import Opening
    from crm_server.sign_in.tokens import TokenProvider


async def login(settings: Settings) -> str:
    """Sign in and ask the environment who one is.

    Raises:
        SettingsError: No environment is set, or the settings are incomplete.
        CrmError: The sign-in or the question was refused; the message says what to do.
    """
    from crm_server.dataverse.client import open_client
    from crm_server.sign_in.tokens import bearer_auth

    if settings.url is None:
        raise SettingsError("No environment is set. Set DYNAMICS_URL and the sign-in settings.")
    provider = _at_terminal(settings) or provider_for(settings)()
    auth = None if provider is None else bearer_auth(provider)
    client = open_client(
        base_url=settings.url, tables=standard_tables(), auth=auth, private_network=settings.private_network
    )
    try:
        found = await client.identify()
    finally:
        await client.aclose()
    return f"Signed in to {found.described} at {settings.url} as {found.user}."


def _at_terminal(settings: Settings) -> TokenProvider | None:
    """With a code, the terminal waits; the server itself would not."""
    if settings.auth != "device-code":
        return None
    from crm_server.sign_in.people import Person
    from crm_server.sign_in.tokens import CachedTokens

    return CachedTokens(Person(settings, _with_code).acquire)


def _with_code(opening: Opening, settings: Settings, claims: str | None) -> Mapping[str, Any]:
    from crm_server.sign_in.advice import refusal
    from crm_server.sign_in.applications import scope_of
    from crm_server.sign_in.people import instruction

    with opening() as application:
        flow = application.initiate_device_flow([scope_of(settings)], claims_challenge=claims)
        if "user_code" not in flow:
            raise refusal(flow)
        sys.stderr.write(f"{instruction(flow)}\n")
        sys.stderr.flush()
        answer: Mapping[str, Any] = application.acquire_token_by_device_flow(flow)
        return answer
