"""Where this user's files are kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The folder for what outlives the process, in each system's own place.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    if platform == "win32":
        folder = Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    else:
        folder = Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return folder / "dynamics-crm-mcp"
