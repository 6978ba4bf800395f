"""From settings to the page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crm_server.authorization.documents import fetch_over_http
from crm_server.authorization.keys import SigningKeys
from crm_server.authorization.rules import APPROVE, Rules
from crm_server.authorization.tokens import JwtTokens, Tokens
from crm_server.pages.acting import Acting
from crm_server.pages.entering import Entering
from crm_server.pages.reading import Reading
from crm_server.pages.sealing import Cookies
from crm_server.pages.signing_in import Client, IssuerSignIn, LabSignIn, SignIn, scopes_for
from crm_server.pages.site import CALLBACK, PATH, Site
from crm_server.pages.visitors import Admission
from crm_server.pages.visits import Visits
from crm_server.settings import APPROVE as MAY_APPROVE
from crm_server.settings import Settings
from crm_server.sign_in.modes import ON_BEHALF_OF
from crm_server.sign_in.vault import Vault

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from crm_server.app import Application
    from crm_server.authorization.resource import Resource
    from crm_server.web.health import Check


def pages_of(
    settings: Settings,
    application: Application,
    tokens: Tokens,
    resource: Resource,
    checks: Mapping[str, Check],
) -> dict[str, ASGIApp]:
    """The page for approvals by its paths; none where the settings want none."""
    public_url = settings.public_url
    if settings.page_url is None or public_url is None:
        return {}
    state = application.crm.state
    cookies = Cookies(state.keys_for, lambda: application.crm.now(), secure=public_url.startswith("https://"))
    root = urlsplit(public_url).path.rstrip("/") + PATH
    visits = Visits(cookies, state, Vault(state, settings))
    entering = Entering(root, cookies, visits, _sign_in(settings, application, tokens, resource), state.note)
    acting = Acting(
        application,
        visits,
        tokens.caller_of if settings.page_undo and settings.callers_issuer is not None else None,
        own=settings.approve_own,
        on_behalf=settings.auth == ON_BEHALF_OF,
    )
    app = Site(public_url, cookies, visits, entering, Reading(application, checks), acting).app()
    return {PATH: app, f"{PATH}/{{page:path}}": app}


def client_of(settings: Settings, resource: Resource) -> Client:
    """The page as the settings say that the issuer knows it."""
    scopes = scopes_for(admission_of(settings, lab=False), undo=settings.page_undo)
    return Client(
        settings.page_client_id or "",
        settings.page_client_secret,
        f"{settings.public_url}{CALLBACK}",
        tuple(resource.asked(scopes, settings.page_client_id)),
        keeps_tokens=settings.page_undo and settings.auth == ON_BEHALF_OF,
    )


def admission_of(settings: Settings, *, lab: bool) -> Admission:
    """What lets somebody see the page; in a lab the scope is enough, as nobody gives roles but the file."""
    return Admission({**settings.page_roles, **({APPROVE: MAY_APPROVE} if lab else {})})


def _sign_in(settings: Settings, application: Application, tokens: Tokens, resource: Resource) -> SignIn:
    def known_roles() -> frozenset[str]:
        return frozenset().union(*(rule.roles for rule in application.crm.policy.rules))

    if resource.rules is None or settings.page_client_id is None:
        return LabSignIn(tokens, replace(admission_of(settings, lab=True), known_roles=known_roles))
    issuer = resource.rules.issuer
    admission = replace(admission_of(settings, lab=False), known_roles=known_roles)
    client = client_of(settings, resource)
    rules = Rules(issuer, (client.id,), name_claim=resource.rules.name_claim)
    id_tokens = JwtTokens(rules, SigningKeys(issuer, fetch_over_http, time.monotonic))
    return IssuerSignIn(
        issuer,
        client,
        id_tokens,
        tokens,
        admission,
        rules.name_claim,
        fetch_over_http,
        time.monotonic,
    )
