"""What the Dockerfile starts, started here: the same command and the same question whether it lives."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interaction.connecting import environment
from tests.web.team import token_of

DOCKERFILE = (Path(__file__).parent.parent.parent / "Dockerfile").read_text()


def listed(instruction: str) -> list[str]:
    """The words of an instruction in its exec form."""
    found = re.search(rf"^(?:\s*){instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    words: list[str] = json.loads(found[1])
    return words


def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of the process: this interpreter's programs, and a team of one."""
    callers = tmp_path / "callers.toml"
    callers.write_text(f'[ann]\nsha256 = "{hashlib.sha256(token_of("ann").encode()).hexdigest()}"\n')
    return {
        **environment(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "DYNAMICS_URL": "http://127.0.0.1:9",
        "DYNAMICS_AUTH": "none",
        "DYNAMICS_CALLERS_FILE": str(callers),
        "DYNAMICS_PUBLIC_URL": "https://crm-mcp.contoso.example",
    }


@contextmanager
def started(environ: dict[str, str], *others: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The image's process with other arguments at its end, which win; and its port."""
    command = [*listed("ENTRYPOINT"), *listed('CMD(?! \\["python)'), *others]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        ready = next(line for line in process.stderr if line.startswith("Ready at "))
        yield process, ready.rpartition(":")[2].partition("/")[0]
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_it_serves_answers_the_health_check_and_ends_in_peace(tmp_path: Path) -> None:
    # The image listens everywhere at its own port, which a test must not.
    with started(environ(tmp_path), "--host", "127.0.0.1", "--port", "0") as (process, port):
        check = [word.replace("8321", port) for word in listed('CMD(?= \\["python)')]
        asked = subprocess.run(check, env=environ(tmp_path), capture_output=True, text=True, check=False)
        assert asked.returncode == 0, asked.stderr
        assert process.stderr is not None
        public = "https://crm-mcp.contoso.example"
        told = f"Clients call {public}/mcp; changes are approved at {public}/approvals\n"
        assert process.stderr.readline() == told
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    gone = subprocess.run(check, env=environ(tmp_path), capture_output=True, text=True, check=False)
    assert gone.returncode != 0


def test_without_callers_it_refuses_to_listen_to_other_machines(tmp_path: Path) -> None:
    alone = {name: value for name, value in environ(tmp_path).items() if name != "DYNAMICS_CALLERS_FILE"}
    command = [*listed("ENTRYPOINT"), *listed('CMD(?! \\["python)')]
    refused = subprocess.run(command, env=alone, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert "DYNAMICS_CALLERS_ISSUER" in refused.stderr
