"""An issuer of tokens on this machine, whose keys and tokens a test makes as good or bad as it wants."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "api://crm-mcp"
TENANT = "11111111-2222-4333-8444-555555555555"
ANN = "aaaaaaaa-0000-4000-8000-000000000001"


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """A key of this name; making one takes a while."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """A key on a curve."""
    return ec.generate_private_key(ec.SECP256R1())


def public(name: str) -> dict[str, Any]:
    """The public part of a key as a JSON Web Key."""
    if name == "curve":
        return {**ECAlgorithm.to_jwk(ec_key().public_key(), as_dict=True), "kid": name, "use": "sig"}
    return {**RSAAlgorithm.to_jwk(rsa_key(name).public_key(), as_dict=True), "kid": name, "use": "sig"}


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """Claims of a good token of Ann; a change to None leaves one out."""
    now = int(time.time())
    found = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "ann-of-this-application",
        "oid": ANN,
        "tid": TENANT,
        "azp": "the-client",
        "scp": "crm.read crm.write",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def signed(issuer: str, key: str = "first", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token, signed by a key that goes by its name."""
    private: Any = ec_key() if key == "curve" else rsa_key(key)
    algorithm = "ES256" if key == "curve" else "RS256"
    given = {"kid": key, **(headers or {})}
    named = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(claims(issuer, **changes), private, algorithm, headers=named)


def put_together(header: Any, payload: Any, key: str = "first", algorithm: str = "RS256") -> str:
    """A token of parts that no library would put together, with a good signature; bytes stay as they are."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    text = ".".join(_base64url(part) for part in parts)
    signature = jwt.get_algorithm_by_name(algorithm).sign(text.encode(), rsa_key(key))
    return f"{text}.{_base64url(signature)}"


def _base64url(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


class Listening:
    """An issuer that answers on this machine. ``keys`` are the names of those it publishes."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.address = f"http://127.0.0.1:{server.server_address[1]}/tenant"
        self.keys = ["first", "curve"]
        self.is_down = False
        self.asked = 0

    def token(self, **changes: Any) -> str:
        """A token of its own."""
        return signed(self.address, **changes)

    def document(self, path: str) -> bytes | None:
        """What stands at a path."""
        self.asked += 1
        if self.is_down:
            return None
        if path.endswith("/.well-known/openid-configuration"):
            return json.dumps({"issuer": self.address, "jwks_uri": f"{self.address}/keys"}).encode()
        return json.dumps({"keys": [public(name) for name in self.keys]}).encode()


@contextmanager
def listening_issuer() -> Iterator[Listening]:
    """An issuer that can be asked for its keys."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = issuer.document(self.path)
            self.send_response(503 if document is None else 200)
            self.send_header("Content-Length", str(len(document or b"")))
            self.end_headers()
            self.wfile.write(document or b"")

        def log_message(self, *_: Any) -> None:
            """Nothing: the output is pytest's."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = Listening(server)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
