"""The server's own secrets, and the keys that are made from them, one for each purpose.

The key file has a secret a line, newest first: what is new is sealed and signed with the first, and all of
them open and verify. A running server notices when the file is replaced, so rotating takes no restart.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from crm_server.log import get_logger
from crm_tools.errors import StateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_log = get_logger("state")
_LENGTH = 32
_Stamp = tuple[int, int, int]


class Key:
    """One secret, of which nobody learns more than what is derived from it."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def derived(self, purpose: str) -> bytes:
        """32 bytes for a purpose."""
        return hmac.digest(self._secret, purpose.encode(), hashlib.sha256)

    @cached_property
    def signing(self) -> Ed25519PrivateKey:
        """What the audit is signed with."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.derived("audit"))

    @cached_property
    def public(self) -> str:
        """What signatures are checked with, in hexadecimal; also the key's name."""
        return self.signing.public_key().public_bytes_raw().hex()


class Keys:
    """Keys from a file that only its owner reads, or from memory alone.

    All processes that share a state share its secrets.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._ring: tuple[Key, ...] = ()

    @property
    def path(self) -> Path | None:
        """The file that keeps the secrets; None where they are in memory alone."""
        return self._path

    @property
    def all(self) -> tuple[Key, ...]:
        """The keys, newest first.

        Raises:
            StateError: The file can be neither read nor made.
        """
        if self._path is None:
            self._ring = self._ring or (Key(secrets.token_bytes(_LENGTH)),)
            return self._ring
        stamp = _stamp(self._path)
        # A file that is away for a moment, as while it is replaced, takes no key back.
        if not self._ring or (stamp is not None and stamp != self._stamp):
            self._read(self._path)
            self._stamp = stamp or _stamp(self._path)
        return self._ring

    def _read(self, path: Path) -> None:
        try:
            found = [Key(secret) for secret in _kept(path)]
        except (OSError, ValueError) as error:
            if self._ring:
                _log.error("key_file_unreadable", reason=type(error).__name__, kept=len(self._ring))
                return
            raise StateError(
                f"The key of the server's own state, in {path}, cannot be read or made. "
                "Nothing was changed in the CRM."
            ) from error
        known = {key.derived(""): key for key in self._ring}
        self._ring = tuple(known.get(key.derived(""), key) for key in found)

    @property
    def newest(self) -> Key:
        """The key with which things are sealed and signed."""
        return self.all[0]

    def named(self, public: str) -> Key | None:
        """The key of this name, if it is one of ours."""
        return next((key for key in self.all if key.public == public), None)

    def rotate(self) -> Key:
        """Put a new key before the others and return it.

        Raises:
            StateError: The file cannot be written.
        """
        path, ring = self._file()
        _replace(path, [secrets.token_bytes(_LENGTH), *ring])
        return self.newest

    def forget_older(self) -> None:
        """Keep only the newest key.

        Raises:
            StateError: The file cannot be written.
        """
        path, ring = self._file()
        _replace(path, ring[:1])

    def _file(self) -> tuple[Path, list[bytes]]:
        if self._path is None:
            raise StateError("A state in memory has no key that outlives it.")
        try:
            return self._path, _kept(self._path)
        except (OSError, ValueError) as error:
            raise StateError(f"The key file {self._path} cannot be read.") from error


def _replace(path: Path, ring: Sequence[bytes]) -> None:
    try:
        owner = path.stat()
        aside = _written_aside(path, ring)
        # Whoever runs the command may be another user than the server.
        with suppress(OSError, AttributeError):
            os.chown(aside, owner.st_uid, owner.st_gid)
        aside.replace(path)
    except OSError as error:
        raise StateError(
            f"The key file {path} cannot be written: {error.strerror}. Change it where it comes from, as "
            "docs/journal.md says."
        ) from error


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _kept(path: Path) -> list[bytes]:
    """The secrets in the file; made by the first process that asks."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        _make(path)
    ring = [bytes.fromhex(line) for line in path.read_text("ascii").split()]
    if not ring or any(len(secret) != _LENGTH for secret in ring) or len(set(ring)) != len(ring):
        raise ValueError("not a key")
    return ring


def _make(path: Path) -> None:
    if path.exists():
        return
    # Written aside and linked, so that nobody ever reads half of it and the first one wins.
    aside = _written_aside(path, [secrets.token_bytes(_LENGTH)])
    try:
        try:
            os.link(aside, path)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links, such as some shared folders.
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _written_aside(path: Path, ring: Sequence[bytes]) -> Path:
    aside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{secret.hex()}\n" for secret in ring)
        file.flush()
        os.fsync(file.fileno())
    return aside
