"""The one folder that tools may read files from and write new ones to."""

from __future__ import annotations

import os
import re
from pathlib import Path

import anyio.to_thread

from crm_tools.errors import InputError

LARGEST_FILE = 20 * 1024 * 1024
_NAME = re.compile(r"[\w][\w .()-]{0,120}\.(csv|jsonl)", re.IGNORECASE)


class Files:
    """Files of one folder; none where no folder is set."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            InputError: No folder is set, or there is no such file in it, or it is too large.
        """
        path = self._path(name)
        try:
            return await anyio.to_thread.run_sync(_read, path)
        except FileNotFoundError:
            raise InputError(f"There is no file {name} in the folder for imports and exports.") from None
        except OSError:
            raise InputError(f"The file {name} cannot be read.") from None

    async def write(self, name: str, content: bytes, *, replace: bool = False) -> None:
        """Write a new file, or with ``replace`` in place of the one that is there.

        Raises:
            InputError: No folder is set, or the file exists, or it cannot be written.
        """
        path = self._path(name)
        try:
            await anyio.to_thread.run_sync(_write, path, content, replace)
        except FileExistsError:
            raise InputError(f"There is a file {name} already; give another name.") from None
        except OSError:
            raise InputError(f"The file {name} cannot be written.") from None

    def _path(self, name: str) -> Path:
        if self._folder is None:
            raise InputError(
                "No folder is set for files. An administrator sets DYNAMICS_FILES; rows can be given in the "
                "call itself, and small exports are answered in it."
            )
        if not _NAME.fullmatch(name):
            raise InputError("A file goes by its name alone, such as leads.csv: no folders.")
        return self._folder / name


def _read(path: Path) -> bytes:
    # A link could lead out of the folder.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise InputError(f"The file is larger than {LARGEST_FILE // 1024 // 1024} MB. Split it.")
    return content


def _write(path: Path, content: bytes, replace: bool) -> None:
    fresh = os.O_TRUNC if replace else os.O_EXCL
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | fresh | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
