"""A tenant on a real TLS socket, of which each test gets a fresh one, and a sandbox process with its own.

Both are trusted by the settings that a user would make.
"""

from __future__ import annotations

import pytest

from crm_sandbox.identity import KeyRing, make_certificates
from tests.sandbox.identity.identity_service import Service, hosting, make_client_certificate, new_session
from tests.sign_in.hosted_sandbox import sandbox_process


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


@pytest.fixture(scope="session")
def sandbox_folder(tmp_path_factory):
    """Where the sandbox process has its certificates."""
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="session")
def sandbox(sandbox_folder):
    """The settings that a sandbox with sign-in prints."""
    with sandbox_process(sandbox_folder) as printed:
        yield printed


@pytest.fixture
def trusted(sandbox, monkeypatch):
    """What the sandbox says to set so that its certificate is trusted."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, sandbox[name])
