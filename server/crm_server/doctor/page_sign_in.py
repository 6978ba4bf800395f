"""Whether the issuer signs people in to the page for approvals.

Nobody has to sign in for that. A made-up code shows whether the issuer takes the page's id and secret, and a
sign-in that may ask nothing of anybody shows whether the issuer leads back to the page.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from crm_server.authorization.documents import document
from crm_server.authorization.resource import Resource
from crm_server.authorization.rules import Rules
from crm_server.doctor.context import Context
from crm_server.doctor.outcomes import Outcome, Status, failed, ok, warning
from crm_server.doctor.probing import NotReachedError, Reached, probe
from crm_server.pages.configured import client_of
from crm_server.pages.sealing import Attempt
from crm_server.pages.signing_in import (
    Client,
    Endpoints,
    as_client,
    code_form,
    described,
    sign_in_address,
)
from crm_server.web.configured import rules_of

_DESCRIPTION = "the issuer's description"


async def sign_in(context: Context) -> Outcome:
    """Whether the issuer knows the page, takes its secret, and leads back to it."""
    given = context.settings
    rules = rules_of(given)
    client = client_of(given, Resource(given.public_url or "", rules))
    try:
        said = document((await probe(rules.issuer.discovery, "DYNAMICS_CALLERS_ISSUER")).body)
        endpoints = described(rules.issuer, said)
        found = (
            _described_well(said, client, rules),
            await _known(client, endpoints),
            await _led_back(client, endpoints),
        )
    except NotReachedError as error:
        return failed(error.found, error.todo)
    except ValueError:
        return failed(
            "the issuer does not describe where people sign in and where codes are redeemed, by https",
            "Use an issuer with OpenID Connect's authorization code flow, or remove DYNAMICS_PAGE_CLIENT_ID.",
        )
    for status in (Status.FAILED, Status.WARNING):
        for outcome in found:
            if outcome is not None and outcome.status is status:
                return outcome
    proof = "knows the page" if client.secret is None else "takes the page's id and secret"
    return ok(f"the issuer {proof}, and leads back to it", client=client.id, redirect=client.redirect)


def _described_well(said: Mapping[str, Any], client: Client, rules: Rules) -> Outcome | None:
    """What the issuer says that it can do (RFC 8414, section 2; OpenID Connect Discovery 1.0, section 3)."""
    if "code" not in (_listed(said, "response_types_supported") or ["code"]):
        return failed(
            "the issuer has no authorization code flow",
            "Switch it on there, or remove DYNAMICS_PAGE_CLIENT_ID.",
        )
    proofs = _listed(said, "token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    if client.secret is not None and not {"client_secret_basic", "client_secret_post"} & set(proofs):
        return failed(
            "the issuer wants other proof of an application than a secret",
            "Register the page as a public application, and remove DYNAMICS_PAGE_CLIENT_SECRET.",
        )
    challenges = _listed(said, "code_challenge_methods_supported")
    if challenges is not None and "S256" not in challenges:
        return failed(
            "the issuer does not take PKCE with S256, without which the page signs nobody in",
            "Switch it on for the page's application at the issuer.",
        )
    # Entra ID takes it without saying so.
    # https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
    if challenges is None and not rules.issuer.is_entra:
        return warning(
            "the issuer does not say that it takes PKCE with S256, which guards the page's sign-in",
            "Switch it on at the issuer, if it can be.",
        )
    return None


def _listed(said: Mapping[str, Any], name: str) -> list[str] | None:
    """The texts of a list in the issuer's description; None where it has none."""
    found = said.get(name)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else None


async def _known(client: Client, endpoints: Endpoints) -> Outcome | None:
    """What becomes of a made-up code: only who is known hears that it is the code that is wrong.

    RFC 6749, section 5.2.
    """
    reached = await _asked(client, endpoints, code_form(client, secrets.token_urlsafe(32), _verifier()))
    error, code = _refusal(reached)
    if error == "invalid_grant" and code == _MALFORMED and client.secret is not None:
        return await _token_of_its_own(client, endpoints)
    return None if error == "invalid_grant" else _not_taken(client, reached)


async def _token_of_its_own(client: Client, endpoints: Endpoints) -> Outcome | None:
    """Entra ID may find a code malformed before it looks at the secret; a token for the page itself tells.

    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
    """
    form = {"grant_type": "client_credentials", "scope": f"{client.id}/.default"}
    reached = await _asked(client, endpoints, form)
    return None if reached.status == 200 else _not_taken(client, reached)


async def _asked(client: Client, endpoints: Endpoints, form: Mapping[str, str]) -> Reached:
    told, proof = as_client(client, endpoints, form)
    return await probe(endpoints.token, _DESCRIPTION, told, proof)


def _not_taken(client: Client, reached: Reached) -> Outcome:
    """What the token endpoint refuses, or that its answer says nothing of the application."""
    error, code = _refusal(reached)
    if code in _ENTRA:
        found, todo = _ENTRA[code]
        return failed(f"{found} (AADSTS{code})", todo, code=f"AADSTS{code}")
    if error == "invalid_client" and client.secret is None:
        return failed(
            "the issuer does not take the page's id without a secret",
            "Set DYNAMICS_PAGE_CLIENT_SECRET to its secret, or correct DYNAMICS_PAGE_CLIENT_ID.",
            code=error,
        )
    if error == "invalid_client":
        return failed(
            "the issuer does not take the page's id and secret",
            "Set DYNAMICS_PAGE_CLIENT_ID and DYNAMICS_PAGE_CLIENT_SECRET to those of the page's application.",
            code=error,
        )
    if error in ("unauthorized_client", "unsupported_grant_type"):
        return failed(
            "the page's application may not redeem codes",
            "Allow it the authorization code flow at the issuer.",
            code=error,
        )
    return _untold("takes the page's id and secret", reached)


async def _led_back(client: Client, endpoints: Endpoints) -> Outcome | None:
    """Where a sign-in leads that may ask nobody anything (OpenID Connect Core 1.0, section 3.1.2.1, prompt).

    An issuer sends nobody to an address that is not registered, and an error only to one that is.
    """
    attempt = Attempt(_verifier(), _verifier(), _verifier(), "", 0.0)
    reached = await probe(sign_in_address(client, endpoints, attempt, prompt="none"), _DESCRIPTION)
    location = reached.location or ""
    if location.startswith(f"{client.redirect}?"):
        told = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        return _refused_there(client, told, reached)
    code = _aadsts(reached.body.decode("utf-8", "replace"))
    if code in _ENTRA:
        return failed(f"{_ENTRA[code][0]} (AADSTS{code})", _ENTRA[code][1], code=f"AADSTS{code}")
    if code in _UNREGISTERED or 400 <= reached.status < 500:
        return failed(
            "the issuer does not lead back to the page",
            f"Register {client.redirect} as a redirect address (platform Web) of the page's application.",
            redirect=client.redirect,
        )
    return _untold("leads back to the page", reached)


def _refused_there(client: Client, told: Mapping[str, str], reached: Reached) -> Outcome | None:
    """What an answer to the page says against it; that somebody has to sign in says nothing."""
    error = told.get("error")
    if error is None or error in _SILENT:
        return None
    if error == "invalid_scope":
        asked = " ".join(("openid", "profile", *client.scopes))
        return failed(
            "the issuer does not let the page ask for its scopes",
            f"Allow the page's application the scopes {asked} at the issuer.",
            code=error,
        )
    if error in ("unauthorized_client", "unsupported_response_type", "invalid_request"):
        return failed(
            f"the issuer refuses to sign people in for the page ({error})",
            "Allow the page's application the authorization code flow with PKCE (S256) at the issuer.",
            code=error,
        )
    return _untold("signs people in for the page", reached)


def _untold(what: str, reached: Reached) -> Outcome:
    if reached.status >= 500:
        return failed(
            f"the issuer fails where people sign in (status {reached.status})",
            "Try again later, or ask whoever runs it.",
        )
    return warning(
        f"whether the issuer {what} cannot be told without a person", "Sign in to the page once, and see."
    )


def _verifier() -> str:
    """Unguessable, and as long as a verifier has to be (RFC 7636, section 4.1)."""
    return secrets.token_urlsafe(32)


def _refusal(reached: Reached) -> tuple[str, str]:
    """The error of an answer (RFC 6749, section 5.2), and Entra ID's number of it; else empty."""
    try:
        said = json.loads(reached.body)
        error, text = said.get("error"), said.get("error_description")
    except (ValueError, AttributeError):
        return "", ""
    return (error if isinstance(error, str) else ""), _aadsts(text if isinstance(text, str) else "")


def _aadsts(text: str) -> str:
    found = re.search(r"AADSTS(\d+)", text)
    return found[1] if found else ""


_SILENT = ("login_required", "interaction_required", "account_selection_required", "consent_required")
"""OpenID Connect Core 1.0, section 3.1.2.6."""

_MALFORMED = "9002313"
_UNREGISTERED = ("50011", "500113")
_ENTRA: Mapping[str, tuple[str, str]] = {
    "700016": (
        "the tenant has no application with the page's id",
        "Set DYNAMICS_PAGE_CLIENT_ID to the application (client) id of the page in that tenant.",
    ),
    "700025": (
        "the page's application is a public one, and takes no secret",
        "Register the redirect address under the platform Web, or remove DYNAMICS_PAGE_CLIENT_SECRET.",
    ),
    "7000112": (
        "the page's application is disabled",
        "Let an administrator enable it (Entra admin center, Enterprise applications).",
    ),
    "7000215": (
        "the page's secret is wrong",
        "Set DYNAMICS_PAGE_CLIENT_SECRET to the secret's value, not its id.",
    ),
    "7000218": (
        "the page's application wants its secret",
        "Set DYNAMICS_PAGE_CLIENT_SECRET.",
    ),
    "7000222": (
        "the page's secret has expired",
        "Create a new one, and set DYNAMICS_PAGE_CLIENT_SECRET to its value.",
    ),
}
"""AADSTS code -> what it says of the page, and what to do.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""
