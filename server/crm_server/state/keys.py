"""The server's own secret, and the keys that are made from it, one for each purpose."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from crm_tools.errors import StateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LENGTH = 32


class Keys:
    """Keys from one secret: kept in a file that only its owner reads, or in memory alone.

    All processes that share a state share its secret.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def derived(self, purpose: str) -> bytes:
        """32 bytes for a purpose, of which nobody learns the secret or those for another purpose.

        Raises:
            StateError: The file can be neither read nor made.
        """
        return hmac.digest(self._secret, purpose.encode(), hashlib.sha256)

    @cached_property
    def signing(self) -> Ed25519PrivateKey:
        """What the audit is signed with."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.derived("audit"))

    @cached_property
    def public(self) -> str:
        """What signatures are checked with, in hexadecimal."""
        return self.signing.public_key().public_bytes_raw().hex()

    @cached_property
    def _secret(self) -> bytes:
        if self._path is None:
            return secrets.token_bytes(_LENGTH)
        try:
            return _kept(self._path)
        except (OSError, ValueError) as error:
            raise StateError(
                f"The key of the server's own state, in {self._path}, cannot be read or made. "
                "Nothing was changed in the CRM."
            ) from error


def _kept(path: Path) -> bytes:
    """The secret in the file; made by the first process that asks."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        _make(path)
    secret = bytes.fromhex(path.read_text("ascii").strip())
    if len(secret) != _LENGTH:
        raise ValueError("not a key")
    return secret


def _make(path: Path) -> None:
    if path.exists():
        return
    # Written aside and linked, so that nobody ever reads half of it and the first one wins.
    aside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_LENGTH) + "\n")
        try:
            os.link(aside, path)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links, such as some shared folders.
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
