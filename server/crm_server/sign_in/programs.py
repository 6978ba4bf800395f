"""Tokens that another program on this machine gets: the Azure CLI, or whatever the settings name."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crm_server.settings import Settings
from crm_server.sign_in.tokens import CachedTokens
from crm_tools.errors import SignInError

TIMEOUT_SECONDS = 60
UNKNOWN_LIFETIME = 600.0
"""How long a token is kept whose end is not told."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,65536}")


def azure_cli(settings: Settings) -> CachedTokens:
    """The account that is signed in to the Azure CLI.

    https://learn.microsoft.com/cli/azure/account#az-account-get-access-token
    """

    def acquire(_force: bool, _claims: str | None) -> Mapping[str, Any]:
        program = shutil.which("az")
        if program is None:
            raise SignInError(
                "The Azure CLI is not installed, or not on PATH. Install it and run `az login`."
            )
        command = [
            program,
            "account",
            "get-access-token",
            "--resource",
            str(settings.url),
            "--output",
            "json",
        ]
        if settings.tenant_id:
            command += ["--tenant", settings.tenant_id]
        return _answer(_output(command, "The Azure CLI gave no token. Run `az login`, then try again."))

    return CachedTokens(acquire)


def token_command(settings: Settings) -> CachedTokens:
    """The program of DYNAMICS_TOKEN_COMMAND, which prints a token, or JSON with ``access_token``."""

    def acquire(_force: bool, _claims: str | None) -> Mapping[str, Any]:
        command = shlex.split(settings.token_command or "")
        return _answer(
            _output(command, "The program of DYNAMICS_TOKEN_COMMAND failed. Run it yourself to see why.")
        )

    return CachedTokens(acquire)


def _output(command: Sequence[str], advice: str) -> str:
    """What a program prints. What it says of its failure is not shown: it may hold a credential."""
    try:
        done = subprocess.run(  # noqa: S603 - the administrator's own command, without a shell
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=True,
            text=True,
            encoding="utf-8",
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        raise SignInError(advice) from None
    return done.stdout.strip()


def _answer(text: str) -> Mapping[str, Any]:
    """The token in a text, with how long it lasts.

    Raises:
        SignInError: The text is neither a token nor JSON that has one.
    """
    found: Mapping[str, Any] = {"access_token": text}
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
    token = found.get("access_token") or found.get("accessToken")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise SignInError(
            "The program that gets tokens printed something else. It must print the token alone, or JSON."
        )
    return {"access_token": token, "expires_in": _lifetime(found, token)}


def _lifetime(found: Mapping[str, Any], token: str) -> float:
    """Seconds that a token lasts: as told, as the token itself says, or a guess on the short side."""
    if isinstance(seconds := found.get("expires_in"), int | float):
        return float(seconds)
    if isinstance(moment := found.get("expires_on"), int | float):
        return float(moment) - time.time()
    if isinstance(text := found.get("expiresOn"), str):
        try:
            return datetime.fromisoformat(text).astimezone(UTC).timestamp() - time.time()
        except ValueError:
            return UNKNOWN_LIFETIME
    return _told_by(token)


def _told_by(token: str) -> float:
    import jwt

    try:
        ends = jwt.decode(token, options={"verify_signature": False}).get("exp")
    except jwt.PyJWTError:
        return UNKNOWN_LIFETIME
    return float(ends) - time.time() if isinstance(ends, int | float) else UNKNOWN_LIFETIME
