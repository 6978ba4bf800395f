"""A real PostgreSQL, started for tests and stopped after them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.ports import free_port

WITH_PASSWORD = "with_password"
"""A user, if a test makes one of this name, whose password the server asks for; it trusts all others."""


@dataclass(frozen=True)
class PostgreSQL:
    """One server, at ``address`` without the database."""

    folder: Path
    programs: Path
    port: int

    @property
    def address(self) -> str:
        return f"postgresql://crm@127.0.0.1:{self.port}"

    def start(self) -> None:
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off "
            "-c max_connections=50"
        )
        self._run("pg_ctl", "-D", "data", "-w", "-o", options, "-l", "log", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "stop")

    def is_running(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"t{uuid4().hex}"
        with psycopg.connect(f"{self.address}/postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"{self.address}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            (str(self.programs / program), *arguments),
            check=True,
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=60,
            **_as_user(),
        )

    def make(self) -> None:
        """Make what it keeps its data in."""
        if user := _as_user():
            os.chown(self.folder, int(user["user"]), int(user["group"]))
        self._run("initdb", "-D", "data", "-U", "crm", "-A", "trust", "--no-sync", "-E", "UTF8")
        rules = self.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all {WITH_PASSWORD} all scram-sha-256\n{rules.read_text()}")


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """A server that runs inside."""
    # pytest's own folders are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    server = PostgreSQL(folder, _programs(), free_port())
    server.make()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _programs() -> Path:
    """The folder of PostgreSQL's programs."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.fail("These tests need PostgreSQL's own programs: apt-get install postgresql")
    return folders[-1]


def _as_user() -> dict[str, int]:
    """PostgreSQL refuses to run as root; Debian's package has a user for it."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid}
