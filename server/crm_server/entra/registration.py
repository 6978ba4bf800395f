"""The application that a team's server is in Entra ID, as values of Microsoft Graph.

Ids are made from what they name, so the same words give the same application: run again, nothing changes.
https://learn.microsoft.com/graph/api/resources/application
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from crm_server.authorization.rules import APPROVE, READ, SCOPES, WRITE
from crm_server.pages.site import CALLBACK
from crm_server.settings import PAGE_ROLES, SettingsError

DYNAMICS_CRM = "00000007-0000-0000-c000-000000000000"
USER_IMPERSONATION = "78ce3f0f-a1ce-49c2-8cde-64b5c0896db4"
"""The delegated permission to work in Dataverse as the signed-in user.

https://learn.microsoft.com/power-apps/developer/data-platform/walkthrough-register-app-azure-active-directory
"""

LOCAL_CLIENTS = "http://localhost"
"""Desktop clients listen at a port of their own, which Entra ID does not compare."""

_IDS = UUID("6f0a1f0e-2f5b-4a55-9a0f-3c1b7d5e9a21")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ROLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
# No control characters: they would end a line of a comment, or hide on a terminal.
_PLAIN = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LONGEST_NAME = 120

_SCOPES = {
    READ: ("Read the CRM", "List and read records of the CRM, as far as the server's policy allows."),
    WRITE: ("Change the CRM", "Create, change and delete records, as far as the server's policy allows."),
    APPROVE: ("Approve changes", "Approve or reject changes that wait for a human."),
}


@dataclass(frozen=True, slots=True)
class Registration:
    """What an administrator chose. ``roles`` are those of the policy, beside those of the page for approvals.

    ``clients`` are applications whose users are not asked for consent. ``federated`` is the issuer and the
    subject of the platform's tokens; without it there is a client secret.
    """

    public_url: str
    tenant: str
    name: str
    roles: tuple[str, ...]
    clients: tuple[str, ...] = ()
    federated: tuple[str, str] | None = None

    @classmethod
    def of(
        cls,
        *,
        public_url: str,
        tenant: str,
        name: str,
        roles: Iterable[str] = (),
        clients: Iterable[str] = (),
        federated_issuer: str | None = None,
        federated_subject: str | None = None,
    ) -> Registration:
        """The registration, if it can be meant.

        Raises:
            SettingsError: Something given is none of what it has to be.
        """
        if (federated_issuer is None) != (federated_subject is None):
            raise SettingsError("--federated-issuer and --federated-subject go together.")
        federated = None
        if federated_issuer is not None and federated_subject is not None:
            federated = (
                _https("--federated-issuer", federated_issuer),
                _plain("--federated-subject", federated_subject, 600),
            )
        return cls(
            _https("--public-url", public_url).rstrip("/"),
            _guid("--tenant", tenant),
            _plain("--name", name, _LONGEST_NAME),
            tuple(dict.fromkeys((*PAGE_ROLES, *map(_role_name, roles)))),
            tuple(_guid("--clients", client) for client in clients),
            federated,
        )

    @property
    def identifier_uri(self) -> str:
        """What scopes begin with. The tenant in it makes it one that every tenant takes.

        https://learn.microsoft.com/entra/identity-platform/identifier-uri-restrictions
        """
        return f"api://{self.tenant}/{urlsplit(self.public_url).hostname}"

    def created(self) -> dict[str, Any]:
        """What there is of the application at first, by which it is found again."""
        return {
            "displayName": self.name,
            "signInAudience": "AzureADMyOrg",
            "identifierUris": [self.identifier_uri],
        }

    def described(self) -> dict[str, Any]:
        """All of the application that can be said at once."""
        return {
            "displayName": self.name,
            "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": self._scopes()},
            "appRoles": self.app_roles(),
            "groupMembershipClaims": "ApplicationGroup",
            "optionalClaims": self.optional_claims(),
            "publicClient": {"redirectUris": [LOCAL_CLIENTS]},
            "requiredResourceAccess": self.required_access(),
            "web": {"redirectUris": [f"{self.public_url}{CALLBACK}"]},
        }

    def admitted_clients(self) -> dict[str, Any]:
        """Clients whose users are not asked; only scopes that exist already can be named for them.

        https://learn.microsoft.com/graph/api/resources/preauthorizedapplication
        """
        scopes = self._scopes()
        ids = [scope["id"] for scope in scopes if scope["value"] != APPROVE]
        clients = [{"appId": client, "delegatedPermissionIds": ids} for client in self.clients]
        return {
            "api": {
                "requestedAccessTokenVersion": 2,
                "oauth2PermissionScopes": scopes,
                "preAuthorizedApplications": clients,
            }
        }

    def app_roles(self) -> list[dict[str, Any]]:
        """Roles for people and groups, and what applications that call in their own name are good for.

        A role may have the value of a scope if all that both have is the same, the id too, and both are
        written at once. https://learn.microsoft.com/entra/identity-platform/howto-add-app-roles-in-apps
        """
        people = [
            _role(
                self._id("role", value),
                value,
                value,
                f"The role {value} of the server's policy or of its page for approvals.",
                ["User", "Application"],
            )
            for value in self.roles
        ]
        services = [
            _role(self._id("scope", value), value, *_SCOPES[value], ["Application"])
            for value in (READ, WRITE)
        ]
        return [*people, *services]

    def required_access(self) -> list[dict[str, Any]]:
        """The permission to act in Dataverse as the caller."""
        access = {"id": USER_IMPERSONATION, "type": "Scope"}
        return [{"resourceAppId": DYNAMICS_CRM, "resourceAccess": [access]}]

    def optional_claims(self) -> dict[str, Any]:
        """Groups that were assigned to the application, and whether a token is an application's own.

        https://learn.microsoft.com/entra/identity-platform/optional-claims-reference
        """
        groups = {"name": "groups", "essential": False, "additionalProperties": []}
        kind = {"name": "idtyp", "essential": False, "additionalProperties": []}
        return {"accessToken": [groups, kind], "idToken": [groups]}

    def federated_credential(self) -> dict[str, Any] | None:
        """Whose tokens stand for the application's.

        https://learn.microsoft.com/graph/api/resources/federatedidentitycredential
        """
        if self.federated is None:
            return None
        issuer, subject = self.federated
        return {
            "name": "dynamics-crm-mcp",
            "issuer": issuer,
            "subject": subject,
            "audiences": ["api://AzureADTokenExchange"],
        }

    def _scopes(self) -> list[dict[str, Any]]:
        return [self._scope(value) for value in SCOPES]

    def _scope(self, value: str) -> dict[str, Any]:
        title, meaning = _SCOPES[value]
        return {
            "id": self._id("scope", value),
            "value": value,
            "type": "User",
            "isEnabled": True,
            "adminConsentDisplayName": title,
            "adminConsentDescription": meaning,
            "userConsentDisplayName": title,
            "userConsentDescription": meaning,
        }

    def _id(self, kind: str, value: str) -> str:
        return str(uuid5(_IDS, f"{self.identifier_uri}\n{kind}\n{value}"))


def _https(option: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        raise SettingsError(f"{option} is an https address, such as https://crm-mcp.contoso.example.")
    return text


def _guid(option: str, text: str) -> str:
    if not _GUID.fullmatch(text.lower()):
        raise SettingsError(
            f"{option} takes an id such as 11111111-2222-4333-8444-555555555555; "
            "`az account show --query tenantId` prints the tenant's."
        )
    return text.lower()


def _plain(option: str, text: str, longest: int) -> str:
    if not _PLAIN.fullmatch(text.strip()) or len(text) > longest:
        raise SettingsError(f"{option} is a text of one line, with at most {longest} characters.")
    return text.strip()


def _role(id_: str, value: str, title: str, meaning: str, members: list[str]) -> dict[str, Any]:
    return {
        "id": id_,
        "value": value,
        "displayName": title,
        "description": meaning,
        "allowedMemberTypes": members,
        "isEnabled": True,
    }


def _role_name(text: str) -> str:
    if not _ROLE.fullmatch(text) or text in SCOPES:
        raise SettingsError(
            f"A role has letters, digits, dots, _ and -, such as Salesperson, and is no scope: {text[:80]!r}."
        )
    return text
