"""The TypeScript SDK's clients, of both generations, work with a server for a team."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_server.authorization.lab import new_token
from tests.authorization.serving import served
from tests.node_packages import environment_with, installed

PACKAGES = ("@modelcontextprotocol/client@2.4.0", "@modelcontextprotocol/sdk@1.32.2")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's program, beside the packages that it uses."""
    folder = tmp_path_factory.mktemp("typescript")
    installed(folder, *PACKAGES)
    return Path(shutil.copy(Path(__file__).with_name("typescript_client.mjs"), folder))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a server for a team, and a caller's token."""
    folder = tmp_path_factory.mktemp("team")
    token, lines = new_token("ann")
    (folder / "callers.toml").write_text(lines.replace('["crm.read"]', '["crm.read", "crm.write"]'))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "callers_file": str(folder / "callers.toml"),
        "public_url": f"http://127.0.0.1:{port}",
        "sessions": "stateful",
    }
    with served(folder, "--port", str(port), **settings) as team:
        yield f"{team.url}/mcp", token


@pytest.mark.parametrize("generation", ["new", "old"])
def test_a_client_lists_calls_and_asks_its_human(
    generation: str, script: Path, server: tuple[str, str]
) -> None:
    programs = script.parent / "node_modules" / ".bin"
    done = subprocess.run(
        [programs / "node", script, generation, *server],
        env=environment_with(programs),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)
    assert saw["tools"] == 32
    assert saw["caller"] == "ann"
    assert saw["deleted"] is True
    assert len(saw["questions"]) == 1
    assert saw["questions"][0].startswith("Delete the lead Lund for good")
    assert saw["error"] == "not_found"
