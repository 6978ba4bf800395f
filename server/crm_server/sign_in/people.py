"""Sign-in of a person: in a browser, or with a code on another device. Kept for the next start.

https://learn.microsoft.com/power-apps/developer/data-platform/authenticate-oauth
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from crm_server.settings import Settings
from crm_server.sign_in.advice import refusal
from crm_server.sign_in.applications import authority_options, scope_of, session
from crm_server.sign_in.storage import token_cache, token_file
from crm_server.sign_in.tokens import CachedTokens
from crm_tools.errors import SignInError

DEFAULT_CLIENT_ID = "51f81489-12ee-4a9e-aaae-a2591f45987d"
"""Microsoft's own application for trying clients of Dataverse, with the redirect address http://localhost.

https://learn.microsoft.com/power-apps/developer/data-platform/xrm-tooling/use-connection-strings-xrm-tooling-connect
"""
BROWSER_SECONDS = 180


Opening = Callable[[], AbstractContextManager[Any]]
"""Opens msal's client of the person's application, with the tokens that are kept."""

SignIn = Callable[[Opening, Settings, str | None], Mapping[str, Any]]
"""Gets a token with the person's help, or raises what the person is to do."""


class Person:
    """Somebody who signs in, silently where an earlier sign-in still counts."""

    def __init__(
        self,
        settings: Settings,
        sign_in: SignIn,
        cache: Callable[[], Any] = lambda: token_cache(token_file()),
    ) -> None:
        self._settings = settings
        self._sign_in = sign_in
        self._make_cache = cache
        self._cache: Any = None

    def acquire(self, force: bool, claims: str | None) -> Mapping[str, Any]:
        """A token of the person."""
        scopes = [scope_of(self._settings)]
        with self._application() as application:
            for account in application.get_accounts():
                found: Mapping[str, Any] | None = application.acquire_token_silent_with_error(
                    scopes, account, force_refresh=force, claims_challenge=claims
                )
                if found and "access_token" in found:
                    return found
        return self._sign_in(self._application, self._settings, claims)

    @contextmanager
    def _application(self) -> Iterator[Any]:
        import msal

        if self._cache is None:
            self._cache = self._make_cache()
        with session() as http:
            yield msal.PublicClientApplication(
                self._settings.client_id or DEFAULT_CLIENT_ID,
                token_cache=self._cache,
                http_client=http,
                **authority_options(self._settings),
            )


def in_browser(opening: Opening, settings: Settings, claims: str | None) -> Mapping[str, Any]:
    """Sign in on Microsoft's page, which the browser of this machine opens.

    Raises:
        SignInError: There is no browser, or nobody signed in in time.
    """
    try:
        with opening() as application:
            answer: Mapping[str, Any] = application.acquire_token_interactive(
                [scope_of(settings)], claims_challenge=claims, timeout=BROWSER_SECONDS
            )
    except OSError:
        raise SignInError(
            "No browser could be opened for sign-in. Use DYNAMICS_AUTH=device-code on this machine."
        ) from None
    if answer.get("error") == "authentication_canceled" or not answer:
        raise SignInError("Nobody signed in in the browser. Run `dynamics-crm-mcp login` and sign in there.")
    return answer


class WithCode:
    """Sign-in with a code that is entered on another device, while calls go on being answered.

    The first call says where to enter which code; a thread waits for it, and later calls find the sign-in.
    """

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._message: str | None = None
        self._outcome: Mapping[str, Any] | None = None

    def __call__(self, opening: Opening, settings: Settings, claims: str | None) -> Mapping[str, Any]:
        """What came of the code, if it was entered.

        Raises:
            SignInError: It has not been; the message says what to do.
        """
        with self._lock:
            outcome, self._outcome = self._outcome, None
            if outcome is not None:
                return outcome
            if self._message is None:
                self._message = self._begin(opening, settings, claims)
            raise SignInError(f"{self._message} Then call again.")

    def _begin(self, opening: Opening, settings: Settings, claims: str | None) -> str:
        with ExitStack() as stack:
            application = stack.enter_context(opening())
            flow = application.initiate_device_flow([scope_of(settings)], claims_challenge=claims)
            if "user_code" not in flow:
                raise refusal(flow)
            # The thread ends what was opened here.
            held = stack.pop_all()
        self.thread = threading.Thread(target=self._wait, args=(application, flow, held), daemon=True)
        self.thread.start()
        return instruction(flow)

    def _wait(self, application: Any, flow: dict[str, Any], held: ExitStack) -> None:
        try:
            with held:
                outcome: Mapping[str, Any] = application.acquire_token_by_device_flow(flow)
        except Exception:  # noqa: BLE001 - whatever it is, the next call begins anew
            outcome = {}
        with self._lock:
            self._outcome, self._message = outcome or None, None


def instruction(flow: Mapping[str, Any]) -> str:
    """Where to enter which code."""
    return f"To sign in to the CRM, open {flow['verification_uri']} and enter the code {flow['user_code']}."


def interactive(settings: Settings) -> CachedTokens:
    """A person at this machine's desk."""
    return CachedTokens(Person(settings, in_browser).acquire)


def device_code(settings: Settings) -> CachedTokens:
    """A person with another device."""
    return CachedTokens(Person(settings, WithCode()).acquire)
