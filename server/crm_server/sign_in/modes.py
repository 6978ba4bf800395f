"""The table of ways to sign in: what each needs, and where its tokens come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crm_server.settings import Settings, SettingsError, did_you_mean

if TYPE_CHECKING:
    import httpx

    from crm_server.sign_in.tokens import TokenProvider
    from crm_server.state.state import State


Make = Callable[[Settings, "State | None"], "TokenProvider"]
"""Makes a provider; the state is where replicas share the tokens of their callers."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to sign in: whom it is for, the settings that it needs by field, and what makes its provider.

    ``needs`` lists alternatives with ``|``.
    """

    meant_for: str
    needs: tuple[str, ...]
    make: Make | None


def _made(module: str, name: str) -> Make:
    """A provider of a module that is loaded when it is needed: sign-in libraries are slow to load."""

    def make(settings: Settings, _state: State | None) -> TokenProvider:
        from importlib import import_module

        provider: TokenProvider = getattr(import_module(f"crm_server.sign_in.{module}"), name)(settings)
        return provider

    return make


def _on_behalf_of(settings: Settings, state: State | None) -> TokenProvider:
    from crm_server.sign_in.applications import OnBehalfOf
    from crm_server.sign_in.vault import Vault

    return OnBehalfOf(settings) if state is None else OnBehalfOf(settings, Vault(state, settings).of)


ON_BEHALF_OF = "on-behalf-of"
MODES: Mapping[str, Mode] = {
    "client-secret": Mode(
        "services", ("tenant_id", "client_id", "client_secret"), _made("applications", "client_secret")
    ),
    "certificate": Mode(
        "services", ("tenant_id", "client_id", "certificate"), _made("applications", "certificate")
    ),
    "workload-identity": Mode(
        "Kubernetes and other platforms that hand out tokens",
        ("tenant_id", "client_id", "federated_token_file"),
        _made("applications", "workload_identity"),
    ),
    "managed-identity": Mode("machines in Azure", (), _made("applications", "managed_identity")),
    "interactive": Mode("a person at a desk, in the browser", (), _made("people", "interactive")),
    "device-code": Mode("a person, with the browser of another device", (), _made("people", "device_code")),
    "azure-cli": Mode("developers who ran `az login`", (), _made("programs", "azure_cli")),
    ON_BEHALF_OF: Mode(
        "a shared server, each caller with their own rights",
        ("tenant_id", "client_id", "client_secret|certificate|federated_token_file"),
        _on_behalf_of,
    ),
    "token-command": Mode(
        "anything else: a program that prints a token",
        ("token_command",),
        _made("programs", "token_command"),
    ),
    "none": Mode("a sandbox on this machine", (), None),
}
"""Value of DYNAMICS_AUTH -> how it signs in."""

_PLATFORM = {"federated_token_file": "AZURE_FEDERATED_TOKEN_FILE"}


def provider_for(settings: Settings, state: State | None = None) -> Callable[[], TokenProvider | None]:
    """What makes the provider of the chosen mode. Settings are checked now; sign-in comes with a call.

    ``state`` is where replicas share the tokens of their callers; without it each keeps its own.

    Raises:
        SettingsError: No such mode, or a setting it needs is missing.
    """
    mode = MODES.get(settings.auth)
    if mode is None:
        raise SettingsError(f"Unknown DYNAMICS_AUTH {settings.auth!r}.{did_you_mean(settings.auth, MODES)}")
    missing = [need for need in mode.needs if not any(getattr(settings, name) for name in need.split("|"))]
    if missing:
        names = ", ".join(" or ".join(map(variable_of, need.split("|"))) for need in missing)
        raise SettingsError(f"DYNAMICS_AUTH={settings.auth} also needs {names}.")
    if settings.auth == "none" and urlsplit(settings.url or "").scheme != "http":
        raise SettingsError(
            "DYNAMICS_AUTH=none is only for a sandbox on this machine, at http://127.0.0.1:PORT."
        )
    make = mode.make
    return lambda: None if make is None else make(settings, state)


def auth_for(settings: Settings, state: State | None = None) -> Callable[[], httpx.Auth | None]:
    """What makes the auth of requests, as :func:`provider_for`.

    Raises:
        SettingsError: As there.
    """
    make_provider = provider_for(settings, state)

    def make() -> httpx.Auth | None:
        from crm_server.sign_in.tokens import bearer_auth

        provider = make_provider()
        return None if provider is None else bearer_auth(provider)

    return make


def variable_of(field: str) -> str:
    """The environment variable of a field of the settings."""
    return _PLATFORM.get(field, f"DYNAMICS_{field.upper()}")
