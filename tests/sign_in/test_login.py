"""``login`` signs in and says as whom; ``logout`` forgets it."""

from __future__ import annotations

import os
import subprocess
import sys

import anyio
import pytest

from crm_sandbox.hosting import Options, serve
from crm_server.login import login
from crm_server.settings import Settings, SettingsError

pytestmark = pytest.mark.anyio


async def test_login_says_to_which_organisation_and_as_whom():
    found = []

    def ready(what):
        found.append(what.address)
        listening.set()

    listening = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, Options(port=0, accounts=10), ready)
        await listening.wait()
        said = await login(Settings(url=found[0], auth="none"))
        tasks.cancel_scope.cancel()
    assert said == f"Signed in to Contoso Sales (sandbox) at {found[0]} as Alex Baker."


async def test_login_without_an_environment_says_what_to_set():
    with pytest.raises(SettingsError, match="DYNAMICS_URL"):
        await login(Settings())


def test_logout_says_whether_somebody_was_signed_in(tmp_path):
    state = tmp_path / "dynamics-crm-mcp" / "tokens.bin"
    state.parent.mkdir()
    state.write_text("{}")
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-m", "crm_server", "logout"],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        ).stderr.splitlines()[-1]
        for _ in range(2)
    ]
    assert said == ["Signed out.", "Nobody was signed in."]
    assert not state.exists()
