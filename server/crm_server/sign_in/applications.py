"""Sign-in of services: an application with a secret, a certificate or a federated token; a managed identity.

https://learn.microsoft.com/power-apps/developer/data-platform/use-single-tenant-server-server-authentication
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crm_server.settings import Settings
from crm_server.sign_in import callers
from crm_server.sign_in.clouds import AUTHORITIES, authority_of
from crm_server.sign_in.tokens import CachedTokens, Held, Keeping
from crm_tools.errors import SignInError

MOST_CALLERS = 1_000
"""Whose tokens a process keeps at hand; those of others are where replicas share them."""


def scope_of(settings: Settings) -> str:
    """The scope of an environment: whatever the application was granted there."""
    return f"{settings.url}/.default"


@contextmanager
def session() -> Iterator[Any]:
    """HTTP for msal, ended with the sign-in: hours pass until the next."""
    import requests

    with requests.Session() as found:
        yield found


def for_itself(settings: Settings, credential: Callable[[], Any]) -> CachedTokens:
    """Tokens of an application that signs in for itself. ``credential`` is what msal takes as such."""

    def acquire(_force: bool, claims: str | None) -> Mapping[str, Any]:
        with session() as http:
            answer: Mapping[str, Any] = confidential(settings, credential(), http).acquire_token_for_client(
                scopes=[scope_of(settings)], claims_challenge=claims
            )
            return answer

    return CachedTokens(acquire)


def confidential(settings: Settings, credential: Any, http: Any) -> Any:
    """msal's client of an application with a credential. It is new each time, so it gives no old token."""
    import msal

    return msal.ConfidentialClientApplication(
        settings.client_id, client_credential=credential, http_client=http, **authority_options(settings)
    )


def authority_options(settings: Settings) -> dict[str, Any]:
    """The authority as msal's clients take it."""
    authority = authority_of(settings)
    return {
        "authority": f"{authority}/{settings.tenant_id or 'organizations'}",
        # Another authority, such as a sandbox's, is none that Microsoft's own directory knows.
        "instance_discovery": authority in AUTHORITIES,
    }


def client_secret(settings: Settings) -> CachedTokens:
    """An application with a secret."""
    return for_itself(settings, lambda: settings.client_secret)


def certificate(settings: Settings) -> CachedTokens:
    """An application with a certificate: a PEM file with key and certificate, or a PFX file."""
    return for_itself(settings, lambda: _certificate(settings))


def _certificate(settings: Settings) -> dict[str, Any]:
    path = Path(settings.certificate or "")
    password = settings.certificate_password
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SignInError(
            f"The certificate cannot be read ({error.strerror}). Check DYNAMICS_CERTIFICATE."
        ) from None
    if path.suffix.lower() in (".pfx", ".p12"):
        _check_pfx(content, password)
        return {"private_key_pfx_path": str(path), "passphrase": password}
    text = content.decode("ascii", "replace")
    _check_pem(text, password)
    return {"private_key": text, "public_certificate": text, "passphrase": password}


def _check_pfx(content: bytes, password: str | None) -> None:
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

    try:
        load_pkcs12(content, password.encode() if password else None)
    except ValueError:
        raise _bad_certificate("a PFX file") from None


def _check_pem(text: str, password: str | None) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        load_pem_x509_certificate(text.encode())
        load_pem_private_key(text.encode(), password.encode() if password else None)
    except (ValueError, TypeError):
        raise _bad_certificate("a PEM file with the private key and the certificate") from None


def _bad_certificate(expected: str) -> SignInError:
    return SignInError(
        f"The certificate cannot be used: DYNAMICS_CERTIFICATE must be {expected}, and "
        "DYNAMICS_CERTIFICATE_PASSWORD its password if it has one."
    )


def workload_identity(settings: Settings) -> CachedTokens:
    """An application that the platform vouches for by a token in a file, which it replaces now and then.

    https://learn.microsoft.com/entra/workload-id/workload-identity-federation
    """

    return for_itself(settings, lambda: _vouched_for(settings))


def _vouched_for(settings: Settings) -> dict[str, Any]:
    def assertion() -> str:
        try:
            return Path(settings.federated_token_file or "").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise SignInError(
                "The platform's token cannot be read. Check AZURE_FEDERATED_TOKEN_FILE."
            ) from None

    return {"client_assertion": assertion}


def managed_identity(settings: Settings) -> CachedTokens:
    """The identity that Azure gives this machine: the one that DYNAMICS_CLIENT_ID names, or the only one.

    https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/overview
    """

    def acquire(_force: bool, claims: str | None) -> Mapping[str, Any]:
        import msal

        chosen = (
            msal.UserAssignedManagedIdentity(client_id=settings.client_id)
            if settings.client_id
            else msal.SystemAssignedManagedIdentity()
        )
        with session() as http:
            answer: Mapping[str, Any] = msal.ManagedIdentityClient(
                chosen, http_client=http
            ).acquire_token_for_client(resource=settings.url, claims_challenge=claims)
            return answer

    return CachedTokens(acquire)


def of_callers(settings: Settings) -> CachedTokens:
    """The application that acts on behalf of callers, for itself: whether its credential is taken."""
    return for_itself(settings, lambda: _credential_of_callers(settings))


def _credential_of_callers(settings: Settings) -> Any:
    if settings.client_secret:
        return settings.client_secret
    return _certificate(settings) if settings.certificate else _vouched_for(settings)


class OnBehalfOf:
    """Tokens of the callers themselves, each kept for its caller: everybody's own rights count.

    A service has nobody to act for, and works under the application's own rights. ``kept`` gives the place
    where the token of a caller goes, by the caller's key.

    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow
    """

    def __init__(self, settings: Settings, kept: Callable[[str], Keeping] = lambda _key: Held()) -> None:
        self._settings = settings
        self._kept = kept
        self._callers: OrderedDict[str, CachedTokens] = OrderedDict()
        self._own = of_callers(settings)

    async def token(self, *, force: bool = False, claims: str | None = None) -> str:
        """A token for the environment in the present caller's name.

        Raises:
            SignInError: The caller brought no token, or Entra ID refused the exchange.
        """
        caller = callers.present()
        if caller is not None and caller.is_service:
            return await self._own.token(force=force, claims=claims)
        if caller is None or caller.token is None:
            raise SignInError("The call came without a token of its caller, so nobody's rights can be used.")
        return await self._of(caller.key).token(force=force, claims=claims)

    def _of(self, key: str) -> CachedTokens:
        if key not in self._callers:
            # The token of the call that needs a new one: earlier calls came with tokens that end earlier.
            self._callers[key] = CachedTokens(
                lambda _, claims: self._exchange(callers.assertion(), claims), kept=self._kept(key)
            )
            while len(self._callers) > MOST_CALLERS:
                self._callers.popitem(last=False)
        self._callers.move_to_end(key)
        return self._callers[key]

    def _exchange(self, assertion: str | None, claims: str | None) -> Mapping[str, Any]:
        with session() as http:
            application = confidential(self._settings, _credential_of_callers(self._settings), http)
            answer: Mapping[str, Any] = application.acquire_token_on_behalf_of(
                assertion, [scope_of(self._settings)], claims_challenge=claims
            )
            return answer
