"""A tenant on a real TLS socket, of which each test gets a fresh one; msal trusts it by a setting."""

from __future__ import annotations

import pytest

from crm_sandbox.identity import KeyRing, make_certificates
from tests.sandbox.identity.identity_service import Service, hosting, make_client_certificate, new_session


@pytest.fixture(scope="session")
def tenant_host(tmp_path_factory):
    with hosting(make_certificates(tmp_path_factory.mktemp("authority"))) as host:
        yield host


@pytest.fixture(scope="session")
def tenant_keys():
    return KeyRing()


@pytest.fixture(scope="session")
def client_certificate():
    return make_client_certificate()


@pytest.fixture
def tenant(tenant_host, tenant_keys, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tenant_host.ca_file))
    with new_session(tenant_host.ca_file) as session:
        yield Service(tenant_host, session, tenant_keys)
