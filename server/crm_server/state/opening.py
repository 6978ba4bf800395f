"""Where the state is: in a database that settings name, in a file of this user, or in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from crm_server.state.keys import Keys
from crm_server.state.pruning import Retention
from crm_server.state.state import State
from crm_server.state.store import IN_MEMORY, Store


def open_state(
    url: str | None,
    folder: Path,
    key: Path | None,
    now: Callable[[], datetime],
    retention: Retention | None = None,
) -> State:
    """The state at a database address; without one in a file of this user. Nothing is opened yet."""
    if url == IN_MEMORY:
        return open_memory(now)
    if url is None:
        url = f"sqlite:///{folder / 'state.db'}"
    beside = Path(url.removeprefix("sqlite:///")).with_suffix(".key") if url.startswith("sqlite") else None
    return State(Store(url), Keys(key or beside or folder / "state.key"), now, retention)


def open_memory(now: Callable[[], datetime]) -> State:
    """A state that ends with the process."""
    return State(Store(IN_MEMORY), Keys(), now)
