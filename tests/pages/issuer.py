"""An OpenID Connect issuer on this machine, that signs everybody in as whom the test says."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "approvals-page", "a secret: 100% of+the/page"


def settings_for(address: str, **more: Any) -> dict[str, Any]:
    """Settings of a server whose callers and visitors sign in at an issuer."""
    return {
        "callers_issuer": address,
        "callers_audience": ("api://crm",),
        "page_client_id": CLIENT_ID,
        "page_client_secret": CLIENT_SECRET,
        **more,
    }


def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """``claims`` are those of who signs in next; ``broken`` changes the ID token that is made of them.

    ``described`` stands beside what the description says otherwise. ``secret`` is the page's, None for a page
    without one; ``redirects`` are the addresses that are registered for it, None for any.
    """

    address: str
    claims: dict[str, Any] = field(default_factory=dict)
    scopes: str = ""
    broken: dict[str, Any] = field(default_factory=dict)
    forged: bool = False
    names_itself: bool = False
    methods: list[str] = field(default_factory=lambda: ["client_secret_basic", "client_secret_post"])
    described: dict[str, Any] = field(default_factory=lambda: {"code_challenge_methods_supported": ["S256"]})
    secret: str | None = CLIENT_SECRET
    redirects: set[str] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    spoken_to: list[dict[str, Any]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: RSAPrivateKey = field(default_factory=_key)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.description),
                Route("/keys", self.keys),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
            ]
        )

    async def description(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
                "token_endpoint_auth_methods_supported": self.methods,
                "authorization_response_iss_parameter_supported": self.names_itself,
                **self.described,
            }
        )

    async def keys(self, _request: Request) -> Response:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**public, "kid": "one", "use": "sig"}]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked["client_id"] != CLIENT_ID:
            return Response("There is no such application.", 400)
        if self.redirects is not None and asked["redirect_uri"] not in self.redirects:
            return Response("Nobody is sent there.", 400)
        if asked.get("prompt") == "none":
            told = {"error": "login_required", "state": asked["state"]}
            return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(told)}", 302)
        self.asked.append(asked)
        code = f"code-{len(self.asked)}"
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.address}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

    async def token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        self.spoken_to.append({**form, "authorization": request.headers.get("authorization")})
        if self.shown(form, request.headers.get("authorization")) != (CLIENT_ID, self.secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + 300, "iss": self.address}
        claims = {"aud": CLIENT_ID, "nonce": asked["nonce"], **times, **self.claims, **self.broken}
        access = {"aud": "api://crm", "sub": self.claims["sub"], "scope": self.scopes, **times}
        return JSONResponse(
            {
                "id_token": self.signed(claims, _key() if self.forged else self.key),
                "access_token": self.signed(access, self.key),
                "token_type": "Bearer",
            }
        )

    def shown(self, form: dict[str, str], authorization: str | None) -> tuple[str | None, str | None]:
        """The id and secret that a client shows (RFC 6749, section 2.3.1), if it does as the issuer wants."""
        if authorization is None or "client_secret_basic" not in self.methods:
            taken = "client_secret_post" in self.methods
            return form.get("client_id"), form.get("client_secret") if taken else None
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return unquote_plus(name), unquote_plus(secret)

    def signed(self, claims: dict[str, Any], key: RSAPrivateKey) -> str:
        return jwt.encode(claims, key, "RS256", headers={"kid": "one"})


@contextmanager
def listening(app: Any, listener: socket.socket) -> Iterator[None]:
    """The application, served by a thread."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
    ready = threading.Event()
    server.startup_before = server.startup  # type: ignore[attr-defined]

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await server.startup_before(sockets)  # type: ignore[attr-defined]
        ready.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def an_issuer(issuer: Issuer | None = None) -> Iterator[Issuer]:
    """An issuer that listens: a new one, or the one that is given, which gets its address here."""
    listener = socket.create_server(("127.0.0.1", 0))
    issuer = issuer or Issuer("")
    issuer.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with listening(issuer.app(), listener):
        yield issuer
