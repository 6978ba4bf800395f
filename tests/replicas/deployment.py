"""Three servers behind nginx, on one PostgreSQL and one CRM: each a process of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.interaction.connecting import environment
from tests.ports import free_port
from tests.processes import PROCESSES
from tests.replicas import server_process
from tests.state.postgresql import PostgreSQL

CONFIGURATION = Path(__file__).with_name("nginx.conf")
STARTS_WITHIN, ENDS_WITHIN = 60.0, 60.0
SLOW_WRITES = "".join(
    f'[[faults]]\nwhat = "slow"\nmethod = "{method}"\npath = "/api/data/v9.2/leads*"\nseconds = 0.2\n'
    for method in ("POST", "PATCH", "DELETE")
)
"""The CRM has stored a write when it begins to wait: at each moment some are done and not yet answered."""
NO_PATIENCE = {"crm_server.state.store._LOCK_SECONDS": 1, "crm_server.state.store._STOPPED_SECONDS": 3}
"""For servers that are to give up soon: seconds that they wait for a lock, and may hold one in silence."""


def token_of(caller: str) -> str:
    """The token of a caller of the lab."""
    return f"token-of-{caller}-for-a-lab"


@dataclass
class Served:
    """A command that serves until it is ended."""

    arguments: Sequence[str]
    environ: Mapping[str, str]
    constants: Mapping[str, object] = field(default_factory=dict)
    """By ``module.NAME``, what has another value than usual."""
    address: str = ""
    log: list[str] = field(default_factory=list)
    process: BaseProcess | None = None
    _ready: threading.Event = field(default_factory=threading.Event)

    @property
    def pid(self) -> int:
        assert self.process is not None
        assert self.process.pid is not None
        return self.process.pid

    def begin(self) -> None:
        """Start it, without waiting for it."""
        self._ready = threading.Event()
        log, written = PROCESSES.Pipe(duplex=False)
        self.process = PROCESSES.Process(
            target=server_process.main,
            args=(self.arguments, self.environ, written, self.constants),
            daemon=True,
        )
        self.process.start()
        written.close()
        threading.Thread(target=self._follow, args=(os.dup(log.fileno()), self._ready), daemon=True).start()
        log.close()

    def until_ready(self) -> None:
        """Until it answers."""
        if not self._ready.wait(STARTS_WITHIN) or not self.address:
            pytest.fail(f"it did not start: {''.join(self.log[-20:])}")

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self.begin()
        self.until_ready()

    def _follow(self, written: int, ready: threading.Event) -> None:
        self.address = ""
        with open(written, encoding="utf-8") as lines:
            for line in lines:
                self.log.append(line)
                if line.startswith("Ready at "):
                    self.address = line.removeprefix("Ready at ").strip()
                    ready.set()
        ready.set()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and wait for it."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does; it goes on when it is thawed."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def hang_up(self) -> None:
        """Have it read its policy anew."""
        os.kill(self.pid, signal.SIGHUP)

    def ended(self) -> int | None:
        """Wait for it to end by itself; its exit code."""
        assert self.process is not None
        self.process.join(ENDS_WITHIN)
        return self.process.exitcode

    def _end(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)
        assert self.ended() is not None, "it did not end"

    def end_if_it_runs(self) -> None:
        """Whatever it does."""
        if self.process is not None and self.process.exitcode is None:
            self.kill()


@dataclass
class Replica(Served):
    """One server. ``name`` is what PostgreSQL calls it, ``port`` is where it listens."""

    name: str = ""
    port: int = 0

    @property
    def endpoint(self) -> str:
        """Where it is called without a proxy."""
        return f"http://127.0.0.1:{self.port}/mcp"


@dataclass
class Deployment:
    """What runs: ``address`` is that of nginx, ``crm`` that of the CRM's Web API."""

    address: str
    crm: str
    database: str
    replicas: Sequence[Replica]
    folder: Path
    settings: Mapping[str, str]
    mark: str = field(default_factory=lambda: f"m{uuid4().hex[:8]}")
    """The names of all that its clients create begin so: the CRM is not theirs alone."""

    @property
    def key(self) -> Path:
        """The key file."""
        return Path(self.settings["DYNAMICS_STATE_KEY"])

    def command(self, *arguments: str) -> None:
        """A command of the command line, on the state that all share."""
        command = Served(arguments, self.settings)
        command.begin()
        assert command.ended() == 0, "".join(command.log)

    def write_policy(self, text: str) -> None:
        """Replace the policy's file."""
        Path(self.settings["DYNAMICS_POLICY"]).write_text(text, encoding="utf-8")

    def errors(self) -> list[str]:
        """What nginx says went wrong, but for connections that were refused: those calls went elsewhere."""
        lines = (self.folder / "nginx.log").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if "[error]" in line and "(111: Connection refused)" not in line]

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection]:
        """A connection to the state's database that is in no transaction."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            yield connection


@contextmanager
def deployed(
    postgresql: PostgreSQL,
    crm: str,
    callers: Sequence[str],
    policy: str = 'extends = "full-access"\n',
    constants: Mapping[str, object] | None = None,
    **more: str,
) -> Iterator[Deployment]:
    """A deployment with these callers, under the policy in this text. ``more`` are settings."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="replicas-")))
        # nginx may work as another user than the one who starts it.
        folder.chmod(0o755)
        (folder / "callers.toml").write_text("".join(map(_entry, callers)), encoding="utf-8")
        port, database = free_port(), postgresql.database()
        settings = {
            **environment(),
            "DYNAMICS_URL": crm.partition("/api/")[0],
            "DYNAMICS_AUTH": "none",
            "DYNAMICS_POLICY": str(folder / "policy.toml"),
            "DYNAMICS_STATE": database,
            "DYNAMICS_STATE_KEY": str(folder / "state.key"),
            "DYNAMICS_CALLERS_FILE": str(folder / "callers.toml"),
            "DYNAMICS_PUBLIC_URL": f"http://127.0.0.1:{port}",
            # Nobody is turned away here: that is for other tests.
            "DYNAMICS_CALLS": "1000",
            "DYNAMICS_CALLS_OF_ONE": "1000",
            **more,
        }
        replicas = [_replica(folder, number, settings, constants or {}) for number in (1, 2, 3)]
        deployment = Deployment(f"http://127.0.0.1:{port}/mcp", crm, database, replicas, folder, settings)
        deployment.write_policy(policy)
        for replica in replicas:
            stack.callback(replica.end_if_it_runs)
            replica.begin()
        for replica in replicas:
            replica.until_ready()
        stack.enter_context(_nginx(folder, port, replicas))
        yield deployment


def _entry(caller: str) -> str:
    digest = hashlib.sha256(token_of(caller).encode()).hexdigest()
    return f'[{caller}]\nsha256 = "{digest}"\nscopes = ["crm.read", "crm.write"]\n'


def _replica(
    folder: Path, number: int, settings: Mapping[str, str], constants: Mapping[str, object]
) -> Replica:
    """A replica that keeps what it keeps for itself in a folder that it shares with nobody."""
    name, port = f"replica-{number}", free_port()
    own = folder / name
    own.mkdir()
    environ = {**settings, "XDG_STATE_HOME": str(own), "HOME": str(own), "PGAPPNAME": name}
    serve = ("serve", "--transport", "http", "--port", str(port))
    return Replica(serve, environ, constants, name=name, port=port)


@contextmanager
def running_crm(folder: Path) -> Iterator[str]:
    """The embedded CRM as a process; the address of its Web API."""
    faults = folder / "faults.toml"
    faults.write_text(SLOW_WRITES, encoding="utf-8")
    crm = Served(("sandbox", "--port", "0", "--rows", "5", "--faults", str(faults)), environment())
    crm.start()
    try:
        yield crm.address
    finally:
        crm.stop()


@contextmanager
def _nginx(folder: Path, port: int, replicas: Sequence[Replica]) -> Iterator[None]:
    upstreams = "\n".join(f"        server 127.0.0.1:{replica.port} max_fails=0;" for replica in replicas)
    text = CONFIGURATION.read_text(encoding="utf-8").replace("REPLICAS\n", f"{upstreams}\n", 1)
    text = text.replace("FOLDER", str(folder)).replace(":PORT", f":{port}")
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    command = [
        _program(),
        "-p",
        str(folder),
        "-e",
        str(folder / "nginx.log"),
        "-c",
        str(folder / "nginx.conf"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _answers(port):
            if process.poll() is not None:
                pytest.fail(f"nginx did not start: {(folder / 'nginx.log').read_text(encoding='utf-8')}")
        yield
    finally:
        process.terminate()
        process.wait(ENDS_WITHIN)


def _program() -> str:
    # Debian keeps it where only administrators look.
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    return found or pytest.fail("These tests need nginx: apt-get install nginx")


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
