"""The signing keys of the service, old and new.

https://learn.microsoft.com/entra/identity-platform/signing-key-rollover
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_KEY_SIZE = 2048


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key with its id."""

    id: str
    private: RSAPrivateKey


class KeyRing:
    """The key that signs and the one before it. The first is made when it is needed."""

    def __init__(self) -> None:
        self._published: list[SigningKey] = []

    @property
    def signing(self) -> SigningKey:
        """The key that signs."""
        if not self._published:
            self._published = [_new_key()]
        return self._published[0]

    def rotate(self) -> None:
        """Sign with a new key; the former stays published, the one before it no longer."""
        self._published = [_new_key(), self.signing]

    def find(self, key_id: Any) -> SigningKey | None:
        """The published key with an id."""
        return next((key for key in self._published if key.id == key_id), None)

    def key_set(self, issuer: str) -> dict[str, Any]:
        """The published keys as a JSON Web Key Set (RFC 7517)."""
        published = [self.signing, *self._published[1:]]
        return {"keys": [_public(key, issuer) for key in published]}


def unpadded(data: bytes) -> str:
    """Base64url without padding, as JOSE writes it (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def is_canonical(text: str) -> bool:
    """Whether a text is how base64url would write what it stands for."""
    try:
        return unpadded(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) == text
    except binascii.Error:
        return False


def _public(key: SigningKey, issuer: str) -> dict[str, Any]:
    from jwt.algorithms import RSAAlgorithm

    numbers = RSAAlgorithm.to_jwk(key.private.public_key(), as_dict=True)
    public = {"kty": "RSA", "use": "sig", "alg": "RS256", "n": numbers["n"], "e": numbers["e"]}
    return {**public, "kid": key.id, "x5t": key.id, "issuer": issuer}


def _new_key() -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = generate_private_key(public_exponent=65537, key_size=_KEY_SIZE)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(unpadded(hashlib.sha256(public).digest()[:20]), private)
