"""An embedded Dataverse: the Web API v9.2 on SQLite, with the data of a believable company.

Its truth is the behaviour that Microsoft documents. What it does not know it refuses with 501 and a text that
names the feature; it never guesses.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_sandbox.app import SandboxApp

DEFAULT_SEED = 2026


def create_app(*, seed: int = DEFAULT_SEED, now: Callable[[], datetime] | None = None) -> SandboxApp:
    """An ASGI application with the sample company's data; the same seed gives the same data.

    ``now`` is the clock of writes; the sample data does not depend on it.
    """
    from crm_sandbox.app import SandboxApp
    from crm_sandbox.company import fill
    from crm_sandbox.store import Store

    store = Store() if now is None else Store(now)
    fill(store, seed)
    return SandboxApp(store)


async def serve(port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the Web API on this machine until SIGINT or SIGTERM. Port 0 takes a free one.

    ``on_ready`` gets the address of the API once it answers.

    Raises:
        OSError: The port cannot be listened on.
    """
    import socket

    import uvicorn

    app = create_app()
    with socket.create_server(("127.0.0.1", port)) as listener:
        # Accepted sockets inherit it. asyncio sets it only on sockets that name their protocol, and without
        # it every answer waits 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/api/data/v9.2"
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1
        )

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                on_ready(address)

        try:
            await Server(config).serve(sockets=[listener])
        finally:
            app.close()
