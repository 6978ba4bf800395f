"""The two databases that a state can be kept in: a file of SQLite, and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_sandbox import create_app
from crm_server.state import State, open_state
from tests.state.postgresql import PostgreSQL, running_postgresql

KINDS = ("sqlite", "postgresql")


class Clock:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, time: timedelta) -> None:
        self.now += time


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL that runs for this run of tests."""
    with running_postgresql() as server:
        yield server


@pytest.fixture
def server(postgresql: PostgreSQL) -> Iterator[PostgreSQL]:
    """The same, and a test may stop it."""
    yield postgresql
    if not postgresql.is_running():
        postgresql.start()


@pytest.fixture
def sandbox() -> Iterator[Any]:
    """A CRM."""
    app = create_app(accounts=5)
    yield app
    app.close()


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'own' / 'state.db'}"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.database()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_(url: str, tmp_path: Path, clock: Clock) -> Iterator[Callable[..., State]]:
    """Opens the state as one more process would; all are closed at the end."""
    opened: list[State] = []

    def open_one(key: Path | None = None) -> State:
        state = open_state(url, tmp_path, key or tmp_path / "own" / "state.key", clock)
        opened.append(state)
        return state

    yield open_one
    for state in opened:
        state.close()
