"""A bearer token, checked: its caller, or why it is refused.

The reason is for the server's log; who sent the token learns only that it is not valid.
RFC 9068 (JWT access tokens), RFC 8725 (JWT best practices), and Entra ID's access tokens:
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from crm_server.authorization.keys import KeysUnavailableError, SigningKeys
from crm_server.authorization.rules import SCOPES, Rules
from crm_server.sign_in.callers import Caller

LONGEST_TOKEN = 16 * 1024
LEEWAY_SECONDS = 60
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
}
"""By kind of key. Nothing that takes a shared secret: a public key would be one (RFC 8725, section 2.1)."""


class TokenRefusedError(Exception):
    """The token is not one of a caller. The message is for the log."""


class NotReadyError(Exception):
    """Tokens cannot be checked now: the issuer's keys are not to be had."""


class Tokens(Protocol):
    """Tells callers by their tokens."""

    async def caller_of(self, token: str) -> Caller:
        """The caller whose token it is.

        Raises:
            TokenRefusedError: It is nobody's.
            NotReadyError: Nobody can tell at the moment.
        """
        ...


class JwtTokens:
    """Tokens that an issuer has signed."""

    def __init__(self, rules: Rules, keys: SigningKeys) -> None:
        self._rules = rules
        self._keys = keys

    async def caller_of(self, token: str) -> Caller:
        """The caller whose token it is; see :class:`Tokens`."""
        claims = await self.claims(token)
        scopes = frozenset(words(claims.get("scp", claims.get("scope"))))
        roles = frozenset(words(claims.get("roles"))) | frozenset(words(claims.get("groups")))
        client = str(claims.get("azp") or claims.get("appid") or claims.get("client_id") or "")
        if _is_service(claims):
            return self._service(claims, client, roles | scopes)
        return Caller(
            name=caller_name(claims, self._rules.name_claim),
            client=client,
            issuer=str(claims["iss"]),
            roles=roles - set(SCOPES),
            scopes=scopes & set(SCOPES),
            token=token,
            subject=caller_name(claims, None),
        )

    def _service(self, claims: Mapping[str, Any], client: str, granted: frozenset[str]) -> Caller:
        """An application that calls in its own name; Entra ID grants it application roles, others scopes."""
        role = self._rules.services.get(client)
        if role is None:
            raise TokenRefusedError("an application that is not among the services")
        return Caller(
            name=f"service:{client}",
            client=client,
            issuer=str(claims["iss"]),
            roles=frozenset({role}),
            scopes=granted & set(SCOPES),
            is_service=True,
        )

    async def claims(self, token: str) -> Mapping[str, Any]:
        """What the token says, once it is known to be the issuer's and meant for this audience.

        Raises:
            TokenRefusedError: It is not.
            NotReadyError: Nobody can tell at the moment.
        """
        import jwt

        if len(token) > LONGEST_TOKEN:
            raise TokenRefusedError("longer than a token")
        try:
            header = jwt.get_unverified_header(token)
            unverified = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            raise TokenRefusedError("no signed JWT") from None
        key = await self._key(header)
        tenant = unverified.get("tid")
        issuers = self._rules.issuer.names(tenant if isinstance(tenant, str) else None)
        if not issuers:
            raise TokenRefusedError("of a tenant that is not let in")
        try:
            return jwt.decode(
                token,
                key,
                algorithms=list(_ALGORITHMS[key.key_type]),
                audience=list(self._rules.audiences),
                issuer=list(issuers),
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(_REASONS.get(type(error).__name__, type(error).__name__)) from None

    async def _key(self, header: Mapping[str, Any]) -> Any:
        key_id, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in {name for names in _ALGORITHMS.values() for name in names}:
            raise TokenRefusedError("signed by an algorithm that is not taken")
        if not isinstance(key_id, str):
            raise TokenRefusedError("without the id of its key")
        try:
            key = await self._keys.key(key_id)
        except KeysUnavailableError:
            raise NotReadyError from None
        if key is None:
            raise TokenRefusedError("signed by a key that the issuer does not have")
        return key


_REASONS = {
    "ExpiredSignatureError": "expired",
    "ImmatureSignatureError": "not valid yet",
    "InvalidAudienceError": "of another audience",
    "InvalidIssuerError": "of another issuer",
    "InvalidSignatureError": "with a wrong signature",
    "MissingRequiredClaimError": "without a claim that is needed",
}


def words(value: Any) -> Iterable[str]:
    """A claim that is a text of words, or a list of them."""
    if isinstance(value, str):
        return value.split()
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else ()


def _is_service(claims: Mapping[str, Any]) -> bool:
    """Whether the token is an application's own, on nobody's behalf: it is then its own subject.

    RFC 9068, section 2.2, and https://learn.microsoft.com/entra/identity-platform/optional-claims-reference
    (idtyp).
    """
    if "idtyp" in claims:
        return bool(claims["idtyp"] == "app")
    subject = claims.get("sub")
    return "scp" not in claims and bool(subject == claims.get("oid") or subject == claims.get("client_id"))


def caller_name(claims: Mapping[str, Any], claim: str | None) -> str:
    """What names a caller for good: object id and tenant, or subject and issuer."""
    if claim is not None:
        value = claims.get(claim)
        if not isinstance(value, str) or not value.strip():
            raise TokenRefusedError("without the claim that names callers")
        return value.strip().casefold()
    if isinstance(claims.get("oid"), str) and isinstance(claims.get("tid"), str):
        return f"{claims['oid']}@{claims['tid']}"
    return f"{claims['sub']}@{urlsplit(str(claims['iss'])).hostname}"
