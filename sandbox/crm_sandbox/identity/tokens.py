"""Signs tokens as Entra ID does, and checks them as Dataverse does.

https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from crm_sandbox.identity.directory import Application, Directory, ManagedIdentity, User
from crm_sandbox.identity.keys import KeyRing, is_canonical, unpadded

_COMPACT_JWT = re.compile(r"[\w-]+\.[\w-]+\.(?P<signature>[\w-]+)", re.ASCII)

# Times, issuer and audience are checked here against the injected clock, not by the library.
_SIGNATURE_ONLY: Any = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


class Fault(StrEnum):
    """Why a token is not accepted."""

    MISSING = "no bearer token was sent"
    MALFORMED = "the token is malformed"
    UNKNOWN_SIGNER = "the token was not signed by a known key"
    EXPIRED = "the token has expired"
    NOT_YET_VALID = "the token is not yet valid"
    WRONG_ISSUER = "the token is from another issuer"
    WRONG_AUDIENCE = "the token is for another audience"


class InvalidTokenError(Exception):
    """A token that cannot be accepted; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Unauthorized(Exception):  # noqa: N818 - named as HTTP names it
    """A request without a token that counts. ``challenge`` is the WWW-Authenticate value of the 401."""

    def __init__(self, fault: Fault, challenge: str) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.challenge = challenge


class ClientProof(StrEnum):
    """How a client showed who it is: the value of the claims ``appidacr`` and ``azpacr``."""

    NONE = "0"
    SECRET = "1"  # noqa: S105 - a value of a claim
    ASSERTION = "2"


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a token is for. Dataverse takes tokens of version 1.0, registered applications those of 2.0."""

    value: str
    version: Literal["1.0", "2.0"]


@dataclass(frozen=True, slots=True)
class Client:
    """The application that asks for a token, and how it showed who it is."""

    application: Application
    proof: ClientProof


@dataclass(frozen=True, slots=True)
class Claims:
    """What a checked token says: of a user, or of an application that acts as itself."""

    object_id: str
    application_id: str
    is_application: bool
    name: str
    tenant_id: str
    audience: str
    user_principal_name: str | None
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    expires_at: datetime


class Signer:
    """Issues RS256 tokens of one tenant and checks them against a clock.

    No tolerance is given to clocks: signer and checker share one.
    """

    def __init__(
        self,
        directory: Directory,
        now: Callable[[], datetime],
        issuer_root: str,
        keys: KeyRing | None = None,
    ) -> None:
        """``issuer_root`` is scheme, host and port, such as ``https://localhost:8322``.

        ``keys`` are shared by the signers of several tenants, as Entra shares them; without, the signer has
        its own.
        """
        self.directory = directory
        self.issuer_root = issuer_root.rstrip("/")
        self._now = now
        self._keys = keys or KeyRing()

    def issuer(self, version: str) -> str:
        """The ``iss`` of tokens of a version: v1.0 ends with the tenant and a slash, v2.0 with its number."""
        root = f"{self.issuer_root}/{self.directory.tenant.id}/"
        return f"{root}v2.0" if version == "2.0" else root

    def rotate(self) -> None:
        """Sign with a new key from now on. The former key stays published, the one before it no longer."""
        self._keys.rotate()

    def key_set(self) -> dict[str, Any]:
        """The published keys as a JSON Web Key Set (RFC 7517)."""
        return self._keys.key_set(self.issuer("2.0"))

    def user_token(
        self, user: User, client: Client, audience: Audience, scopes: Iterable[str], lifetime: timedelta
    ) -> str:
        """An access token with which a client acts for a user: ``scp`` holds what it may do."""
        first = audience.version == "1.0"
        upn = user.user_principal_name
        names = {"upn": upn, "unique_name": upn, "acr": "1", "amr": ["pwd"]}
        return self._access_token(
            audience,
            lifetime,
            **_client_claims(client.application.client_id, client.proof, audience),
            **(names if first else {"preferred_username": upn, **_roles(user)}),
            oid=user.object_id,
            sub=_pairwise(user.object_id, audience.value),
            name=user.name,
            scp=" ".join(scopes),
        )

    def application_token(self, client: Client, audience: Audience, lifetime: timedelta) -> str:
        """An access token of an application that acts as itself."""
        application = client.application
        roles = {"roles": list(application.roles)} if application.roles else {}
        return self._access_token(
            audience,
            lifetime,
            **_client_claims(application.client_id, client.proof, audience),
            **roles,
            app_displayname=application.name,
            idtyp="app",
            idp=self.issuer("1.0"),
            oid=application.object_id,
            sub=application.object_id,
        )

    def managed_identity_token(
        self, identity: ManagedIdentity, audience: Audience, lifetime: timedelta
    ) -> str:
        """An access token of a managed identity."""
        return self._access_token(
            audience,
            lifetime,
            **_client_claims(identity.client_id, ClientProof.ASSERTION, audience),
            app_displayname="Managed identity",
            idtyp="app",
            idp=self.issuer("1.0"),
            oid=identity.object_id,
            sub=identity.object_id,
        )

    def id_token(self, user: User, client_id: str, nonce: str | None, lifetime: timedelta) -> str:
        """An ID token (v2.0): who signed in, for the client's own eyes."""
        return self._sign(
            {
                "aud": client_id,
                "iss": self.issuer("2.0"),
                **self._times(lifetime),
                "name": user.name,
                "oid": user.object_id,
                "preferred_username": user.user_principal_name,
                "sub": _pairwise(user.object_id, client_id),
                "tid": self.directory.tenant.id,
                "ver": "2.0",
                **_roles(user),
                **({} if nonce is None else {"nonce": nonce}),
            }
        )

    def verify(self, authorization: str | None, audience: str) -> Claims:
        """What the token in an Authorization header says, if it counts for an organisation.

        ``audience`` is the organisation's address; a token may name it with or without a trailing slash.

        Raises:
            Unauthorized: It does not count.
        """
        try:
            if authorization is None:
                raise InvalidTokenError(Fault.MISSING)
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise InvalidTokenError(Fault.MISSING)
            payload = self.read(token)
            # An ID token has the client as its audience, and no organisation is a client.
            if payload["aud"] not in (audience.rstrip("/"), f"{audience.rstrip('/')}/"):
                raise InvalidTokenError(Fault.WRONG_AUDIENCE)
            return _claims(payload)
        except InvalidTokenError as error:
            raise Unauthorized(error.fault, self._challenge(audience)) from None

    def read(self, token: str) -> dict[str, Any]:
        """The payload of a token of this signer that counts at this moment, whoever it is for.

        Raises:
            InvalidTokenError: It does not count.
        """
        payload = self._signed_payload(token)
        moment = self._now().timestamp()
        if payload["iss"] != self.issuer(payload["ver"]):
            raise InvalidTokenError(Fault.WRONG_ISSUER)
        if moment < payload["nbf"]:
            raise InvalidTokenError(Fault.NOT_YET_VALID)
        if moment >= payload["exp"]:
            raise InvalidTokenError(Fault.EXPIRED)
        return payload

    def _signed_payload(self, token: str) -> dict[str, Any]:
        import jwt

        form = _COMPACT_JWT.fullmatch(token)
        # Base64 has several spellings of one signature; only the one that was issued counts.
        if form is None or not is_canonical(form["signature"]):
            raise InvalidTokenError(Fault.MALFORMED)
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError:
            raise InvalidTokenError(Fault.MALFORMED) from None
        key = self._keys.find(kid)
        if key is None:
            raise InvalidTokenError(Fault.UNKNOWN_SIGNER)
        try:
            signed = jwt.decode_complete(
                token, key.private.public_key(), algorithms=["RS256"], options=_SIGNATURE_ONLY
            )
        except jwt.InvalidTokenError:
            raise InvalidTokenError(Fault.UNKNOWN_SIGNER) from None
        payload: dict[str, Any] = signed["payload"]
        return payload

    def _access_token(self, audience: Audience, lifetime: timedelta, **claims: Any) -> str:
        fixed = {
            "aud": audience.value,
            "iss": self.issuer(audience.version),
            **self._times(lifetime),
            "tid": self.directory.tenant.id,
            "uti": secrets.token_urlsafe(16),
            "ver": audience.version,
        }
        return self._sign({**fixed, **claims})

    def _times(self, lifetime: timedelta) -> dict[str, int]:
        issued = int(self._now().timestamp())
        return {"iat": issued, "nbf": issued, "exp": issued + int(lifetime.total_seconds())}

    def _sign(self, payload: dict[str, Any]) -> str:
        import jwt

        key = self._keys.signing
        return jwt.encode(payload, key.private, "RS256", headers={"kid": key.id, "x5t": key.id})

    def _challenge(self, audience: str) -> str:
        """https://learn.microsoft.com/power-apps/developer/data-platform/authenticate-oauth."""
        authorize = f"{self.issuer_root}/{self.directory.tenant.id}/oauth2/authorize"
        return f"Bearer authorization_uri={authorize}, resource_id={audience.rstrip('/')}/"


def _roles(user: User) -> dict[str, list[str]]:
    """https://learn.microsoft.com/entra/identity-platform/howto-add-app-roles-in-apps."""
    return {"roles": list(user.roles)} if user.roles else {}


def _client_claims(client_id: str, proof: ClientProof, audience: Audience) -> dict[str, str]:
    name = "appid" if audience.version == "1.0" else "azp"
    return {name: client_id, f"{name}acr": proof.value}


def _pairwise(object_id: str, audience: str) -> str:
    """A subject that two audiences cannot compare."""
    return unpadded(hashlib.sha256(json.dumps([object_id, audience]).encode()).digest())


def _claims(payload: dict[str, Any]) -> Claims:
    return Claims(
        object_id=payload["oid"],
        application_id=payload.get("appid") or payload["azp"],
        is_application=payload.get("idtyp") == "app",
        name=payload.get("name") or payload.get("app_displayname", ""),
        tenant_id=payload["tid"],
        audience=payload["aud"],
        user_principal_name=payload.get("upn") or payload.get("preferred_username"),
        scopes=tuple(payload.get("scp", "").split()),
        roles=tuple(payload.get("roles", ())),
        expires_at=datetime.fromtimestamp(payload["exp"], UTC),
    )
