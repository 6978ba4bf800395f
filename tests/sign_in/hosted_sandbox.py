"""A sandbox with sign-in as a process of its own, and the server's sign-in at it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from crm_server.settings import Settings
from crm_server.sign_in import auth_for
from tests.interaction.connecting import environment

API = "/api/data/v9.2"


@contextmanager
def sandbox_process(folder: Path) -> Iterator[Mapping[str, str]]:
    """The settings that a sandbox with sign-in prints. Its certificates are in the folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_server", "sandbox", "--port", "0", "--tls", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    try:
        lines = [process.stderr.readline() for _ in range(3)]
        yield dict(word.split("=", 1) for word in lines[2].split() if "=" in word)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def settings(sandbox: Mapping[str, str], **changed: str | None) -> Settings:
    """The printed settings, some of them changed."""
    given = {
        name.removeprefix("DYNAMICS_").lower(): value
        for name, value in sandbox.items()
        if name.startswith("DYNAMICS_")
    }
    return Settings(**{**given, **changed})  # type: ignore[arg-type]


async def ask(chosen: Settings, path: str = "WhoAmI", auth: httpx.Auth | None = None) -> httpx.Response:
    """What the organisation answers to whoever the settings sign in; ``auth`` goes on with a sign-in."""
    async with httpx.AsyncClient(auth=auth or auth_for(chosen)(), base_url=f"{chosen.url}{API}/") as client:
        return await client.get(path)


async def name_of(chosen: Settings, auth: httpx.Auth | None = None) -> str:
    """The name of the user as whom the settings sign in."""
    me = await ask(chosen, auth=auth)
    assert me.status_code == 200, me.text
    row = await ask(chosen, f"systemusers({me.json()['UserId']})?$select=fullname", auth)
    name: str = row.json()["fullname"]
    return name
