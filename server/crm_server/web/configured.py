"""From settings to how the server is served over HTTP, and to whom."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crm_server.authorization.documents import fetch_over_http
from crm_server.authorization.keys import SigningKeys
from crm_server.authorization.lab import read_lab
from crm_server.authorization.resource import Resource
from crm_server.authorization.rules import READ, TENANT, WRITE, Issuer, Rules
from crm_server.authorization.tokens import JwtTokens, Tokens
from crm_server.metering import UNMETERED, Meter
from crm_server.policy import limits
from crm_server.policy.model import Limits
from crm_server.settings import Settings, SettingsError
from crm_server.web.messages import ASKED_KEY
from crm_server.web.options import Team, WebOptions
from crm_server.web.turns import Bounds
from crm_tools.errors import StateError
from crm_tools.operations import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp

    from crm_server.app import Application
    from crm_server.policy.limits import Left
    from crm_server.web.health import Check
    from crm_server.web.metrics import Budgets, Metrics

TEAM_DRAIN_SECONDS, OWN_DRAIN_SECONDS = 25.0, 1.0


def options_of(
    settings: Settings, host: str, port: int, *, sse: bool, metrics: Metrics | None = None
) -> WebOptions:
    """How the server is served."""
    for_team = settings.public_url is not None
    usual = TEAM_DRAIN_SECONDS if for_team else OWN_DRAIN_SECONDS
    return WebOptions(
        host=host,
        port=port,
        public_url=settings.public_url,
        origins=settings.origins,
        stateless=(settings.sessions or ("stateless" if for_team else "stateful")) == "stateless",
        sse=sse,
        metrics=metrics,
        bounds=Bounds(of_caller=settings.calls_of_one, in_all=settings.calls),
        drain_seconds=float(settings.drain_seconds or usual),
    )


def meter_of(settings: Settings) -> Meter:
    """What measures calls, if the settings want it."""
    if not settings.metrics:
        return UNMETERED
    from crm_server.web.metrics import PrometheusMeter  # Only servers with metrics need Prometheus' library.

    return PrometheusMeter()


def metrics_of(application: Application) -> Metrics | None:
    """What ``/metrics`` shows of what the application's meter measures; None where it measures nothing."""
    meter = application.crm.meter
    if meter is UNMETERED:
        return None
    from crm_server.web.metrics import Metrics, PrometheusMeter

    if not isinstance(meter, PrometheusMeter):
        return None
    return Metrics(meter, _budgets(application), lambda: application.crm.policy.digest)


def _budgets(application: Application) -> Budgets:
    """What is left of the limits on all callers together; a delete uses all of them but those on reads."""

    async def budgets() -> tuple[Left, ...]:
        policy = replace(application.crm.policy, each_caller=Limits())
        left: tuple[Left, ...] = ()
        for action in (Action.READ, Action.DELETE):
            spent = await application.crm.state.spent(policy, "", action, None)
            left += limits.left(policy, action, spent)
        return left

    return budgets


def team_of(settings: Settings, application: Application, path: str) -> Team | None:
    """The callers that are let in; None where nobody is told apart.

    Raises:
        SettingsError: The settings of callers are incomplete, or cannot be meant together.
    """
    if settings.callers_issuer is not None and settings.callers_file is not None:
        raise SettingsError("Set DYNAMICS_CALLERS_ISSUER or DYNAMICS_CALLERS_FILE, not both.")
    if settings.callers_issuer is None and settings.callers_file is None:
        _require_nothing_else(settings)
        return None
    if settings.public_url is None:
        raise SettingsError(
            "Callers need DYNAMICS_PUBLIC_URL: the address by which clients reach this server, such as "
            "https://crm-mcp.contoso.example."
        )
    checks: dict[str, Check] = {"state": _state_check(application)}
    tokens: Tokens
    rules: Rules | None = None
    if settings.callers_file is not None:
        tokens = read_lab(settings.callers_file)
    else:
        rules = rules_of(settings)
        keys = SigningKeys(rules.issuer, fetch_over_http, time.monotonic)
        tokens, checks["issuer"] = JwtTokens(rules, keys), _keys_check(keys)
    resource = Resource(settings.public_url + path, rules)
    pages = _pages(settings, application, tokens, resource, checks)
    return Team(tokens, resource, _needs(application), checks, pages)


def rules_of(settings: Settings) -> Rules:
    """Whom to believe.

    Raises:
        SettingsError: No audience is named, or tenants go together with neither the issuer nor a name.
    """
    address = settings.callers_issuer or ""
    if not settings.callers_audience:
        raise SettingsError(
            "DYNAMICS_CALLERS_ISSUER needs DYNAMICS_CALLERS_AUDIENCE: for whom tokens are meant, such as "
            "api://crm-mcp or the application's id. Without it any token of the issuer would do."
        )
    if (TENANT in address) != bool(settings.callers_tenants):
        raise SettingsError(
            f"{TENANT} in DYNAMICS_CALLERS_ISSUER and DYNAMICS_CALLERS_TENANTS go together: an issuer that "
            "signs for many tenants, and those whose callers are let in."
        )
    if settings.callers_tenants and settings.callers_name:
        raise SettingsError(
            "DYNAMICS_CALLERS_NAME cannot be set beside DYNAMICS_CALLERS_TENANTS: each tenant names its own "
            "people, and could name one of them as another tenant's are named."
        )
    return Rules(
        Issuer(address, settings.callers_tenants, settings.authority),
        settings.callers_audience,
        settings.callers_services,
        settings.callers_name,
    )


def _require_nothing_else(settings: Settings) -> None:
    for variable, value in (
        ("DYNAMICS_CALLERS_AUDIENCE", settings.callers_audience),
        ("DYNAMICS_CALLERS_TENANTS", settings.callers_tenants),
        ("DYNAMICS_CALLERS_SERVICES", settings.callers_services),
        ("DYNAMICS_CALLERS_NAME", settings.callers_name),
        ("DYNAMICS_PAGE_CLIENT_ID", settings.page_client_id),
    ):
        if value:
            raise SettingsError(f"{variable} is of no use without DYNAMICS_CALLERS_ISSUER.")


def _pages(
    settings: Settings,
    application: Application,
    tokens: Tokens,
    resource: Resource,
    checks: Mapping[str, Check],
) -> dict[str, ASGIApp]:
    if settings.page_url is None:
        return {}
    from crm_server.pages.configured import pages_of  # Only servers with a page need its templates.

    return pages_of(settings, application, tokens, resource, checks)


def _needs(application: Application) -> Any:
    """What a request needs: calling a tool that changes something needs more than reading."""

    def needs(scope: Any) -> str:
        asked = scope[ASKED_KEY]
        if asked.method != "tools/call":
            return READ
        changing = {tool.name for tool in application.caller.tools() if not tool.hints.read_only}
        return WRITE if asked.name in changing else READ

    return needs


def _state_check(application: Application) -> Check:
    async def check() -> str | None:
        try:
            await application.crm.state.check()
        except StateError as error:
            return error.message
        return None

    return check


def _keys_check(keys: SigningKeys) -> Check:
    async def check() -> str | None:
        await keys.warm()
        return None if keys.usable else "The keys of the callers' issuer cannot be read."

    return check
