"""A bearer token, checked: its caller, or why it is refused.

The reason is for the server's log; who sent the token learns only that it is not valid.
RFC 9068 (JWT access tokens), RFC 8725 (JWT best practices), and Entra ID's access tokens:
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from crm_server.authorization.claims import (
    SERVICE_PREFIX,
    TokenRefusedError,
    caller_name,
    check_times,
    client_of,
    is_service,
    roles_of,
    scopes_of,
)
from crm_server.authorization.keys import ALGORITHMS, KeysUnavailableError, SigningKey, SigningKeys
from crm_server.authorization.rules import SCOPES, Rules
from crm_server.sign_in.callers import Caller

LONGEST_TOKEN = 16 * 1024
LEEWAY_SECONDS = 60
_TAKEN = frozenset(algorithm for algorithms in ALGORITHMS.values() for algorithm in algorithms)
_TYPES = ("jwt", "at+jwt", "application/at+jwt")
"""What a token may call itself: Entra ID says JWT of all of its own, others as RFC 9068 wants.
A logout token, say, is signed by the same key for the same audience (RFC 8725, section 3.11)."""


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
        scopes, roles, client = scopes_of(claims), roles_of(claims), client_of(claims)
        if is_service(claims):
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
            name=f"{SERVICE_PREFIX}{client}",
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
        except (jwt.PyJWTError, RecursionError):
            raise TokenRefusedError("no signed JWT") from None
        key = await self._key(header)
        tenant = unverified.get("tid")
        issuers = self._rules.issuer.names(tenant if isinstance(tenant, str) else None)
        if not issuers:
            raise TokenRefusedError("of a tenant that is not let in")
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=list(key.algorithms),
                audience=list(self._rules.audiences),
                issuer=list(issuers),
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(_REASONS.get(type(error).__name__, type(error).__name__)) from None
        check_times(claims)
        if claims.get("cnf") is not None:
            # Stolen from whoever can show the key, it is no bearer's (RFC 9449, section 7.1; RFC 8705).
            raise TokenRefusedError("bound to a key that nobody has shown")
        return claims

    async def _key(self, header: Mapping[str, Any]) -> SigningKey:
        key_id, algorithm, kind = header.get("kid"), header.get("alg"), header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise TokenRefusedError("of another type")
        if not isinstance(algorithm, str) or algorithm not in _TAKEN:
            raise TokenRefusedError("signed by an algorithm that is not taken")
        if not isinstance(key_id, str):
            raise TokenRefusedError("without the id of its key")
        try:
            key = await self._keys.key(key_id, algorithm)
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
