"""Ways to sign in: one row of :data:`MODES` each, every one an ``httpx.Auth``.

https://learn.microsoft.com/power-apps/developer/data-platform/use-single-tenant-server-server-authentication
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import anyio

from crm_server.settings import DEFAULT_AUTHORITY, Settings, SettingsError, did_you_mean
from crm_tools.errors import SignInError

if TYPE_CHECKING:
    import httpx

EARLY_SECONDS = 300.0
"""How long before its end a token is replaced."""


class TokenProvider(Protocol):
    """Where access tokens come from."""

    async def token(self, *, force: bool = False) -> str:
        """An access token; ``force`` gets a new one.

        Raises:
            SignInError: None could be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to sign in: the settings it needs by field, and what makes its auth."""

    needs: tuple[str, ...]
    make: Callable[[Settings], httpx.Auth | None]


def auth_for(settings: Settings) -> Callable[[], httpx.Auth | None]:
    """What makes the auth of the chosen mode. Settings are checked now, sign-in comes with the first call.

    Raises:
        SettingsError: No such mode, or a setting it needs is missing.
    """
    mode = MODES.get(settings.auth)
    if mode is None:
        raise SettingsError(f"Unknown DYNAMICS_AUTH {settings.auth!r}.{did_you_mean(settings.auth, MODES)}")
    missing = [f"DYNAMICS_{name.upper()}" for name in mode.needs if not getattr(settings, name)]
    if missing:
        raise SettingsError(f"DYNAMICS_AUTH={settings.auth} also needs {', '.join(missing)}.")
    if settings.auth == "none" and urlsplit(settings.url or "").scheme != "http":
        raise SettingsError(
            "DYNAMICS_AUTH=none is only for a sandbox on this machine, at http://127.0.0.1:PORT."
        )
    return lambda: mode.make(settings)


class ClientSecret:
    """Client credentials with a secret, by msal in a worker thread, one refresh at a time."""

    def __init__(
        self,
        settings: Settings,
        application: Callable[[], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._make_application = application or self._msal_application
        self._application: Any = None
        self._clock = clock
        self._lock = anyio.Lock()
        self._token: str | None = None
        self._expires = 0.0

    def __repr__(self) -> str:
        return "ClientSecret(...)"

    async def token(self, *, force: bool = False) -> str:
        """An access token; a known one while it lasts.

        Raises:
            SignInError: Entra ID refused or could not be reached.
        """
        known = self._token
        async with self._lock:
            # Whoever waited while another call got a new token takes that one.
            renewed = self._token is not None and self._token != known
            if self._token is not None and self._clock() < self._expires and (renewed or not force):
                return self._token
            answer = await anyio.to_thread.run_sync(self._acquire, force)
            self._token = _token_of(answer)
            self._expires = self._clock() + max(0.0, float(answer.get("expires_in", 0)) - EARLY_SECONDS)
            return self._token

    def _acquire(self, force: bool) -> Mapping[str, Any]:
        import requests

        try:
            if self._application is None or force:
                self._application = self._make_application()
            answer: Mapping[str, Any] = self._application.acquire_token_for_client(
                scopes=[f"{self._settings.url}/.default"]
            )
        except (requests.RequestException, OSError):
            raise SignInError(
                "Microsoft Entra ID cannot be reached for sign-in. Check this server's network and proxy."
            ) from None
        except ValueError:
            raise SignInError(
                "The sign-in settings are not accepted. Check DYNAMICS_TENANT_ID: a directory id or domain."
            ) from None
        return answer

    def _msal_application(self) -> Any:
        import msal

        authority = self._settings.authority
        return msal.ConfidentialClientApplication(
            self._settings.client_id,
            client_credential=self._settings.client_secret,
            authority=f"{authority}/{self._settings.tenant_id}",
            # Another authority, such as a sandbox's, is none that Microsoft's own directory knows.
            instance_discovery=authority == DEFAULT_AUTHORITY,
        )


_ADVICE = {
    "7000215": "The client secret is wrong. Set DYNAMICS_CLIENT_SECRET to the secret's value, not its id.",
    "7000222": "The client secret has expired. Create a new one and set DYNAMICS_CLIENT_SECRET.",
    "700016": "The tenant has no such application. Check DYNAMICS_CLIENT_ID and DYNAMICS_TENANT_ID.",
    "90002": "There is no such tenant. Check DYNAMICS_TENANT_ID.",
    "500011": "The environment is not known in this tenant. Check DYNAMICS_URL and DYNAMICS_TENANT_ID.",
}
"""AADSTS code -> what to fix. https://learn.microsoft.com/entra/identity-platform/reference-error-codes"""


def _token_of(answer: Mapping[str, Any]) -> str:
    token = answer.get("access_token")
    if isinstance(token, str) and token:
        return token
    match = re.search(r"AADSTS(\d+)", str(answer.get("error_description", "")))
    code = match[1] if match else ""
    advice = _ADVICE.get(
        code, "An administrator checks the application registration and the sign-in settings."
    )
    raise SignInError(
        f"Microsoft Entra ID refused the sign-in. {advice}", crm_code=f"AADSTS{code}" if code else None
    )


def bearer_auth(provider: TokenProvider) -> httpx.Auth:
    """Sends the provider's token, and a new one once after a 401."""
    import httpx

    class BearerAuth(httpx.Auth):
        async def async_auth_flow(
            self, request: httpx.Request
        ) -> AsyncGenerator[httpx.Request, httpx.Response]:
            request.headers["Authorization"] = f"Bearer {await provider.token()}"
            response = yield request
            if response.status_code == httpx.codes.UNAUTHORIZED:
                request.headers["Authorization"] = f"Bearer {await provider.token(force=True)}"
                yield request

    return BearerAuth()


MODES: Mapping[str, Mode] = {
    "client-secret": Mode(
        ("tenant_id", "client_id", "client_secret"), lambda settings: bearer_auth(ClientSecret(settings))
    ),
    "none": Mode((), lambda _settings: None),
}
"""Value of DYNAMICS_AUTH -> how it signs in."""
