"""The part of a uvicorn server that can drop connections.

uvicorn answers 500 for an application that ends without an answer, so the application has to reach the
connection itself: ``uvicorn.Config(app, http=HangUpProtocol)``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from crm_sandbox.trouble.asgi import App, Receive, Scope, Send
from crm_sandbox.trouble.hanging_up import EXTENSION


class HangUpProtocol(H11Protocol):
    """HTTP/1.1 that offers the application :data:`~crm_sandbox.trouble.hanging_up.EXTENSION`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.app = self._offering(self.app)

    def _offering(self, app: App) -> App:
        async def with_extension(scope: Scope, receive: Receive, send: Send) -> None:
            extensions = {**(scope.get("extensions") or {}), EXTENSION: self._hang_up}
            await app({**scope, "extensions": extensions}, receive, send)

        return with_extension

    def _hang_up(self) -> None:
        # Not abort(): it would throw away the half of an answer that is still in the buffer.
        self.transport.close()
