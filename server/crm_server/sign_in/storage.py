"""Where a person's sign-in is kept: the system's protected store, or a file that only its owner reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crm_server.folders import state_folder
from crm_server.log import get_logger

_log = get_logger(__name__)
_OWNER_ONLY = 0o600


def token_file(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The file of this user's tokens, or the sign of them where the system's store holds them."""
    return state_folder(environ, platform) / "tokens.bin"


def token_cache(path: Path) -> Any:
    """msal's cache of tokens, kept there."""
    from msal_extensions import PersistedTokenCache

    return PersistedTokenCache(_persistence(path))


def forget(path: Path) -> bool:
    """Remove the tokens; whether there were any."""
    found = path.exists()
    if found:
        _persistence(path).save("{}")
        path.unlink(missing_ok=True)
    return found


def _persistence(path: Path) -> Any:
    """The store. Says in the log when the system offers no protected one."""
    from msal_extensions import FilePersistence, build_encrypted_persistence

    try:
        return build_encrypted_persistence(str(path))
    except Exception as error:  # noqa: BLE001 - each system's store fails in a way of its own
        _log.warning(
            "tokens_kept_in_a_file",
            reason=type(error).__name__,
            advice="only its owner can read it; install libsecret and PyGObject to keep it encrypted",
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_mode & 0o077:
        path.chmod(_OWNER_ONLY)
    return FilePersistence(str(path))
