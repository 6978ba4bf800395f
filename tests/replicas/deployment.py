"""Three servers behind nginx, on one PostgreSQL and one CRM: each a process of its own."""

from __future__ import annotations

import hashlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.interaction.connecting import environment
from tests.state.postgresql import running_postgresql

CONFIGURATION = Path(__file__).with_name("nginx.conf")
STARTS_WITHIN, ENDS_WITHIN = 40.0, 40.0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def token_of(caller: str) -> str:
    """The token of a caller of the lab."""
    return f"token-of-{caller}-for-a-lab"


@dataclass
class Replica:
    """One server. What it keeps for itself is in ``folder``, which it shares with nobody."""

    port: int
    folder: Path
    environ: Mapping[str, str]
    process: subprocess.Popen[str] | None = None
    log: str = ""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it; it answers when this returns."""
        serve = ("serve", "--transport", "http", "--port", str(self.port))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "crm_server", *serve],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(self.environ),
        )
        ready = threading.Event()
        threading.Thread(target=self._follow, args=(self.process, ready), daemon=True).start()
        if not ready.wait(STARTS_WITHIN) or self.process.poll() is not None:
            pytest.fail(f"a replica did not start: {self.log[-2000:]}")

    def _follow(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.log += line
                if line.startswith("Ready at "):
                    ready.set()
        ready.set()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and wait for it."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(ENDS_WITHIN)


@dataclass
class Deployment:
    """What runs: ``address`` is that of nginx, ``crm`` that of the CRM's Web API."""

    address: str
    crm: str
    database: str
    replicas: Sequence[Replica]
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the command line, on the state that all share."""
        return subprocess.run(
            [sys.executable, "-m", "crm_server", *arguments],
            env=dict(self.settings),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@contextmanager
def deployed(callers: Sequence[str], policy: str) -> Iterator[Deployment]:
    """A deployment with these callers, under the policy in this text."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="replicas-")))
        # nginx may work as another user than the one who starts it.
        folder.chmod(0o755)
        database = stack.enter_context(running_postgresql()).database()
        crm = stack.enter_context(_crm())
        (folder / "policy.toml").write_text(policy, encoding="utf-8")
        (folder / "callers.toml").write_text("".join(map(_entry, callers)), encoding="utf-8")
        port = free_port()
        settings = {
            **environment(),
            "DYNAMICS_URL": crm.partition("/api/")[0],
            "DYNAMICS_AUTH": "none",
            "DYNAMICS_POLICY": str(folder / "policy.toml"),
            "DYNAMICS_STATE": database,
            "DYNAMICS_STATE_KEY": str(folder / "state.key"),
            "DYNAMICS_CALLERS_FILE": str(folder / "callers.toml"),
            "DYNAMICS_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "DYNAMICS_SESSIONS": "stateless",
        }
        replicas = [_replica(folder / f"replica-{number}", settings) for number in (1, 2, 3)]
        for replica in replicas:
            stack.callback(_end_if_it_runs, replica)
        with ThreadPoolExecutor() as together:
            list(together.map(Replica.start, replicas))
        stack.enter_context(_nginx(folder, port, replicas))
        yield Deployment(f"http://127.0.0.1:{port}/mcp", crm, database, replicas, folder, settings)


def _entry(caller: str) -> str:
    digest = hashlib.sha256(token_of(caller).encode()).hexdigest()
    return f'[{caller}]\nsha256 = "{digest}"\nscopes = ["crm.read", "crm.write"]\n'


def _replica(folder: Path, settings: Mapping[str, str]) -> Replica:
    folder.mkdir()
    return Replica(free_port(), folder, {**settings, "XDG_STATE_HOME": str(folder), "HOME": str(folder)})


def _end_if_it_runs(replica: Replica) -> None:
    if replica.process is not None and replica.process.poll() is None:
        replica.kill()


@contextmanager
def _crm() -> Iterator[str]:
    """The embedded CRM as a process; the address of its Web API."""
    command = [sys.executable, "-m", "crm_server", "sandbox", "--port", "0", "--rows", "5"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    assert process.stderr is not None
    try:
        yield process.stderr.readline().removeprefix("Ready at ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=ENDS_WITHIN)


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
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(5)


def _program() -> str:
    # Debian keeps it where only administrators look.
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    return found or pytest.fail("These tests need nginx: apt-get install nginx")


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
