"""Ending a connection in the middle of a request."""

from __future__ import annotations

from crm_sandbox.trouble.asgi import Receive, Scope

EXTENSION = "crm_sandbox.hang_up"
"""The ASGI extension of a server that can close a connection: a function without arguments."""


class ConnectionDropped(ConnectionError):  # noqa: N818 - what happened, named as the built-in errors of its kind are
    """The connection ends here, and the server offers no way to end it for real.

    An in-process transport lets it reach the caller, who takes it for the broken connection it stands for.
    """


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection of a request. What has been sent goes out before; nothing more does.

    Raises:
        ConnectionDropped: The server does not offer :data:`EXTENSION`.
    """
    close = (scope.get("extensions") or {}).get(EXTENSION)
    if close is None:
        raise ConnectionDropped("The connection was dropped by a fault of the sandbox.")
    close()
    # A server that has not yet noticed that the connection is gone takes a missing answer for an error.
    while (await receive())["type"] != "http.disconnect":
        pass
