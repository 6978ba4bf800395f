"""Where people sign in: the authorize endpoint, its page, and the page for devices.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse

from crm_sandbox.identity.clients import Clients
from crm_sandbox.identity.directory import Directory, User
from crm_sandbox.identity.errors import EntraError, missing_parameter
from crm_sandbox.identity.pages import (
    SUBMIT_HASH,
    device_page,
    form_post_page,
    message_page,
    sign_in_page,
)
from crm_sandbox.identity.scopes import Resources
from crm_sandbox.identity.state import AuthorizationCode, DeviceRequest, Lifetimes, State
from crm_sandbox.identity.web import SESSION_COOKIE, Call, Response, page

DEVICE_PATH = "/devicelogin"

# What a browser could read differently - backslashes, white space, user names - is not loopback.
_LOOPBACK = re.compile(
    r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?([/?][\w/?.~!$&'()*+,;=:@%-]*)?", re.ASCII
)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_ALPHABET = "BCDFGHJKLMNPQRSTVWXYZ23456789"
_REPEATED = (
    "client_id",
    "response_type",
    "redirect_uri",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
)


def device_has_expired(device: DeviceRequest, lifetimes: Lifetimes, moment: datetime) -> bool:
    """Whether nobody can sign in for a device any more."""
    return moment >= device.issued_at + lifetimes.device_code


class SignIn:
    """Signs people in by their choice from a list."""

    def __init__(
        self,
        directory: Directory,
        clients: Clients,
        resources: Resources,
        state: State,
        lifetimes: Lifetimes,
        now: Callable[[], datetime],
    ) -> None:
        self._directory = directory
        self._clients = clients
        self._resources = resources
        self._state = state
        self._lifetimes = lifetimes
        self._now = now

    def authorize(self, call: Call) -> Response:
        """The sign-in page, or what follows a choice made on it.

        Raises:
            EntraError: The request cannot be trusted with a redirect; it is shown to the person.
        """
        asked = call.form if call.method == "POST" else call.query
        application = self._clients.registered(asked.get("client_id"))
        redirect_uri = _redirect_uri(asked, application.client_id)
        try:
            _check_request(asked)
            self._resources.for_user(asked.get("scope"))
            if asked.get("prompt") == "none":
                return self._signed_in(asked, redirect_uri, self._silently(call, asked))
            if "user" in asked and call.method == "POST":
                return self._signed_in(asked, redirect_uri, self._consenting(asked["user"]))
        except EntraError as error:
            content = error.content(self._now(), call.correlation_id)
            told = {name: content[name] for name in ("error", "error_description")}
            return _answer(asked, redirect_uri, told)
        fields = {name: asked[name] for name in _REPEATED if name in asked}
        users = _with_first(self._directory.users, asked.get("login_hint"))
        return page(sign_in_page(application.name, users, fields))

    def log_out(self, call: Call) -> Response:
        """End the session, then go where the client asks, if that is on this machine.

        https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc#send-a-sign-out-request
        """
        self._state.sessions.drop(call.session)
        asked = {**call.query, **call.form}
        target = asked.get("post_logout_redirect_uri", "")
        answer: Response
        if _LOOPBACK.fullmatch(target):
            told = {"state": asked["state"]} if "state" in asked else {}
            answer = RedirectResponse(_with_query(target, told), 302)
        else:
            answer = page(message_page("Signed out", "You are signed out."))
        answer.delete_cookie(SESSION_COOKIE, secure=True, httponly=True, samesite="lax")
        return answer

    def device_code(self, form: Mapping[str, str], root: str) -> dict[str, Any]:
        """Give a device the codes with which somebody signs in for it elsewhere.

        Raises:
            EntraError: The client or the scope is not known.
        """
        application = self._clients.registered(form.get("client_id"))
        self._resources.for_user(form.get("scope"))
        user_code = "".join(secrets.choice(_ALPHABET) for _ in range(9))
        request = DeviceRequest(application.client_id, form["scope"], user_code, self._now())
        device_code = self._state.devices.add(request)
        self._state.device_codes.put(user_code, device_code)
        address = f"{root}{DEVICE_PATH}"
        return {
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": address,
            "expires_in": int(self._lifetimes.device_code.total_seconds()),
            "interval": int(self._lifetimes.device_polling.total_seconds()),
            "message": f"To sign in, use a web browser to open the page {address} and enter the code "
            f"{user_code} to authenticate.",
        }

    def device_sign_in(self, call: Call) -> Response:
        """The page on which somebody signs in for a device, or what follows their choice."""
        asked = call.form if call.method == "POST" else call.query
        user_code = asked.get("user_code", "").strip().upper()
        if call.method != "POST":
            return page(device_page(self._directory.users, user_code))
        device_code = self._state.device_codes.find(user_code)
        device = self._state.devices.find(device_code)
        if device_code is None or device is None or device.answered:
            return self._ask_again(user_code, "That code is not known. Look at the device again.")
        if device_has_expired(device, self._lifetimes, self._now()):
            return self._ask_again(user_code, "That code has expired. Start again on the device.")
        try:
            user = self._chosen(asked.get("user", ""))
        except EntraError as error:
            return self._ask_again(user_code, str(error))
        self._state.devices.put(device_code, replace(device, answered=True, user=user))
        self._state.device_codes.drop(user_code)
        if user is None:
            return page(message_page("Declined", "The device was not signed in."))
        return page(message_page("Signed in", f"The device is signed in as {user.name}. Close this page."))

    def _ask_again(self, user_code: str, note: str) -> Response:
        return page(device_page(self._directory.users, user_code, note), 400)

    def _chosen(self, object_id: str) -> User | None:
        """The user that was chosen on a page; None for the button that cancels."""
        if not object_id:
            return None
        user = self._directory.user(object_id)
        if user is None:
            raise EntraError(
                50034,
                "invalid_request",
                f"The user account {object_id} does not exist in the {self._directory.tenant.id} directory.",
            )
        return user

    def _consenting(self, object_id: str) -> User:
        user = self._chosen(object_id)
        if user is None:
            raise EntraError(65004, "access_denied", "User declined to consent to access the app.")
        return user

    def _silently(self, call: Call, asked: Mapping[str, str]) -> User:
        user = self._state.sessions.find(call.session)
        hint = asked.get("login_hint")
        if user is None or (hint and hint.casefold() != user.user_principal_name.casefold()):
            raise EntraError(
                50058,
                "login_required",
                "Session information is not sufficient for single-sign-on. A silent sign-in request was "
                "sent but no user is signed in.",
            )
        return user

    def _signed_in(self, asked: Mapping[str, str], redirect_uri: str, user: User) -> Response:
        code = AuthorizationCode(
            user=user,
            client_id=self._clients.registered(asked.get("client_id")).client_id,
            redirect_uri=redirect_uri,
            scope=asked["scope"],
            nonce=asked.get("nonce"),
            challenge=asked.get("code_challenge"),
            issued_at=self._now(),
        )
        answer = _answer(asked, redirect_uri, {"code": self._state.codes.add(code)})
        session = self._state.sessions.add(user)
        answer.set_cookie(SESSION_COOKIE, session, secure=True, httponly=True, samesite="lax")
        return answer


def _redirect_uri(asked: Mapping[str, str], client_id: str) -> str:
    redirect_uri = asked.get("redirect_uri")
    if not redirect_uri:
        raise EntraError(900971, "invalid_request", "No reply address provided.")
    if not _LOOPBACK.fullmatch(redirect_uri):
        raise EntraError(
            50011,
            "invalid_request",
            f"The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs "
            f"configured for the application '{client_id}'. The sandbox redirects to this machine only.",
        )
    return redirect_uri


def _check_request(asked: Mapping[str, str]) -> None:
    response_type = asked.get("response_type")
    if not response_type:
        raise missing_parameter("response_type")
    if response_type != "code":
        raise EntraError(
            70005, "unsupported_response_type", f"The response_type '{response_type}' is not supported."
        )
    if asked.get("response_mode", "query") not in ("query", "fragment", "form_post"):
        raise EntraError(70007, "invalid_request", "The response_mode is not supported.")
    challenge, method = asked.get("code_challenge"), asked.get("code_challenge_method")
    if challenge is None and method is None:
        return
    if method != "S256":
        raise EntraError(50149, "invalid_request", "Invalid Code_Challenge_method parameter.")
    if challenge is None or not _CHALLENGE.fullmatch(challenge):
        raise EntraError(501491, "invalid_request", "Invalid size of Code_Challenge parameter.")


def _answer(asked: Mapping[str, str], redirect_uri: str, told: Mapping[str, str]) -> Response:
    """Send the outcome to the client, the way it asked for."""
    fields = {**told, **({"state": asked["state"]} if "state" in asked else {})}
    match asked.get("response_mode"):
        case "form_post":
            return page(form_post_page(redirect_uri, fields), script_hash=SUBMIT_HASH)
        case "fragment":
            return RedirectResponse(f"{redirect_uri}#{urlencode(fields)}", 302)
        case _:
            return RedirectResponse(_with_query(redirect_uri, fields), 302)


def _with_query(address: str, fields: Mapping[str, str]) -> str:
    if not fields:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(fields)}"


def _with_first(users: tuple[User, ...], login_hint: str | None) -> list[User]:
    hint = (login_hint or "").casefold()
    return sorted(users, key=lambda user: user.user_principal_name.casefold() != hint)
