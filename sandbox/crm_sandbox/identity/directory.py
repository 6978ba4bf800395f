"""Who and what the tenant knows: users, applications and managed identities, as frozen values.

The values of ``default_directory`` are for a try; each is a constant of this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID, uuid5

DEFAULT_TENANT_ID = "7d1e5b0c-3f68-4a52-9c1b-6e0a4d2f8b31"

DEFAULT_CLIENT_ID = "2b9f6c1e-8a44-4d0e-b7f3-51c08e6d9a20"
"""A confidential application: it signs in as itself, and for users who are sent to the sign-in page."""
DEFAULT_CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - it opens nothing but a sandbox

DEFAULT_PUBLIC_CLIENT_ID = "c4a1d7e2-0b95-4f3c-8e6d-9f27b3a5c018"
"""A public application, such as a desktop program: it has no secret and signs users in."""

DEFAULT_MANAGED_IDENTITY_CLIENT_ID = "e83f0a6b-5d21-49c7-a1f4-0c7b92d6e453"
DEFAULT_MANAGED_IDENTITY_OBJECT_ID = "0f6a2c9d-71b8-4e35-8d40-b5e1c3f79a62"
DEFAULT_IDENTITY_HEADER = "sandbox-identity-header"
"""What the environment variable IDENTITY_HEADER has to hold for the App Service form."""

TOKEN_EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"  # noqa: S105 - an audience, not a secret
"""https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust"""

_SERVICE_PRINCIPALS = UUID("5f0b7f6e-9c0a-4d55-8a7e-2f6c1d3b4a90")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant by its id."""

    id: str


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in. The password serves the password grant only: the sign-in page asks none.

    ``roles`` are the app roles that they were assigned, of any application.
    """

    object_id: str
    user_principal_name: str
    name: str
    password: str = field(repr=False)
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """An issuer elsewhere whose tokens stand for the application's secret.

    ``public_key`` (PEM) is the issuer's: Entra reads it from the issuer's discovery document, the sandbox
    asks nobody.

    https://learn.microsoft.com/entra/workload-id/workload-identity-federation
    """

    issuer: str
    subject: str
    public_key: str
    audience: str = TOKEN_EXCHANGE_AUDIENCE


@dataclass(frozen=True, slots=True)
class Application:
    """An app registration with its credentials: a secret, certificates (PEM), federated credentials.

    ``allows_public_client`` lets it sign users in without any. ``roles`` are the app roles that its own
    tokens carry.
    """

    client_id: str
    secret: str | None = field(default=None, repr=False)
    name: str = "Application"
    certificates: tuple[str, ...] = ()
    federated_credentials: tuple[FederatedCredential, ...] = ()
    allows_public_client: bool = False
    roles: tuple[str, ...] = ()

    @property
    def object_id(self) -> str:
        """The id of the service principal, the same in every run."""
        return str(uuid5(_SERVICE_PRINCIPALS, self.client_id.lower()))

    @property
    def has_credentials(self) -> bool:
        """Whether it could prove who it is."""
        return bool(self.secret or self.certificates or self.federated_credentials)


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """An identity that the platform gives to what runs on it."""

    client_id: str
    object_id: str


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything a tenant knows.

    ``resources`` are addresses of organisations besides the one at the issuer's own root, without a trailing
    slash. ``identity_header`` is the secret of the App Service form of managed identity.
    """

    tenant: Tenant
    users: tuple[User, ...]
    applications: tuple[Application, ...]
    managed_identities: tuple[ManagedIdentity, ...] = ()
    resources: tuple[str, ...] = ()
    identity_header: str = field(default=DEFAULT_IDENTITY_HEADER, repr=False)

    def user(self, object_id: str) -> User | None:
        """The user with an object id."""
        return next((user for user in self.users if user.object_id == object_id), None)

    def user_named(self, user_principal_name: str) -> User | None:
        """The user with a user principal name, in any case of letters."""
        wanted = user_principal_name.casefold()
        return next((user for user in self.users if user.user_principal_name.casefold() == wanted), None)

    def application(self, client_id: str) -> Application | None:
        """The application with a client id, in any case of letters."""
        wanted = client_id.lower()
        return next((one for one in self.applications if one.client_id.lower() == wanted), None)


def default_directory(users: Iterable[User], certificates: Iterable[str] = ()) -> Directory:
    """A tenant of these users, with one confidential and one public application and one managed identity.

    ``certificates`` (PEM) are those of the confidential application, besides its secret.
    """
    return Directory(
        tenant=Tenant(DEFAULT_TENANT_ID),
        users=tuple(users),
        applications=(
            Application(
                DEFAULT_CLIENT_ID,
                DEFAULT_CLIENT_SECRET,
                name="Sandbox application",
                certificates=tuple(certificates),
            ),
            Application(
                DEFAULT_PUBLIC_CLIENT_ID, name="Sandbox desktop application", allows_public_client=True
            ),
        ),
        managed_identities=(
            ManagedIdentity(DEFAULT_MANAGED_IDENTITY_CLIENT_ID, DEFAULT_MANAGED_IDENTITY_OBJECT_ID),
        ),
    )
