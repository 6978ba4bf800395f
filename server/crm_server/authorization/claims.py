"""What the claims of a token say of its caller. A claim of another kind than it should be is not guessed at.

A role that is overlooked may be the one that a rule denies something to, so a token is refused rather than
half understood. RFC 7519, RFC 9068, and Entra ID's claims:
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

SERVICE_PREFIX = "service:"
"""Begins the name of an application that calls in its own name, and no other."""
LONGEST_NAME = 256
"""OpenID Connect Core 1.0, section 2: a subject has at most 255 characters."""

_TIMES = ("exp", "nbf", "iat")
_NEVER = 253_402_300_800
"""The year 10000, in seconds since 1970: what lies behind it is no second of ours."""
_CLIENTS = ("azp", "appid", "client_id", "cid")
"""Where issuers name the application: OpenID Connect, Entra ID of old, RFC 9068, Okta."""
_KEYCLOAK_SERVICE = "service-account-"


class TokenRefusedError(Exception):
    """The token is not one of a caller. The message is for the log."""


Claims = Mapping[str, Any]


def check_times(claims: Claims) -> None:
    """Refuse times that are no numbers, which a library may read as such (RFC 7519, section 2, NumericDate).

    Raises:
        TokenRefusedError: One is none.
    """
    for name in _TIMES:
        value = claims.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _NEVER:
            raise _of_another_kind(name)


def scopes_of(claims: Claims) -> frozenset[str]:
    """What the token is good for: a text of words, or a list."""
    name = "scope" if claims.get("scp") is None else "scp"
    value = claims.get(name)
    return frozenset(value.split()) if isinstance(value, str) else _texts(claims, name)


def roles_of(claims: Claims) -> frozenset[str]:
    """Roles and groups: lists of texts, or one text.

    Raises:
        TokenRefusedError: They are of another kind, or the token holds not all of them.
    """
    elsewhere = claims.get("_claim_names")
    if claims.get("hasgroups") or (isinstance(elsewhere, Mapping) and "groups" in elsewhere):
        # https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference#groups-overage-claim
        raise TokenRefusedError("of somebody in more groups than a token holds")
    return _texts(claims, "roles") | _texts(claims, "groups")


def client_of(claims: Claims) -> str:
    """The application that brings the token; empty where it says none."""
    return next((value for name in _CLIENTS if (value := _text(claims, name))), "")


def is_service(claims: Claims) -> bool:
    """Whether the token is an application's own, on nobody's behalf: it is then its own subject.

    RFC 9068, section 2.2; Entra ID says it in ``idtyp`` where that is asked for, and else gives no scopes:
    https://learn.microsoft.com/entra/identity-platform/optional-claims-reference. Auth0 adds ``@clients`` to
    the subject. Keycloak makes a user for it, and names its client in a claim that people's tokens have not.

    Raises:
        TokenRefusedError: It says neither clearly.
    """
    kind = _text(claims, "idtyp")
    if kind is not None:
        if kind not in ("app", "user"):
            raise TokenRefusedError("neither of a user nor of an application")
        return kind == "app"
    if (_text(claims, "preferred_username") or "").startswith(_KEYCLOAK_SERVICE):
        if not (_text(claims, "client_id") or _text(claims, "clientId")):
            raise TokenRefusedError("of somebody who is called as a service is")
        return True
    clients = {value for name in _CLIENTS if (value := _text(claims, name))}
    own = clients | {f"{client}@clients" for client in clients}
    if claims.get("scp") is None and (known := _text(claims, "oid")):
        own.add(known)
    return claims["sub"] in own or _text(claims, "gty") == "client-credentials"


def caller_name(claims: Claims, claim: str | None) -> str:
    """What names a caller: a claim of choice, or for good the object id and tenant, or subject and issuer.

    Raises:
        TokenRefusedError: There is no such claim, or it is no name.
    """
    if claim is not None:
        value = (_text(claims, claim) or "").strip().casefold()
        if not value:
            raise TokenRefusedError("without the claim that names callers")
        return _name(value)
    person, tenant = _text(claims, "oid"), _text(claims, "tid")
    if person and tenant:
        return _name(person, tenant)
    return _name(claims["sub"], urlsplit(claims["iss"]).hostname or "")


def _name(*parts: str) -> str:
    """A name of these parts: what is looked at by people, so nothing in it may hide or end a line."""
    name = "@".join(parts)
    if not all(part and part == part.strip() for part in parts) or not name.isprintable():
        raise TokenRefusedError("with a name that is none")
    if len(name) > LONGEST_NAME or name.startswith(SERVICE_PREFIX):
        raise TokenRefusedError("with a name that nobody can have")
    return name


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise _of_another_kind(name)
    return value


def _texts(claims: Claims, name: str) -> frozenset[str]:
    value = claims.get(name)
    if value is None:
        return frozenset()
    # A text with spaces may be one name or several.
    if isinstance(value, str) and len(value.split()) <= 1:
        value = value.split()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _of_another_kind(name)
    return frozenset(value)


def _of_another_kind(name: str) -> TokenRefusedError:
    return TokenRefusedError(f"with a claim {name} of another kind")
