"""Managed identity by msal: the instance metadata service and the form of App Service."""

from __future__ import annotations

from dataclasses import replace

import msal
import pytest

from crm_sandbox.identity import (
    DEFAULT_IDENTITY_HEADER,
    DEFAULT_MANAGED_IDENTITY_CLIENT_ID,
    DEFAULT_MANAGED_IDENTITY_OBJECT_ID,
    ManagedIdentity,
)

SECOND = ManagedIdentity("5c7a9d10-2e46-4b88-9f03-6a1d8e5b2c74", "9b3e1f58-c0d2-4a67-8e19-47f5a2c6d0b3")
VARIABLES = (
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
)


@pytest.fixture(params=["instance metadata", "app service"])
def platform(request, service, monkeypatch):
    """The environment variables of a platform."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    if request.param == "instance metadata":
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", service.root)
    else:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{service.root}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", DEFAULT_IDENTITY_HEADER)
    return request.param


def acquire(service, identity, resource=None):
    client = msal.ManagedIdentityClient(identity, http_client=service.session)
    return client.acquire_token_for_client(resource=resource or service.root)


def test_the_single_identity_needs_no_choice(service, platform):
    result = acquire(service, msal.SystemAssignedManagedIdentity())
    claims = service.claims(result)
    assert claims.is_application
    assert claims.application_id == DEFAULT_MANAGED_IDENTITY_CLIENT_ID
    assert claims.object_id == DEFAULT_MANAGED_IDENTITY_OBJECT_ID
    assert 86_000 < result["expires_in"] <= 86_401
    assert result["resource"] == service.root


@pytest.mark.parametrize("chosen", [{"client_id": SECOND.client_id.upper()}, {"object_id": SECOND.object_id}])
def test_one_of_several_identities_is_chosen_by_an_id(service, platform, chosen):
    identities = (*service.directory.managed_identities, SECOND)
    service.use(replace(service.directory, managed_identities=identities))
    result = acquire(service, msal.UserAssignedManagedIdentity(**chosen))
    assert service.claims(result).object_id == SECOND.object_id


def test_one_of_several_identities_has_to_be_chosen(service, platform):
    identities = (*service.directory.managed_identities, SECOND)
    service.use(replace(service.directory, managed_identities=identities))
    result = acquire(service, msal.SystemAssignedManagedIdentity())
    assert "Multiple user assigned identities exist" in result["error_description"]


@pytest.mark.parametrize("chosen", [{"client_id": "unknown"}, {"resource_id": "/subscriptions/1"}])
def test_an_identity_that_is_not_there_is_refused(service, platform, chosen):
    result = acquire(service, msal.UserAssignedManagedIdentity(**chosen))
    assert "Identity not found" in result["error_description"]


def test_a_resource_that_is_not_there_is_refused(service, platform):
    result = acquire(service, msal.SystemAssignedManagedIdentity(), "https://other.example")
    assert "AADSTS500011" in result["error_description"]


def test_a_wrong_identity_header_is_refused(service, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{service.root}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "guessed")
    result = acquire(service, msal.SystemAssignedManagedIdentity())
    assert result["error_description"].startswith("401, ")


@pytest.mark.parametrize(
    ("headers", "query", "text"),
    [
        ({}, {"api-version": "2018-02-01", "resource": "{root}"}, "Required metadata header not specified"),
        ({"Metadata": "true"}, {"resource": "{root}"}, "api-version was not specified in the request"),
        ({"Metadata": "true"}, {"api-version": "2018-02-01"}, "Required audience parameter not specified"),
    ],
)
def test_the_instance_metadata_service_is_strict(service, headers, query, text):
    sent = {name: value.format(root=service.root) for name, value in query.items()}
    address = f"{service.root}/metadata/identity/oauth2/token"
    answer = service.session.get(address, headers=headers, params=sent)
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_request", "error_description": text}
