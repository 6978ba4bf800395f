"""Finds out which application asks for a token, and whether it is who it says.

https://learn.microsoft.com/entra/identity-platform/certificate-credentials
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from crm_sandbox.identity.directory import Application, Directory, FederatedCredential
from crm_sandbox.identity.errors import EntraError, missing_parameter, unknown_application
from crm_sandbox.identity.keys import unpadded
from crm_sandbox.identity.tokens import Client, ClientProof

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_ALGORITHMS = ["RS256", "PS256"]
# Times and names are checked here against the injected clock, not by the library.
_SIGNATURE_ONLY: Any = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
_NOTHING: Any = {**_SIGNATURE_ONLY, "verify_signature": False}


class Clients:
    """The applications of a directory, and what each has to show."""

    def __init__(self, directory: Directory, now: Callable[[], datetime]) -> None:
        self._directory = directory
        self._now = now

    def registered(self, client_id: str | None) -> Application:
        """The application that a request names.

        Raises:
            EntraError: 900144 it names none, 700016 there is no such.
        """
        if not client_id:
            raise missing_parameter("client_id")
        application = self._directory.application(client_id)
        if application is None:
            raise unknown_application(client_id, self._directory.tenant.id)
        return application

    def of_request(
        self, form: Mapping[str, str], authorization: str | None, audiences: Collection[str]
    ) -> Client:
        """The client that sent a form: proven by what it shows, or public if it shows nothing.

        ``audiences`` are the values that ``aud`` of an assertion signed by the client may have.

        Raises:
            EntraError: What it shows is not valid, or it must not show anything.
        """
        sent = {**form, **_basic_credentials(authorization)}
        application = self.registered(sent.get("client_id"))
        secret, assertion = sent.get("client_secret"), sent.get("client_assertion")
        if not secret and not assertion:
            return Client(application, ClientProof.NONE)
        if not application.has_credentials:
            raise EntraError(
                700025,
                "invalid_client",
                "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
            )
        if assertion:
            if sent.get("client_assertion_type") != ASSERTION_TYPE:
                raise missing_parameter("client_assertion_type")
            self._check_assertion(application, assertion, audiences)
            return Client(application, ClientProof.ASSERTION)
        _check_secret(application, secret or "")
        return Client(application, ClientProof.SECRET)

    def _check_assertion(self, application: Application, assertion: str, audiences: Collection[str]) -> None:
        import jwt

        try:
            read = jwt.decode_complete(assertion, options=_NOTHING)
        except jwt.InvalidTokenError:
            raise _malformed() from None
        header, payload = read["header"], read["payload"]
        if "x5t" in header or "x5t#S256" in header:
            _check_own_claims(application, payload, audiences)
            _check_signature(assertion, _registered_key(application, header))
        else:
            _check_signature(assertion, _federated(application, payload).public_key)
        self._check_time(payload)

    def _check_time(self, payload: Mapping[str, Any]) -> None:
        moment = self._now().timestamp()
        ends, begins = payload.get("exp"), payload.get("nbf", 0)
        if not isinstance(ends, int | float) or not isinstance(begins, int | float):
            raise _malformed()
        if not begins <= moment < ends:
            raise EntraError(700024, "invalid_client", "Client assertion is not within its valid time range.")


def _basic_credentials(authorization: str | None) -> dict[str, str]:
    """Client id and secret of an Authorization header of the scheme Basic (RFC 6749, 2.3.1)."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return {}
    return {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}


def _check_secret(application: Application, secret: str) -> None:
    if application.secret is None or not hmac.compare_digest(application.secret.encode(), secret.encode()):
        raise EntraError(
            7000215,
            "invalid_client",
            "Invalid client secret provided. Ensure the secret being sent in the request is the client "
            f"secret value, not the client secret ID, for a secret added to app '{application.client_id}'.",
        )


def _registered_key(application: Application, header: Mapping[str, Any]) -> Any:
    named = {str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256")} - {""}
    for pem in application.certificates:
        certificate, thumbprints = _certificate(pem)
        if named & thumbprints:
            return certificate.public_key()
    raise _not_registered("The key was not found.")


@lru_cache(maxsize=64)
def _certificate(pem: str) -> tuple[Certificate, frozenset[str]]:
    """A certificate with its thumbprints, as ``x5t`` (SHA-1) and ``x5t#S256`` write them (RFC 7515)."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    certificate = load_pem_x509_certificate(pem.encode())
    content = certificate.public_bytes(Encoding.DER)
    sha1 = hashlib.sha1(content, usedforsecurity=False).digest()
    return certificate, frozenset({unpadded(sha1), unpadded(hashlib.sha256(content).digest())})


def _federated(application: Application, payload: Mapping[str, Any]) -> FederatedCredential:
    """The federated credential that an assertion matches in issuer, subject and audience, in this order."""
    left = list(application.federated_credentials)
    sent = payload.get("aud")
    audiences = sent if isinstance(sent, list) else [sent]
    tests: list[tuple[int, str, Any, Callable[[FederatedCredential], bool]]] = [
        (700211, "issuer", payload.get("iss"), lambda one: one.issuer == payload.get("iss")),
        (700213, "subject", payload.get("sub"), lambda one: one.subject == payload.get("sub")),
        (700212, "audience", sent, lambda one: one.audience in audiences),
    ]
    for code, name, value, matches in tests:
        left = [one for one in left if matches(one)]
        if not left:
            raise EntraError(
                code,
                "invalid_client",
                f"No matching federated identity record found for presented assertion {name} '{value}'. "
                "Check your federated identity credential Subject, Audience and Issuer against the "
                "presented assertion.",
            )
    return left[0]


def _check_signature(assertion: str, key: Any) -> None:
    import jwt

    try:
        jwt.decode(assertion, key, algorithms=_ASSERTION_ALGORITHMS, options=_SIGNATURE_ONLY)
    except jwt.InvalidAlgorithmError:
        raise _malformed() from None
    except jwt.PyJWTError:
        raise _not_registered(
            "The key was found, but use of the key to verify the signature failed."
        ) from None


def _check_own_claims(
    application: Application, payload: Mapping[str, Any], audiences: Collection[str]
) -> None:
    names = {str(payload.get("iss")).lower(), str(payload.get("sub")).lower()}
    if names != {application.client_id.lower()}:
        raise EntraError(
            700021,
            "invalid_client",
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        )
    if payload.get("aud") not in audiences:
        raise EntraError(
            700023, "invalid_client", "Client assertion audience claim does not match Realm issuer."
        )


def _not_registered(reason: str) -> EntraError:
    return EntraError(
        700027,
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is not registered on "
        f"application. [Reason - {reason}]",
    )


def _malformed() -> EntraError:
    return EntraError(50027, "invalid_client", "JWT token is invalid or malformed.")
