"""How much work a query may make.

Joins and lambdas multiply rows without end, and conditions can be nested as deep as an address is long. The
service answers such queries with errors after some time; here what counts is steps, so that the same query
always has the same answer.
https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from crm_sandbox.errors import UNKNOWN_NAME, ODataError

MOST_STEPS = 50_000_000
"""How many steps of SQLite's machine a query may take: some seconds.

A row that is looked at takes 6 to 27, with a sort or a join, so that a million rows stay well within.
"""
SQL_TIMEOUT = "0x80044151"
_LOOKS = 100
"""How often the steps are counted, at most."""
_TOO_COMPLEX = ("parser stack overflow", "Expression tree is too large", "too many ", "at most ")
"""How SQLite begins to say that a statement is larger or deeper than it can take."""


@contextmanager
def bounded(connection: sqlite3.Connection) -> Iterator[None]:
    """Give up what a query does inside when it takes too many steps or is too complex for a statement.

    Raises:
        ODataError: 400 0x80044151, it takes too many steps; 400, it is too complex.
    """
    left = iter(range(_LOOKS))
    connection.set_progress_handler(lambda: next(left, None) is None, max(MOST_STEPS // _LOOKS, 1))
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise ODataError(400, SQL_TIMEOUT, "SQL timeout expired.") from None
        if str(error).startswith(_TOO_COMPLEX):
            raise ODataError(400, UNKNOWN_NAME, "The query is too complex.") from None
        raise
    finally:
        connection.set_progress_handler(None, 0)
