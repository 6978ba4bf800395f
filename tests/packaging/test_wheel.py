"""The built wheel works without the sources beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT")
        and not name.startswith("DYNAMICS_")
    }
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        check=check,
        timeout=300,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run("uv", "build", "--wheel", "--out-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_four_packages_with_their_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "crm_server",
        "crm_tools",
        "crm_prompts",
        "crm_sandbox",
    }
    assert "crm_tools/dynamics365.openapi.yaml" in names
    assert "crm_server/policy/presets/sales-assistant.toml" in names
    assert any(name.startswith("crm_prompts/") and name.endswith(".md") for name in names)
    assert all(f"{package}/py.typed" in names for package in ("crm_server", "crm_tools"))


def test_the_installed_wheel_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(pins))
    environment = tmp_path / "environment"
    run("uv", "venv", "--python", sys.executable, environment, cwd=tmp_path)
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
    run("uv", "pip", "install", "--python", scripts / "python", "-c", constraints, wheel, cwd=tmp_path)
    finished = run(scripts / "dynamics-crm-mcp", "demo", "--json", cwd=tmp_path)
    events = [json.loads(line) for line in finished.stdout.splitlines()]
    assert events[-1]["event"] == "end"
    assert events[-1]["ok"] is True
    assert [event["number"] for event in events if event["event"] == "job"] == [1, 2, 3, 4]
    refused = [event for event in events if event["event"] == "answer" and event["is_error"]]
    assert len(refused) == 1
    assert refused[0]["content"]["error"]["code"] == "not_approved"
    assert [event["answered"] for event in events if event["event"] == "asked"] == ["accept"]
