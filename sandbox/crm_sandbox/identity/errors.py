"""What Entra ID answers when it refuses.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import uuid4


class EntraError(Exception):
    """A refusal: the AADSTS number, the OAuth error and a text; made into Entra's JSON by ``content``."""

    def __init__(
        self,
        code: int,
        error: str,
        text: str,
        *,
        status: int | None = None,
        suberror: str | None = None,
        claims: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """``claims`` is the claims challenge, ``retry_after`` is in seconds.

        Without ``status`` an unproven client is answered with 401 and everything else with 400.
        """
        super().__init__(f"AADSTS{code}: {text}")
        self.code = code
        self.error = error
        self.status = status or (401 if error == "invalid_client" else 400)
        self.suberror = suberror
        self.claims = claims
        self.retry_after = retry_after

    def content(self, moment: datetime, correlation_id: str) -> dict[str, Any]:
        """The JSON of the answer."""
        trace_id, timestamp = str(uuid4()), f"{moment:%Y-%m-%d %H:%M:%SZ}"
        content: dict[str, Any] = {
            "error": self.error,
            "error_description": f"{self} Trace ID: {trace_id} Correlation ID: {correlation_id} "
            f"Timestamp: {timestamp}",
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
        }
        if self.suberror is not None:
            content["suberror"] = self.suberror
        if self.claims is not None:
            content["claims"] = self.claims
        return content


def multifactor_required(context: str = "c1") -> EntraError:
    """A Conditional Access policy asks for a second factor: 50076 with a claims challenge.

    https://learn.microsoft.com/entra/identity-platform/claims-challenge
    """
    claims = {"access_token": {"acrs": {"essential": True, "value": context}}}
    return EntraError(
        50076,
        "interaction_required",
        "Due to a configuration change made by your administrator, or because you moved to a new location, "
        "you must use multi-factor authentication to access the resource.",
        suberror="basic_action",
        claims=json.dumps(claims),
    )


def consent_required(client_id: str) -> EntraError:
    """Nobody has agreed that the application may act for the user: 65001."""
    return EntraError(
        65001,
        "invalid_grant",
        f"The user or administrator has not consented to use the application with ID '{client_id}'. "
        "Send an interactive authorization request for this user and resource.",
        suberror="consent_required",
    )


def sign_in_too_old() -> EntraError:
    """A policy on the frequency of sign-ins has ended the refresh token: 70043."""
    return EntraError(
        70043,
        "invalid_grant",
        "The refresh token has expired or is invalid due to sign-in frequency checks by Conditional Access.",
        suberror="bad_token",
    )


def service_unavailable(retry_after: int = 1) -> EntraError:
    """The service cannot answer for the moment: 90033 with HTTP 503."""
    return EntraError(
        90033,
        "temporarily_unavailable",
        "A transient error has occurred. Please try again.",
        status=503,
        retry_after=retry_after,
    )


def missing_parameter(name: str) -> EntraError:
    """The request lacks a parameter: 900144."""
    return EntraError(
        900144, "invalid_request", f"The request body must contain the following parameter: '{name}'."
    )


def unknown_tenant(tenant: str, error: str = "invalid_request") -> EntraError:
    """No such tenant: 90002. The discovery documents call it ``invalid_tenant``."""
    return EntraError(
        90002,
        error,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing "
        "into the correct cloud.",
    )


def unknown_application(client_id: str, tenant_id: str) -> EntraError:
    """No such application in the tenant: 700016."""
    return EntraError(
        700016,
        "unauthorized_client",
        f"Application with identifier '{client_id}' was not found in the directory '{tenant_id}'.",
    )


def unknown_resource(resource: str, tenant_id: str) -> EntraError:
    """No such resource in the tenant: 500011."""
    return EntraError(
        500011,
        "invalid_resource",
        f"The resource principal named {resource} was not found in the tenant named {tenant_id}.",
    )
