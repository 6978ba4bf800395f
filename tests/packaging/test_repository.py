"""The repository says the same thing everywhere and holds no download addresses."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from crm_server import __version__

ROOT = Path(__file__).parent.parent.parent


def test_the_version_has_one_value() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_no_lock_file_is_tracked() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - whichever git is on PATH will do
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert tracked
    assert not [name for name in tracked if re.search(r"(uv\.lock|package-lock\.json|pylock\.toml)$", name)]


def test_readme_and_ci_use_the_same_test_command() -> None:
    command = "python3 -m pip install uv && uv run pytest"
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert command in readme
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_no_source_file_is_longer_than_four_hundred_lines() -> None:
    sources = [
        path for part in ("server", "tools", "sandbox", "prompts") for path in (ROOT / part).rglob("*.py")
    ]
    assert sources
    long = {path.name: lines for path in sources if (lines := len(path.read_text().splitlines())) > 400}
    assert not long
