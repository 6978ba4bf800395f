"""Packages of npm that tests use, each with the Node that it wants: systems have older ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

NODE = "node@22"


def installed(folder: Path, *packages: str) -> Path:
    """Install packages of these versions into a folder; the folder of their programs."""
    npm = shutil.which("npm")
    assert npm is not None, "Debian's package npm is needed"
    options = ("--silent", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", str(folder))
    subprocess.run([npm, "install", *options, NODE, *packages], check=True, timeout=300)
    return folder / "node_modules" / ".bin"


def environment_with(programs: Path) -> Mapping[str, str]:
    """An environment in which these programs, and their Node, come first."""
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
