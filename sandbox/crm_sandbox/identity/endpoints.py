"""The identity service as an ASGI application: which path is answered by what.

https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from crm_sandbox.identity.clients import Clients
from crm_sandbox.identity.directory import Directory
from crm_sandbox.identity.errors import EntraError, missing_parameter, unknown_tenant
from crm_sandbox.identity.grants import Grants
from crm_sandbox.identity.managed_identity import ManagedIdentities
from crm_sandbox.identity.pages import message_page
from crm_sandbox.identity.scopes import Resources
from crm_sandbox.identity.signing_in import DEVICE_PATH, SignIn
from crm_sandbox.identity.state import Lifetimes, State
from crm_sandbox.identity.tokens import Signer
from crm_sandbox.identity.web import (
    Call,
    ClientDisconnect,
    Receive,
    Response,
    Scope,
    Send,
    correlation_id,
    error_json,
    page,
    path_of,
    private_json,
    public_json,
    read_call,
)

TENANT_ALIASES = ("common", "organizations")
"""Tenants that a client names when the sign-in shall tell which it is."""

_SCOPES_SUPPORTED = ["openid", "profile", "email", "offline_access"]


@dataclass(frozen=True, slots=True)
class _Route:
    path: re.Pattern[str]
    methods: tuple[str, ...]
    answer: Callable[[Call, str], Response]
    is_page: bool = False


class IdentityApp:
    """Answers for Entra ID and for the platform's managed identity endpoints."""

    def __init__(
        self,
        directory: Directory,
        signer: Signer,
        now: Callable[[], datetime],
        lifetimes: Lifetimes | None = None,
    ) -> None:
        self._directory = directory
        self._signer = signer
        self._now = now
        self._failures: deque[EntraError] = deque()
        chosen, state = lifetimes or Lifetimes(), State()
        resources = Resources(directory, signer.issuer_root)
        self._clients = Clients(directory, now)
        self._grants = Grants(signer, resources, state, chosen, now)
        self._sign_in = SignIn(directory, self._clients, resources, state, chosen, now)
        self._identities = ManagedIdentities(signer, resources, chosen, now)
        self._routes = self._table()

    def serves(self, path: str) -> bool:
        """Whether a path (decoded, without query) is one of this application."""
        return self._route(path) is not None

    def fail_next(self, failure: EntraError) -> None:
        """Let the next request to the token endpoint answer a refusal; each call adds one more.

        It is answered before anything else is looked at, so nothing is used up by the refused request.
        """
        self._failures.append(failure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the lifespan protocol needs nothing."""
        if scope["type"] != "http":
            return
        route = self._route(path_of(scope))
        asked_id = dict(scope["headers"]).get(b"client-request-id", b"").decode("latin-1")
        try:
            call = await read_call(scope, receive)
        except ClientDisconnect:
            return
        except EntraError as error:
            answer = self._refuse(error, correlation_id(asked_id), as_page=False)
        else:
            answer = self._answer(route, call)
        answer.headers["x-ms-request-id"] = correlation_id(None)
        await answer(scope, receive, send)

    def _route(self, path: str) -> tuple[_Route, str] | None:
        for route in self._routes:
            match = route.path.fullmatch(path)
            if match is not None:
                return route, match.groupdict().get("tenant", "")
        return None

    def _answer(self, found: tuple[_Route, str] | None, call: Call) -> Response:
        if found is None:
            return error_json({"error": "not_found", "error_description": "No such endpoint."}, 404)
        route, tenant = found
        try:
            if call.method not in route.methods:
                accepted = ", ".join(route.methods)
                raise EntraError(
                    900561,
                    "invalid_request",
                    f"The endpoint only accepts {accepted} requests. Received a {call.method} request.",
                )
            return route.answer(call, tenant)
        except EntraError as error:
            return self._refuse(error, call.correlation_id, as_page=route.is_page)

    def _refuse(self, error: EntraError, call_id: str, *, as_page: bool) -> Response:
        content = error.content(self._now(), call_id)
        if as_page:
            return page(
                message_page("Sorry, but we're having trouble signing you in", str(error)), error.status
            )
        return error_json(content, error.status, error.retry_after)

    def _table(self) -> tuple[_Route, ...]:
        def under_tenant(path: str) -> re.Pattern[str]:
            return re.compile(rf"/(?P<tenant>[^/]+)/{path}")

        read, both = ("GET",), ("GET", "POST")
        sign_in = self._sign_in
        return (
            _Route(re.compile("/common/discovery/instance"), read, self._instances),
            _Route(re.compile("/metadata/identity/oauth2/token"), read, self._instance_metadata),
            _Route(re.compile("/msi/token"), read, self._app_service),
            _Route(re.compile(DEVICE_PATH), both, lambda call, _: sign_in.device_sign_in(call), is_page=True),
            _Route(under_tenant(r"v2\.0/\.well-known/openid-configuration"), read, self._configuration_v2),
            _Route(under_tenant(r"\.well-known/openid-configuration"), read, self._configuration_v1),
            _Route(under_tenant(r"discovery/v2\.0/keys"), read, self._keys),
            _Route(under_tenant(r"oauth2/v2\.0/token"), ("POST",), self._token),
            _Route(under_tenant(r"oauth2/v2\.0/devicecode"), ("POST",), self._device_code),
            _Route(under_tenant(r"oauth2/v2\.0/authorize"), both, self._authorize, is_page=True),
            _Route(under_tenant(r"oauth2/v2\.0/logout"), both, self._log_out, is_page=True),
        )

    def _check_tenant(self, tenant: str, error: str = "invalid_request") -> None:
        if tenant.lower() not in (self._directory.tenant.id.lower(), *TENANT_ALIASES):
            raise unknown_tenant(tenant, error)

    def _configuration_v2(self, call: Call, tenant: str) -> Response:
        return self._configuration(tenant, "2.0")

    def _configuration_v1(self, call: Call, tenant: str) -> Response:
        return self._configuration(tenant, "1.0")

    def _configuration(self, tenant: str, version: str) -> Response:
        """The discovery document. That of v1.0 names the v2.0 endpoints, as there are no others here."""
        self._check_tenant(tenant, "invalid_tenant")
        issuer = self._signer.issuer(version)
        if tenant.lower() in TENANT_ALIASES:
            issuer = issuer.replace(self._directory.tenant.id, "{tenantid}")
        root = f"{self._signer.issuer_root}/{tenant}"
        endpoints = f"{root}/oauth2/v2.0"
        return public_json(
            {
                "token_endpoint": f"{endpoints}/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code"],
                "scopes_supported": _SCOPES_SUPPORTED,
                "issuer": issuer,
                "request_uri_parameter_supported": False,
                "authorization_endpoint": f"{endpoints}/authorize",
                "device_authorization_endpoint": f"{endpoints}/devicecode",
                "end_session_endpoint": f"{endpoints}/logout",
                "code_challenge_methods_supported": ["S256"],
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "name", "oid", "tid", "ver", "nonce"],
            }
        )

    def _instances(self, call: Call, tenant: str) -> Response:
        """Where the discovery document of an authority is. The port is not compared: msal leaves it out."""
        asked = call.query.get("authorization_endpoint")
        if not asked:
            raise missing_parameter("authorization_endpoint")
        own = urlsplit(self._signer.issuer_root)
        host, asked_tenant = _host_and_tenant(asked)
        if host != own.hostname:
            raise EntraError(50049, "invalid_instance", "Unknown or invalid instance.")
        self._check_tenant(asked_tenant, "invalid_tenant")
        root = f"{self._signer.issuer_root}/{asked_tenant}"
        return public_json(
            {
                "tenant_discovery_endpoint": f"{root}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [
                    {"preferred_network": own.netloc, "preferred_cache": own.netloc, "aliases": [own.netloc]}
                ],
            }
        )

    def _keys(self, call: Call, tenant: str) -> Response:
        self._check_tenant(tenant)
        return public_json(self._signer.key_set())

    def _token(self, call: Call, tenant: str) -> Response:
        if self._failures:
            raise self._failures.popleft()
        self._check_tenant(tenant)
        if tenant.lower() in TENANT_ALIASES and call.form.get("grant_type") == "client_credentials":
            raise EntraError(
                50059,
                "invalid_request",
                "No tenant-identifying information found in either the request or implied by any provided "
                "credentials.",
            )
        client = self._clients.of_request(
            call.form, call.headers.get("authorization"), self._assertion_audiences(tenant)
        )
        return private_json(self._grants.redeem(client, call.form))

    def _assertion_audiences(self, tenant: str) -> tuple[str, ...]:
        named = (self._signer.directory.tenant.id, tenant)
        roots = [f"{self._signer.issuer_root}/{name}" for name in named]
        return tuple(f"{root}/{rest}" for root in roots for rest in ("oauth2/v2.0/token", "v2.0"))

    def _device_code(self, call: Call, tenant: str) -> Response:
        self._check_tenant(tenant)
        return private_json(self._sign_in.device_code(call.form, self._signer.issuer_root))

    def _authorize(self, call: Call, tenant: str) -> Response:
        self._check_tenant(tenant)
        return self._sign_in.authorize(call)

    def _log_out(self, call: Call, tenant: str) -> Response:
        self._check_tenant(tenant)
        return self._sign_in.log_out(call)

    def _instance_metadata(self, call: Call, tenant: str) -> Response:
        return self._identities.instance_metadata(call)

    def _app_service(self, call: Call, tenant: str) -> Response:
        return self._identities.app_service(call)


def _host_and_tenant(address: str) -> tuple[str | None, str]:
    try:
        parts = urlsplit(address)
        return parts.hostname, parts.path.strip("/").partition("/")[0]
    except ValueError:
        raise EntraError(50050, "invalid_request", "The request is malformed.") from None
