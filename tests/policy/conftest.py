"""The tables that the policy tests speak of, and policies read from text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from crm_server.policy.load import load_policy
from crm_server.policy.model import Policy
from crm_tools.description import load
from crm_tools.tables import Table

Read = Callable[[str], Policy]


@pytest.fixture(scope="session")
def tables() -> Mapping[str, Table]:
    return load().tables


@pytest.fixture
def read(tmp_path: Path, tables: Mapping[str, Table]) -> Read:
    """Loads a policy from a file named mine.toml with the given text."""

    def load(text: str) -> Policy:
        file = tmp_path / "mine.toml"
        file.write_text(text, encoding="utf-8")
        return load_policy(str(file), tables)

    return load
