"""What this server says of itself to clients that want to call it, and how it refuses requests.

RFC 9728 (OAuth 2.0 Protected Resource Metadata), RFC 6750 section 3 (the WWW-Authenticate header), and the
MCP authorization specification's section on scope challenges.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crm_server.authorization.rules import SCOPES, TENANT, Rules

if TYPE_CHECKING:
    from starlette.types import Send

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Resource:
    """This server as a protected resource; ``url`` is the one that clients call, such as ``https://x/mcp``."""

    url: str
    rules: Rules | None = None
    """None where callers have tokens of a file: there is nobody to get one from."""

    @property
    def metadata_paths(self) -> tuple[str, ...]:
        """Where the metadata is: at the path of the resource, and for older clients at the root."""
        path = urlsplit(self.url).path.rstrip("/")
        return tuple(dict.fromkeys((_WELL_KNOWN + path, _WELL_KNOWN)))

    @property
    def metadata_url(self) -> str:
        """The address of the metadata."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{self.metadata_paths[0]}"

    def metadata(self) -> dict[str, Any]:
        """The metadata document."""
        found: dict[str, Any] = {
            "resource": self.url,
            "resource_name": "Dynamics 365 CRM",
            "bearer_methods_supported": ["header"],
        }
        if self.rules is not None:
            issuer = self.rules.issuer.address.replace(TENANT, "organizations")
            found |= {"authorization_servers": [issuer], "scopes_supported": self.asked(SCOPES)}
        return found

    def asked(self, scopes: Iterable[str], by: str | None = None) -> list[str]:
        """Scopes as a client asks its issuer for them: Entra ID wants the application's URI before them.

        If that application is the client itself, it goes by its id (error AADSTS90009).
        https://learn.microsoft.com/entra/identity-platform/reference-error-codes
        """
        prefix = "" if self.rules is None else _scope_prefix(self.rules)
        if prefix and self.rules is not None and by in self.rules.audiences:
            prefix = f"{by}/"
        return [prefix + scope for scope in scopes]

    def challenge(self, scopes: Iterable[str], error: str | None = None, description: str = "") -> str:
        """A WWW-Authenticate header: where to learn of this resource, and which scopes to ask for."""
        facts = {"realm": "crm"}
        if error is not None:
            facts |= {"error": error, "error_description": description}
        if self.rules is not None:
            facts |= {"scope": " ".join(self.asked(scopes)), "resource_metadata": self.metadata_url}
        return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in facts.items())


def _scope_prefix(rules: Rules) -> str:
    """https://learn.microsoft.com/entra/identity-platform/scopes-oidc"""
    if not rules.issuer.is_entra:
        return ""
    uri = next((audience for audience in rules.audiences if "://" in audience), f"api://{rules.audiences[0]}")
    return f"{uri.rstrip('/')}/"


async def refuse(
    send: Send, status: int, code: str, message: str, headers: Iterable[tuple[str, str]] = ()
) -> None:
    """Answer a request with an error in our words."""
    body = json.dumps({"error": code, "error_description": message}).encode()
    sent = [("content-type", "application/json"), ("content-length", str(len(body))), *headers]
    raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in sent]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
