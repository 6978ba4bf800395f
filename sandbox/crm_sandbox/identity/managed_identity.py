"""Tokens for what runs on the platform: the instance metadata service, and the form of App Service.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from crm_sandbox.identity.directory import Directory, ManagedIdentity
from crm_sandbox.identity.errors import EntraError
from crm_sandbox.identity.scopes import Resources
from crm_sandbox.identity.state import Lifetimes
from crm_sandbox.identity.tokens import Signer
from crm_sandbox.identity.web import Call, Response, error_json, private_json

_BY_RESOURCE_ID = ("msi_res_id", "mi_res_id")


class _RefusedError(Exception):
    """The text of a refusal."""


class ManagedIdentities:
    """Gives tokens to managed identities, chosen by client id or object id; a single one needs no choice."""

    def __init__(
        self, signer: Signer, resources: Resources, lifetimes: Lifetimes, now: Callable[[], datetime]
    ) -> None:
        self._signer = signer
        self._directory: Directory = signer.directory
        self._resources = resources
        self._lifetimes = lifetimes
        self._now = now

    def instance_metadata(self, call: Call) -> Response:
        """The instance metadata service: refusals are ``{"error", "error_description"}`` with HTTP 400."""
        try:
            if call.headers.get("metadata") != "true":
                raise _RefusedError("Required metadata header not specified")
            return private_json(self._token(call.query))
        except _RefusedError as refusal:
            return error_json({"error": "invalid_request", "error_description": str(refusal)}, 400)
        except EntraError as error:
            return error_json({"error": error.error, "error_description": str(error)}, 400)

    def app_service(self, call: Call) -> Response:
        """The form of App Service: refusals are ``{"statusCode", "message"}``."""
        sent = call.headers.get("x-identity-header", "")
        if not hmac.compare_digest(sent.encode(), self._directory.identity_header.encode()):
            message = "The header X-IDENTITY-HEADER does not hold the value of IDENTITY_HEADER."
            return error_json({"statusCode": 401, "message": message}, 401)
        try:
            return private_json(self._token(call.query))
        except (_RefusedError, EntraError) as refusal:
            return error_json({"statusCode": 400, "message": str(refusal)}, 400)

    def _token(self, query: Mapping[str, str]) -> dict[str, Any]:
        if not query.get("api-version"):
            raise _RefusedError("api-version was not specified in the request")
        resource = query.get("resource")
        if not resource:
            raise _RefusedError("Required audience parameter not specified")
        identity = self._chosen(query)
        audience = self._resources.audience(resource)
        lifetime = self._lifetimes.managed_identity_token
        seconds, begins = int(lifetime.total_seconds()), int(self._now().timestamp())
        return {
            "access_token": self._signer.managed_identity_token(identity, audience, lifetime),
            "refresh_token": "",
            "client_id": identity.client_id,
            "expires_in": str(seconds),
            "expires_on": str(begins + seconds),
            "not_before": str(begins),
            "resource": resource,
            "token_type": "Bearer",
        }

    def _chosen(self, query: Mapping[str, str]) -> ManagedIdentity:
        """The identity that a query chooses. None has an Azure resource id, so that choice finds nothing."""
        found = [
            one
            for one in self._directory.managed_identities
            if query.get("client_id", one.client_id).lower() == one.client_id.lower()
            and query.get("object_id", one.object_id).lower() == one.object_id.lower()
            and not any(name in query for name in _BY_RESOURCE_ID)
        ]
        if not found:
            raise _RefusedError("Identity not found")
        if len(found) > 1:
            raise _RefusedError(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the "
                "identity in the token request"
            )
        return found[0]
