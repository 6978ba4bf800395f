"""An embedded Dataverse: the Web API v9.2 on SQLite, with the data of a believable company.

Its truth is the behaviour that Microsoft documents. What it does not know it refuses with 501 and a text that
names the feature; it never guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_sandbox.app import SandboxApp

DEFAULT_SEED = 2026
DEFAULT_ACCOUNTS = 200


def create_app(
    *,
    seed: int = DEFAULT_SEED,
    now: Callable[[], datetime] | None = None,
    accounts: int = DEFAULT_ACCOUNTS,
    path: Path | None = None,
    tables: Iterable[Path] = (),
) -> SandboxApp:
    """An ASGI application with the sample company's data; the same seed gives the same data.

    ``now`` is the clock of writes; the sample data does not depend on it. ``accounts`` is the size of the
    company. ``path`` keeps the rows in a SQLite file: one that exists is used as it is. ``tables`` are table
    files of the organisation's own tables.

    Raises:
        TableFileError: A table file cannot be used.
        StoreFileError: The file is none of the sandbox's, or its tables are others.
    """
    from crm_sandbox.app import SandboxApp
    from crm_sandbox.opening import open_store

    return SandboxApp(open_store(seed=seed, now=now, accounts=accounts, path=path, tables=tables))
