"""What is reached over the network before anybody signs in: the environment, clocks, the callers' issuer."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from crm_server.authorization.documents import fetch_over_http
from crm_server.authorization.keys import SigningKeys
from crm_server.dataverse.addresses import PrivateAddressError, refuse_private, resolve
from crm_server.doctor.context import Context
from crm_server.doctor.outcomes import Outcome, advised, failed, ok, skipped, warning
from crm_server.doctor.probing import NotReachedError, Reached, probe
from crm_server.settings import Settings
from crm_server.web.configured import rules_of

MOST_SECONDS_OFF = 60
"""Tokens are checked with a minute's leeway."""
SOON = timedelta(days=21)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


async def environment(context: Context) -> Outcome:
    """Whether the environment answers, with a certificate that is trusted."""
    if context.embedded:
        return skipped("the embedded sandbox is in this process")
    address = urlsplit(context.address)
    host = address.hostname or ""
    try:
        refuse_private(host, await resolve(host, address.port or 443), context.settings.private_network)
    except PrivateAddressError as error:
        return advised(error.message)
    except OSError:
        return failed(
            f"the name {host} is not known", "Check DYNAMICS_URL and this machine's name service (DNS)."
        )
    try:
        reached = await probe(f"{context.address}/api/data/v9.2/WhoAmI", "DYNAMICS_URL")
    except NotReachedError as error:
        return failed(error.found, error.todo)
    if reached.status == 404:
        return failed(
            f"{host} answers, but is no Dataverse",
            "Set DYNAMICS_URL to the environment's address as the Power Platform admin center shows it.",
        )
    _note_clock(context, "the environment", reached)
    return _trusted(reached, f"{host} answers", context.now())


async def clock(context: Context) -> Outcome:
    """Whether this machine's clock agrees with the environment's and the issuer's."""
    if not context.seconds_ahead:
        return skipped("there is no other clock to compare this machine's with")
    name, off = max(context.seconds_ahead.items(), key=lambda item: abs(item[1]))
    if abs(off) > MOST_SECONDS_OFF:
        return failed(
            f"this machine's clock is {abs(off)} seconds {'ahead of' if off > 0 else 'behind'} that of "
            f"{name}, so tokens are refused",
            "Set the clock by a time service (NTP).",
            seconds=off,
        )
    return ok(f"this machine's clock agrees with that of {' and '.join(context.seconds_ahead)}", seconds=off)


async def issuer(context: Context) -> Outcome:
    """Whether the issuer of callers describes itself under its name, and publishes keys that sign."""
    given = context.settings
    if given.callers_issuer is None:
        return skipped("DYNAMICS_CALLERS_ISSUER is not set, so no issuer is asked")
    who = rules_of(given).issuer
    try:
        reached = await probe(who.discovery, "DYNAMICS_CALLERS_ISSUER")
    except NotReachedError as error:
        return failed(error.found, error.todo)
    _note_clock(context, "the issuer", reached)
    said = _said_issuer(reached)
    if said is None:
        return failed(
            f"there is no description of an issuer at {who.discovery}",
            "Set DYNAMICS_CALLERS_ISSUER to what stands as iss in callers' tokens.",
        )
    if not who.is_called(said):
        return failed(
            f"the issuer calls itself {said[:200]!r}, so tokens name another issuer than the settings",
            "Set DYNAMICS_CALLERS_ISSUER to that name, if it is the one you mean.",
        )
    keys = SigningKeys(who, fetch_over_http, time.monotonic)
    await keys.warm()
    if not keys.usable:
        return failed(
            "the issuer describes itself, but its signing keys cannot be read",
            "Let this machine reach the address that its description names as jwks_uri.",
        )
    return _trusted(reached, f"{who.address} answers, and its signing keys can be read", context.now())


def _note_clock(context: Context, whose: str, reached: Reached) -> None:
    """How far this machine's clock is ahead of that of whoever answered just now, by the Date header."""
    if reached.date is not None:
        context.seconds_ahead[whose] = round((context.now() - reached.date).total_seconds())


def _said_issuer(reached: Reached) -> str | None:
    try:
        said = json.loads(reached.body)["issuer"]
    except (ValueError, KeyError, TypeError):
        return None
    return said if isinstance(said, str) and reached.status == 200 else None


async def public_address(context: Context) -> Outcome:
    """Whether the public address, the audience, the issuer and the server's own sign-in can go together."""
    given = context.settings
    if given.public_url is None:
        return skipped("DYNAMICS_PUBLIC_URL is not set: the server is for this machine only")
    if given.callers_issuer is None:
        return ok(f"clients call {given.public_url}/mcp", public_url=given.public_url)
    if (problem := _contradiction(given)) is not None:
        return problem
    audience = " or ".join(given.callers_audience)
    return ok(f"clients call {given.public_url}/mcp with tokens for {audience}", public_url=given.public_url)


def _contradiction(given: Settings) -> Outcome | None:
    """What of Entra ID's rules the settings overlook.

    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference (aud, ver)
    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow
    """
    rules = rules_of(given)
    if not rules.issuer.is_entra:
        return None
    applications = {found[0].lower() for item in rules.audiences if (found := _GUID.fullmatch(item))}
    if rules.issuer.address.endswith("/v2.0") and not applications:
        return failed(
            "Entra ID's tokens of version 2 name the application's id as their audience, and no id is set",
            "Add the application (client) id to DYNAMICS_CALLERS_AUDIENCE.",
        )
    if given.auth != "on-behalf-of":
        return None
    if applications and (given.client_id or "").lower() not in applications:
        return failed(
            "callers' tokens are for another application than the one that exchanges them",
            "Set DYNAMICS_CLIENT_ID to the application that DYNAMICS_CALLERS_AUDIENCE names.",
        )
    tenant, issuing = _GUID.fullmatch(given.tenant_id or ""), _GUID.search(rules.issuer.address)
    if tenant and issuing and tenant[0].lower() != issuing[0].lower():
        return failed(
            "callers' tokens are of another tenant than the one in which they are exchanged",
            "Set DYNAMICS_TENANT_ID to the tenant that DYNAMICS_CALLERS_ISSUER names.",
        )
    return None


def _trusted(reached: Reached, found: str, now: datetime) -> Outcome:
    if reached.expires is None:
        return ok(f"{found}, without TLS, as only this machine may", tls=False)
    until = f"{reached.expires:%Y-%m-%d}"
    if reached.expires - now < SOON:
        return warning(
            f"{found}, but its certificate expires on {until}", "Have it renewed there.", expires=until
        )
    return ok(f"{found}; its certificate is trusted until {until}", expires=until)
