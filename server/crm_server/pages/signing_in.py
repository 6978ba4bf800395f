"""Signing in to the page: by the issuer that vouches for callers, or in a lab by a caller's token.

OpenID Connect Core 1.0, section 3.1 (the authorization code flow), with PKCE (RFC 7636) and the issuer in the
answer where it is sent (RFC 9207).
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import anyio

from crm_server.authorization.claims import caller_name, roles_of
from crm_server.authorization.documents import FETCH_SECONDS, Fetch, content_of, document, safe_address
from crm_server.authorization.keys import AGAIN_SECONDS, FRESH_SECONDS
from crm_server.authorization.rules import SCOPES, WRITE, Issuer
from crm_server.authorization.tokens import JwtTokens, Tokens
from crm_server.log import get_logger
from crm_server.pages.sealing import Attempt
from crm_server.pages.visitors import Admission, Visitor

_log = get_logger("pages")


class SignInError(Exception):
    """The sign-in does not come about. The message is for the log; ``told`` is what the person reads."""

    def __init__(self, reason: str, told: str = "The sign-in did not work. Please start again.") -> None:
        super().__init__(reason)
        self.told = told


class NotAdmittedError(Exception):
    """Somebody signed in who may not see the page. The message names them."""


class IssuerUnreachableError(Exception):
    """The issuer does not answer. The message is for the log."""


@dataclass(frozen=True, slots=True)
class Client:
    """The page as the issuer knows it. ``scopes`` are asked for beside those of an ID token.

    ``keeps_tokens`` says that it acts in the CRM on behalf of those who sign in.
    """

    id: str
    secret: str | None
    redirect: str
    scopes: tuple[str, ...] = ()
    keeps_tokens: bool = False


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where to ask the issuer what. ``secret_in_form`` says how it wants to see a client's secret."""

    authorize: str
    token: str
    issuer: str
    secret_in_form: bool
    names_itself: bool
    """Whether it stands in each of its answers (RFC 9207, section 3)."""


def described(issuer: Issuer, found: Mapping[str, Any]) -> Endpoints:
    """The endpoints in an issuer's description (OpenID Connect Discovery 1.0, section 3).

    Raises:
        ValueError: It is another issuer's, lacks an endpoint, or has one that is not at an https address.
    """
    if not issuer.is_called(found.get("issuer")):
        raise ValueError("the description is another issuer's")
    # What stands for nothing else.
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Endpoints(
        safe_address(found.get("authorization_endpoint")),
        safe_address(found.get("token_endpoint")),
        str(found["issuer"]),
        secret_in_form=isinstance(methods, list) and "client_secret_post" in methods,
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )


def sign_in_address(client: Client, endpoints: Endpoints, attempt: Attempt, **more: str) -> str:
    """The address at the issuer that begins a sign-in; ``more`` are further parameters of it."""
    challenge = hashlib.sha256(attempt.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "response_mode": "query",
        "client_id": client.id,
        "redirect_uri": client.redirect,
        "scope": " ".join(("openid", "profile", *client.scopes)),
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        **more,
    }
    address = endpoints.authorize
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(asked)}"


def as_client(
    client: Client, endpoints: Endpoints, form: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, str] | None]:
    """A form for the token endpoint that shows who asks: in itself, or by a name and password beside it.

    RFC 6749, section 2.3.1; both of the latter are encoded as in a form.
    """
    told = {**form, "client_id": client.id}
    if client.secret is None:
        return told, None
    if endpoints.secret_in_form:
        return {**told, "client_secret": client.secret}, None
    return told, (quote_plus(client.id), quote_plus(client.secret))


def code_form(client: Client, code: str, verifier: str) -> dict[str, str]:
    """What is sent to the token endpoint for a code, but for the client."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect,
        "code_verifier": verifier,
    }


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in. ``token`` is their access token for this server, where the page acts on their behalf."""

    visitor: Visitor
    token: str | None = field(default=None, repr=False)


class IssuerSignIn:
    """Signs people in by the issuer.

    ``id_tokens`` checks what is meant for the page itself, ``access_tokens`` what is meant for the server: a
    scope is looked for only where ``admission`` names one.
    """

    def __init__(
        self,
        issuer: Issuer,
        client: Client,
        id_tokens: JwtTokens,
        access_tokens: Tokens,
        admission: Admission,
        name_claim: str | None,
        fetch: Fetch,
        clock: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._client = client
        self._id_tokens = id_tokens
        self._access_tokens = access_tokens
        self._admission = admission
        self._name_claim = name_claim
        self._fetch = fetch
        self._clock = clock
        self._known: Endpoints | None = None
        self._read: float | None = None
        self._asked: float | None = None
        self._turn = anyio.Lock()

    async def begin(self, attempt: Attempt) -> str:
        """The address at the issuer to send the browser to.

        Raises:
            IssuerUnreachableError: The issuer does not say where that is.
        """
        return sign_in_address(self._client, await self._endpoints(), attempt)

    async def finish(self, answer: Mapping[str, str], attempt: Attempt) -> SignedIn:
        """Who came back from the issuer.

        Raises:
            SignInError: The answer is not to this attempt, or the issuer refused.
            NotAdmittedError: They may not see the page.
            TokenRefusedError: The ID token is not the issuer's for this page.
            NotReadyError: It cannot be checked now.
            IssuerUnreachableError: The issuer does not answer.
        """
        if not _same(answer.get("state", ""), attempt.state):
            raise SignInError("an answer to another sign-in")
        endpoints = await self._endpoints()
        # One that says that it always names itself has not sent an answer without its name.
        if answer.get("iss", "" if endpoints.names_itself else endpoints.issuer) != endpoints.issuer:
            raise SignInError("an answer of another issuer")
        if "error" in answer:
            raise SignInError("refused by the issuer", "The sign-in service refused the sign-in.")
        if not answer.get("code"):
            raise SignInError("an answer without a code")
        tokens = await self._tokens(endpoints, answer["code"], attempt.verifier)
        claims = await self._id_tokens.claims(_text(tokens, "id_token"))
        if not _same(str(claims.get("nonce", "")), attempt.nonce):
            raise SignInError("an ID token for another sign-in")
        # Where it is for others too, it has to say that it was given to this page (section 3.1.3.7).
        alone = claims["aud"] in (self._client.id, [self._client.id])
        if claims.get("azp", self._client.id if alone else None) != self._client.id:
            raise SignInError("an ID token for another application")
        return await self._visitor(claims, tokens)

    async def _visitor(self, claims: Mapping[str, Any], tokens: Mapping[str, Any]) -> SignedIn:
        name = caller_name(claims, self._name_claim)
        scopes: frozenset[str] = frozenset()
        access = None
        if self._client.scopes:
            access = _text(tokens, "access_token")
            caller = await self._access_tokens.caller_of(access)
            scopes = caller.scopes
            if caller.name != name:
                access = None
        shown = str(claims.get("name") or claims.get("preferred_username") or name)
        visitor = self._admission.visitor(name, shown, roles_of(claims), scopes)
        if visitor is None:
            raise NotAdmittedError(name)
        keeps = self._client.keeps_tokens and visitor.approves and visitor.writes
        return SignedIn(visitor, access if keeps else None)

    async def _tokens(self, endpoints: Endpoints, code: str, verifier: str) -> Mapping[str, Any]:
        import httpx

        form, proof = as_client(self._client, endpoints, code_form(self._client, code, verifier))
        auth = httpx.USE_CLIENT_DEFAULT if proof is None else httpx.BasicAuth(*proof)
        try:
            with anyio.fail_after(FETCH_SECONDS):
                async with (
                    httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False) as http,
                    http.stream("POST", endpoints.token, data=form, auth=auth) as answer,
                ):
                    content = await content_of(answer)
        except (httpx.HTTPError, OSError) as error:
            raise IssuerUnreachableError(type(error).__name__) from None
        if answer.status_code >= 500:
            raise IssuerUnreachableError(f"status {answer.status_code}")
        if answer.status_code != 200:
            raise SignInError(f"the issuer gave no tokens for the code: status {answer.status_code}")
        try:
            return document(content)
        except ValueError:
            raise SignInError("the issuer's answer has no tokens") from None

    async def _endpoints(self) -> Endpoints:
        """What the issuer says of itself, which anybody may make the page ask for: so now and then only."""
        async with self._turn:
            if self._is_due():
                self._asked = self._clock()
                try:
                    said = document(await self._fetch(self._issuer.discovery))
                    self._known = described(self._issuer, said)
                    self._read = self._clock()
                except (OSError, ValueError) as error:
                    reason = str(error) or type(error).__name__
                    _log.error("issuer_not_read", issuer=self._issuer.address, reason=reason)
        if self._known is None:
            raise IssuerUnreachableError("its description is not known")
        return self._known

    def _is_due(self) -> bool:
        now = self._clock()
        if self._asked is not None and now - self._asked < AGAIN_SECONDS:
            return False
        return self._read is None or now - self._read >= FRESH_SECONDS


class LabSignIn:
    """Signs callers of a file in, by the token that their client has; for a lab without an issuer."""

    def __init__(self, tokens: Tokens, admission: Admission) -> None:
        self._tokens = tokens
        self._admission = admission

    async def finish(self, token: str) -> SignedIn:
        """Whose token it is.

        Raises:
            TokenRefusedError: It is nobody's.
            NotAdmittedError: They may not see the page.
        """
        caller = await self._tokens.caller_of(token)
        visitor = self._admission.visitor(caller.name, caller.name, caller.roles, caller.scopes)
        if visitor is None:
            raise NotAdmittedError(caller.name)
        return SignedIn(visitor)


SignIn = IssuerSignIn | LabSignIn


def scopes_for(admission: Admission, *, undo: bool) -> tuple[str, ...]:
    """The scopes that have to be asked for, because they let somebody see the page, or take changes back."""
    return tuple(scope for scope in SCOPES if scope in admission.grants or (undo and scope == WRITE))


def _same(one: str, other: str) -> bool:
    # What comes from outside may hold half of a character, which has no bytes of its own.
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())


def _text(tokens: Mapping[str, Any], name: str) -> str:
    value = tokens.get(name)
    if not isinstance(value, str):
        raise SignInError(f"the issuer's answer has no {name}")
    return value
