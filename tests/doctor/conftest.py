"""A sandbox process with sign-in, as the tests of the sign-in have it, and the tests' own clean settings."""

from __future__ import annotations

import os

import pytest

from tests.authorization.conftest import oidc_modules
from tests.sign_in.conftest import sandbox, sandbox_folder, tenant, tenant_host, tenant_keys, trusted
from tests.state.conftest import postgresql

__all__ = [
    "oidc_modules",
    "postgresql",
    "sandbox",
    "sandbox_folder",
    "tenant",
    "tenant_host",
    "tenant_keys",
    "trusted",
]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of this machine's settings."""
    for name in os.environ:
        if name.startswith("DYNAMICS_"):
            monkeypatch.delenv(name)
