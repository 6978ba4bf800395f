"""A stand-in for Microsoft Entra ID, so that sign-in can be tried without a tenant.

It answers the protocols that msal and azure-identity speak: app-only tokens by secret, certificate or
federated token; sign-in of people by page, device code or on behalf of; refresh tokens; managed identity.
People are signed in by a choice from a list; no password is asked.
"""

from crm_sandbox.identity.certificates import (
    Certificates,
    ClientCertificate,
    make_certificates,
    make_client_certificate,
)
from crm_sandbox.identity.directory import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_IDENTITY_HEADER,
    DEFAULT_MANAGED_IDENTITY_CLIENT_ID,
    DEFAULT_MANAGED_IDENTITY_OBJECT_ID,
    DEFAULT_PUBLIC_CLIENT_ID,
    DEFAULT_TENANT_ID,
    Application,
    Directory,
    FederatedCredential,
    ManagedIdentity,
    Tenant,
    User,
    default_directory,
)
from crm_sandbox.identity.endpoints import IdentityApp
from crm_sandbox.identity.errors import (
    EntraError,
    consent_required,
    multifactor_required,
    service_unavailable,
    sign_in_too_old,
)
from crm_sandbox.identity.keys import KeyRing
from crm_sandbox.identity.state import Lifetimes
from crm_sandbox.identity.tokens import Claims, Signer, Unauthorized

__all__ = [
    "DEFAULT_CLIENT_ID",
    "DEFAULT_CLIENT_SECRET",
    "DEFAULT_IDENTITY_HEADER",
    "DEFAULT_MANAGED_IDENTITY_CLIENT_ID",
    "DEFAULT_MANAGED_IDENTITY_OBJECT_ID",
    "DEFAULT_PUBLIC_CLIENT_ID",
    "DEFAULT_TENANT_ID",
    "Application",
    "Certificates",
    "Claims",
    "ClientCertificate",
    "Directory",
    "EntraError",
    "FederatedCredential",
    "IdentityApp",
    "KeyRing",
    "Lifetimes",
    "ManagedIdentity",
    "Signer",
    "Tenant",
    "Unauthorized",
    "User",
    "consent_required",
    "default_directory",
    "make_certificates",
    "make_client_certificate",
    "multifactor_required",
    "service_unavailable",
    "sign_in_too_old",
]
