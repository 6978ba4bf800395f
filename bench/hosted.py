"""The embedded CRM as a process of its own, for benchmarks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sandbox(*arguments: str) -> Iterator[list[str]]:
    """The embedded CRM with these arguments of its command; yields the lines it says when it is ready.

    With ``--tls`` there are three lines, otherwise one, which ends with the address of the API.
    """
    command = [sys.executable, "-m", "crm_server", "sandbox", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        yield [process.stderr.readline() for _ in range(3 if "--tls" in arguments else 1)]
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stderr.close()


def root_of(ready: list[str]) -> str:
    """The root address, such as ``http://127.0.0.1:40123``, in the first line of a sandbox."""
    return ready[0].split()[-1].partition("/api/")[0]
