"""Sessions of the handshake era: so many of a caller, and an end for all of them.

The SDK's manager binds each to its caller and ends it when nobody uses it. It bounds them in all alone, so
one caller could take the sessions of the others; and it offers no public way to either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, authorization_context

from crm_server.authorization.resource import refuse
from crm_server.log import get_logger
from crm_server.web.messages import ASKED_KEY, Asked

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import ASGIApp, Receive, Scope, Send

MOST_OF_CALLER = 100
_log = get_logger("http")


class Sessions:
    """Answers the protocol's requests."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager
        self._app: ASGIApp = manager.handle_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        asked: Asked = scope.get(ASKED_KEY, Asked())
        if asked.method == "initialize" and self._open_of(scope) >= MOST_OF_CALLER:
            _log.warning("session_refused")
            message = f"You have {MOST_OF_CALLER} sessions open already. End one of them."
            await refuse(send, 429, "too_many_sessions", message)
            return
        # Events are not kept, so a stream that is taken up again begins anew. Asked for them, the SDK would
        # give no answer at all.
        headers = [item for item in scope["headers"] if item[0] != b"last-event-id"]
        await self._app({**scope, "headers": headers}, receive, send)

    def _open_of(self, scope: Scope) -> int:
        user = scope.get("user")
        if not isinstance(user, AuthenticatedUser):
            return 0
        return list(self._manager._session_owners.values()).count(authorization_context(user))


async def terminate_sessions(manager: StreamableHTTPSessionManager) -> None:
    """End all sessions, and with them the calls that are still under way.

    Left to the manager's own exit, each such call waits a second to write to a stream that nobody reads,
    which is more than the time there is.
    """
    for transport in list(manager._server_instances.values()):
        await transport.terminate()
