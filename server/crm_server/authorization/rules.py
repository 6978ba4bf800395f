"""Whom to believe: issuers, audiences, tenants and services, as the settings say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

READ, WRITE, APPROVE = "crm.read", "crm.write", "crm.approve"
SCOPES = (READ, WRITE, APPROVE)
"""What a token may be good for. They bound what the policy allows; they never widen it."""

TENANT = "{tenantid}"
"""In an issuer's address: the tenant that the token names, as Entra ID writes it for many tenants."""

_ENTRA_HOSTS = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
    }
)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer by its address, and the tenants whose callers are let in; empty for the issuer's own only.

    ``authority`` is another address than Microsoft's at which there is an Entra ID, such as a sandbox's.
    """

    address: str
    tenants: frozenset[str] = frozenset()
    authority: str | None = None

    @property
    def is_entra(self) -> bool:
        """Whether it is Microsoft Entra ID, which writes two kinds of tokens."""
        own = urlsplit(self.address)
        other = None if self.authority is None else urlsplit(self.authority).netloc
        return own.hostname in _ENTRA_HOSTS or own.netloc == other

    @property
    def discovery(self) -> str:
        """Where its own description is (OpenID Connect Discovery 1.0, section 4)."""
        address = self.address.replace(TENANT, "organizations")
        return f"{address.rstrip('/')}/.well-known/openid-configuration"

    def is_called(self, said: object) -> bool:
        """Whether that is what its own description may call it (OpenID Connect Discovery 1.0, section 4.3).

        For many tenants Entra ID says {tenantid}: which one it is stands in the token.
        """
        return isinstance(said, str) and said in self.names(None) | {self.address}

    def names(self, tenant: str | None) -> frozenset[str]:
        """What a token of this tenant may call its issuer.

        Tokens of version 1.0 name the old security token service.
        https://learn.microsoft.com/entra/identity-platform/access-tokens#token-formats
        """
        if TENANT in self.address:
            if tenant is None or tenant not in self.tenants:
                return frozenset()
            own = self.address.replace(TENANT, tenant)
        else:
            own = self.address
        names = {own, own.rstrip("/"), own.rstrip("/") + "/"}
        found = _GUID.search(own)
        if self.is_entra and found is not None:
            names.add(f"https://sts.windows.net/{found[0]}/")
        return frozenset(names)


@dataclass(frozen=True, slots=True)
class Rules:
    """``services`` are applications that call in their own name: client id -> the role they have.

    ``name_claim`` is the claim that names callers in policy and audit; by default it is what never changes.
    """

    issuer: Issuer
    audiences: tuple[str, ...]
    services: Mapping[str, str] = field(default_factory=dict)
    name_claim: str | None = None
