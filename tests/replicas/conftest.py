"""What all deployments share: a PostgreSQL, a database of it for each, and one CRM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mcp import ClientSession

from tests.replicas.deployment import running_crm
from tests.state.postgresql import PostgreSQL, running_postgresql


@pytest.fixture(autouse=True)
def trusting_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether answers are of their tools' shape is for other tests.

    Each of hundreds of clients would list the tools and make a validator of each schema.
    """

    async def trust(*_args: Any) -> None:
        """Any answer will do."""

    monkeypatch.setattr(ClientSession, "validate_tool_result", trust)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL that runs for this run of tests."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the Web API of the CRM."""
    with running_crm(tmp_path_factory.mktemp("crm")) as address:
        yield address
