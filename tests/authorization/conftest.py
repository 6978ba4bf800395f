"""A real issuer, from npm."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.node_packages import installed


@pytest.fixture(scope="session")
def oidc_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with oidc-provider, and the issuer that is made of it."""
    folder = tmp_path_factory.mktemp("oidc")
    installed(folder, "oidc-provider@9.13.3")
    shutil.copy(Path(__file__).with_name("oidc_provider.mjs"), folder)
    return folder
