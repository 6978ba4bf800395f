"""One TLS server for all tests; each test puts a fresh tenant into it."""

from __future__ import annotations

import pytest

from crm_sandbox.identity import KeyRing, make_certificates
from tests.sandbox.identity.identity_service import Service, hosting, make_client_certificate, new_session


@pytest.fixture(scope="session")
def identity_host(tmp_path_factory):
    with hosting(make_certificates(tmp_path_factory.mktemp("certificates"))) as host:
        yield host


@pytest.fixture(scope="session")
def identity_keys():
    """Keys take long to make, so tests that do not roll them share these."""
    return KeyRing()


@pytest.fixture(scope="session")
def client_certificate():
    return make_client_certificate()


@pytest.fixture(scope="session")
def stranger():
    """The private key (PEM) of somebody whom nobody knows."""
    return make_client_certificate()[0]


@pytest.fixture
def service(identity_host, identity_keys):
    with new_session(identity_host.ca_file) as session:
        yield Service(identity_host, session, identity_keys)
