"""The sandbox as a server of its own: data, trouble, sign-in and sockets, put together by options."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_sandbox import DEFAULT_ACCOUNTS, DEFAULT_SEED

if TYPE_CHECKING:
    from crm_sandbox.app import SandboxApp
    from crm_sandbox.identity import Certificates
    from crm_sandbox.signing_in import SignedIn
    from crm_sandbox.trouble import Hooks, Trouble


@dataclass(frozen=True, slots=True)
class Options:
    """How a sandbox is to be served.

    ``tls`` is the folder of its certificates: given, it serves HTTPS and asks for tokens. ``limits`` are
    requests, seconds of execution and concurrent requests of service protection; None leaves one at what the
    service documents, and no limit is counted unless one is given.
    """

    port: int = 8322
    tls: Path | None = None
    seed: int = DEFAULT_SEED
    accounts: int = DEFAULT_ACCOUNTS
    path: Path | None = None
    tables: tuple[Path, ...] = ()
    latency_ms: float = 0
    faults: Path | None = None
    limit_requests: int | None = None
    limit_seconds: float | None = None
    limit_concurrent: int | None = None
    control: bool = False
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """What a client needs to know of a sandbox that listens.

    ``environment`` are the settings that point the server at it; ``ca_file`` is the authority that its
    certificate is from.
    """

    address: str
    environment: dict[str, str]
    ca_file: Path | None = None


async def serve(options: Options, on_ready: Callable[[Ready], None]) -> None:
    """Serve the Web API on this machine until SIGINT or SIGTERM. Port 0 takes a free one.

    Raises:
        OSError: The port cannot be listened on, or a file cannot be read.
        TableFileError, StoreFileError, FaultScriptError: A file says what it cannot.
    """
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        # Accepted sockets inherit it. asyncio sets it only on sockets that name their protocol, and without
        # it every answer waits 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        hosted = Hosted(options, port)
        try:
            await _listen(hosted, listener, on_ready)
        finally:
            hosted.close()


class Hosted:
    """The application that options describe, with what has to be closed after it."""

    def __init__(self, options: Options, port: int) -> None:
        from crm_sandbox.app import SandboxApp
        from crm_sandbox.opening import fill_store, open_store
        from crm_sandbox.snapshots import Snapshots

        self.certificates: Certificates | None = None
        self._store = open_store(
            seed=options.seed, now=None, accounts=options.accounts, path=options.path, tables=options.tables
        )
        self._snapshots = Snapshots(
            self._store, options.path, lambda store: fill_store(store, options.seed, options.accounts)
        )
        if options.reset:
            self._snapshots.reset()
        self.ready = Ready(f"http://127.0.0.1:{port}", {"DYNAMICS_AUTH": "none"})
        self._signed_in: SignedIn | None = None
        app: Any = SandboxApp(self._store)
        if options.tls is not None:
            app = self._signed_in = self._sign_in(options.tls, port)
        self.app: SandboxApp | Trouble = _troubled(app, options, self._hooks)

    def close(self) -> None:
        """Let go of the data."""
        self._snapshots.close()
        self._store.close()

    def _hooks(self) -> Hooks:
        """What the control endpoint does to the data."""
        from crm_sandbox.trouble import Hooks

        return Hooks(reset=self._reset, snapshot=self._snapshots.take, restore=self._restore)

    def _reset(self) -> None:
        self._snapshots.reset()
        self._admit_applications()

    def _restore(self, name: str) -> None:
        self._snapshots.restore(name)
        self._admit_applications()

    def _admit_applications(self) -> None:
        """Rows that were brought back need not know the applications that sign in here."""
        if self._signed_in is not None:
            self._signed_in.add_application_users()

    def _sign_in(self, folder: Path, port: int) -> SignedIn:
        from crm_sandbox.signing_in import SignedIn

        signed_in = SignedIn(self._store, f"https://localhost:{port}", folder)
        self.certificates = signed_in.certificates
        self.ready = Ready(signed_in.root, signed_in.environment, signed_in.certificates.ca_file)
        return signed_in


def _troubled(app: Any, options: Options, make_hooks: Callable[[], Hooks]) -> Any:
    """The application with the trouble that is asked for; as it is where none is."""
    limits = (options.limit_requests, options.limit_seconds, options.limit_concurrent)
    asked = (options.latency_ms, options.faults, options.control, *limits)
    if not any(value not in (None, 0, False) for value in asked):
        return app
    from crm_sandbox.trouble import FaultScript, Limits, Trouble

    given = dict(zip(("requests", "execution_seconds", "concurrent"), limits, strict=True))
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return Trouble(
        app,
        limits=Limits(**chosen) if chosen else None,
        faults=FaultScript.load(options.faults) if options.faults else None,
        latency_ms=options.latency_ms,
        seed=options.seed,
        caller_of=getattr(app, "caller_of", lambda scope: "everybody"),
        control=make_hooks() if options.control else None,
    )


async def _listen(hosted: Hosted, listener: socket.socket, on_ready: Callable[[Ready], None]) -> None:
    import uvicorn

    from crm_sandbox.trouble.serving import HangUpProtocol

    certificates = hosted.certificates
    config = uvicorn.Config(
        hosted.app,
        http=HangUpProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=1,
        ssl_certfile=None if certificates is None else certificates.certificate_file,
        ssl_keyfile=None if certificates is None else certificates.key_file,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready(hosted.ready)

    await Server(config).serve(sockets=[listener])
