"""Redeems what a client holds - its own credentials, a code, a refresh token, a user's token - for tokens.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow
https://learn.microsoft.com/entra/identity-platform/v2-oauth-ropc
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from crm_sandbox.identity.directory import User
from crm_sandbox.identity.errors import EntraError, missing_parameter, multifactor_required
from crm_sandbox.identity.keys import unpadded
from crm_sandbox.identity.scopes import Delegation, Resources
from crm_sandbox.identity.signing_in import device_has_expired
from crm_sandbox.identity.state import AuthorizationCode, Lifetimes, RefreshToken, State
from crm_sandbox.identity.tokens import Client, ClientProof, Fault, InvalidTokenError, Signer

Form = Mapping[str, str]
Answer = dict[str, Any]


class Grants:
    """The grants of the token endpoint."""

    def __init__(
        self,
        signer: Signer,
        resources: Resources,
        state: State,
        lifetimes: Lifetimes,
        now: Callable[[], datetime],
    ) -> None:
        self._signer = signer
        self._resources = resources
        self._state = state
        self._lifetimes = lifetimes
        self._now = now
        self._by_type: dict[str, Callable[[Client, Form], Answer]] = {
            "client_credentials": self._client_credentials,
            "authorization_code": self._authorization_code,
            "refresh_token": self._refresh_token,
            "password": self._password,
            "urn:ietf:params:oauth:grant-type:device_code": self._device_code,
            "urn:ietf:params:oauth:grant-type:jwt-bearer": self._on_behalf_of,
        }

    def redeem(self, client: Client, form: Form) -> Answer:
        """The answer of the token endpoint to a client that is who it says.

        Raises:
            EntraError: The grant is refused.
        """
        grant_type = _needed(form, "grant_type")
        grant = self._by_type.get(grant_type)
        if grant is None:
            raise EntraError(
                70003,
                "unsupported_grant_type",
                f"The app requested an unsupported grant type '{grant_type}'.",
            )
        return grant(client, form)

    def _client_credentials(self, client: Client, form: Form) -> Answer:
        _demand_proof(client)
        audience = self._resources.for_application(form.get("scope"))
        lifetime = self._lifetimes.access_token
        token = self._signer.application_token(client, audience, lifetime)
        return _bearer(token, int(lifetime.total_seconds()))

    def _authorization_code(self, client: Client, form: Form) -> Answer:
        _demand_proof(client, unless_public=True)
        word = _needed(form, "code")
        code = self._state.codes.find(word)
        if self._state.redeemed.find(word):
            raise EntraError(
                54005,
                "invalid_grant",
                "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use "
                "an existing refresh token.",
            )
        if code is None or code.client_id != client.application.client_id:
            raise _unknown_grant("code")
        self._check_code(code, form)
        delegation = self._resources.for_user(form.get("scope") or code.scope)
        self._state.redeemed.put(word, True)
        return self._user_tokens(client, code.user, delegation, form, code.nonce)

    def _check_code(self, code: AuthorizationCode, form: Form) -> None:
        if self._now() >= code.issued_at + self._lifetimes.authorization_code:
            raise EntraError(
                70008, "invalid_grant", "The provided authorization code or refresh token has expired."
            )
        if form.get("redirect_uri") != code.redirect_uri:
            raise EntraError(
                500112,
                "invalid_grant",
                f"The reply address '{form.get('redirect_uri', '')}' does not match the reply address "
                f"'{code.redirect_uri}' provided when requesting Authorization code.",
            )
        if code.challenge is not None:
            _check_verifier(code.challenge, form.get("code_verifier"))

    def _refresh_token(self, client: Client, form: Form) -> Answer:
        _demand_proof(client, unless_public=True)
        held = self._state.refresh_tokens.find(_needed(form, "refresh_token"))
        if held is None or held.client_id != client.application.client_id:
            raise _unknown_grant("refresh_token")
        idle = self._now() - held.issued_at
        if idle >= self._lifetimes.refresh_token:
            raise EntraError(
                700082,
                "invalid_grant",
                "The refresh token has expired due to inactivity. The token was issued on "
                f"{held.issued_at:%Y-%m-%dT%H:%M:%SZ} and was inactive for {idle.days}.00:00:00.",
                suberror="bad_token",
            )
        delegation = self._resources.for_user(form.get("scope") or held.scope)
        return self._user_tokens(client, held.user, delegation, form, renews=held.scope)

    def _device_code(self, client: Client, form: Form) -> Answer:
        _demand_proof(client, unless_public=True)
        word = _needed(form, "device_code")
        device = self._state.devices.find(word)
        if device is None or device.client_id != client.application.client_id:
            raise EntraError(
                70018, "bad_verification_code", "Invalid verification code: the device_code is not known."
            )
        if device_has_expired(device, self._lifetimes, self._now()):
            raise EntraError(
                70020,
                "expired_token",
                "The provided value for the input parameter 'device_code' is not valid. This device code "
                "has expired.",
            )
        if not device.answered:
            raise EntraError(
                70016,
                "authorization_pending",
                "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
            )
        self._state.devices.drop(word)
        if device.user is None:
            raise EntraError(
                70017, "authorization_declined", "The end user denied the authorization request."
            )
        return self._user_tokens(client, device.user, self._resources.for_user(device.scope), form)

    def _on_behalf_of(self, client: Client, form: Form) -> Answer:
        _demand_proof(client)
        assertion = _needed(form, "assertion")
        if _needed(form, "requested_token_use") != "on_behalf_of":
            raise EntraError(
                9002313, "invalid_request", "Invalid request. requested_token_use has to be on_behalf_of."
            )
        user = self._user_of_assertion(client, assertion)
        return self._user_tokens(client, user, self._resources.for_user(form.get("scope")), form)

    def _user_of_assertion(self, client: Client, assertion: str) -> User:
        try:
            payload = self._signer.read(assertion)
        except InvalidTokenError as error:
            expired = error.fault is Fault.EXPIRED
            code = 500133 if expired else 50013
            text = "is not within its valid time range" if expired else f"failed validation: {error.fault}"
            raise EntraError(code, "invalid_grant", f"Assertion {text}.") from None
        own = client.application.client_id
        if payload["aud"] != own:
            raise EntraError(
                500131,
                "invalid_grant",
                "Assertion audience does not match the Client app presenting the assertion. The audience in "
                f"the assertion was '{payload['aud']}' and the expected audience is '{own}'.",
            )
        user = self._signer.directory.user(payload["oid"])
        if user is None:
            raise EntraError(
                7000114,
                "invalid_grant",
                f"Application '{payload.get('azp', own)}' is not allowed to make application on-behalf-of "
                "calls.",
            )
        return user

    def _password(self, client: Client, form: Form) -> Answer:
        """Gives no token: the tenant asks everybody for a second factor, which this grant cannot show."""
        name, password = _needed(form, "username"), _needed(form, "password")
        _demand_proof(client, unless_public=True)
        user = self._signer.directory.user_named(name)
        if user is None or not hmac.compare_digest(user.password.encode(), password.encode()):
            raise EntraError(
                50126, "invalid_grant", "Error validating credentials due to invalid username or password."
            )
        raise multifactor_required()

    def _user_tokens(
        self,
        client: Client,
        user: User,
        delegation: Delegation,
        form: Form,
        nonce: str | None = None,
        *,
        renews: str | None = None,
    ) -> Answer:
        """``renews`` is the scope of the refresh token that was redeemed: the new one goes on with it."""
        lifetime = self._lifetimes.access_token
        client_id = client.application.client_id
        token = self._signer.user_token(user, client, delegation.audience, delegation.permissions, lifetime)
        answer = _bearer(token, int(lifetime.total_seconds()))
        answer["scope"] = " ".join(delegation.granted)
        if renews is not None or delegation.wants_refresh_token:
            scope = renews or " ".join(delegation.granted)
            refresh_token = RefreshToken(user, client_id, scope, self._now())
            answer["refresh_token"] = self._state.refresh_tokens.add(refresh_token)
        if delegation.wants_id_token:
            answer["id_token"] = self._signer.id_token(user, client_id, nonce, lifetime)
        if form.get("client_info") == "1":
            known = {"uid": user.object_id, "utid": self._signer.directory.tenant.id}
            answer["client_info"] = unpadded(json.dumps(known).encode())
        return answer


def _bearer(token: str, seconds: int) -> Answer:
    return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}


def _needed(form: Form, name: str) -> str:
    value = form.get(name)
    if not value:
        raise missing_parameter(name)
    return value


def _demand_proof(client: Client, *, unless_public: bool = False) -> None:
    """Raise unless the client has shown who it is, or is one that needs not."""
    if client.proof is not ClientProof.NONE or (unless_public and client.application.allows_public_client):
        return
    raise EntraError(
        7000218,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    )


def _check_verifier(challenge: str, verifier: str | None) -> None:
    """https://datatracker.ietf.org/doc/html/rfc7636#section-4.6."""
    if not verifier:
        raise EntraError(
            50148,
            "invalid_grant",
            "The code_verifier does not match the code_challenge supplied in the authorization request for "
            "PKCE.",
        )
    if not hmac.compare_digest(unpadded(hashlib.sha256(verifier.encode()).digest()), challenge):
        raise EntraError(
            501481,
            "invalid_grant",
            "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
        )


def _unknown_grant(name: str) -> EntraError:
    return EntraError(70000, "invalid_grant", f"The provided value for the '{name}' parameter is not valid.")
