"""Runs the echo server as a process and speaks to it line by line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

SCRIPT = str(Path(__file__).with_name("echo_server.py"))
STUCK_SECONDS = 50
"""A process that is still there by then is killed, so that a test fails and does not hang."""
NOT_WAITED = 20
"""Seconds in which a process ends that does not wait for what takes a minute, however busy the machine is."""

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class EchoProcess:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.told_to_end = 0.0
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout
        self.stderr: IO[bytes] = process.stderr

    def send(self, method: str, params: dict[str, Any] | None = None, request_id: int | None = None) -> None:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        if request_id is not None:
            message["id"] = request_id
        self.send_line(json.dumps(message).encode())

    def send_line(self, line: bytes) -> None:
        self.stdin.write(line + b"\n")
        self.stdin.flush()

    def call(self, request_id: int, tool: str, text: str, *, modern: bool = False) -> None:
        params: dict[str, Any] = {"name": tool, "arguments": {"text": text}}
        if modern:
            params["_meta"] = MODERN_META
        self.send("tools/call", params, request_id)

    def initialize(self) -> None:
        self.send("initialize", INITIALIZE, 0)
        assert self.receive()["id"] == 0
        self.send("notifications/initialized")

    def receive(self) -> dict[str, Any]:
        line = self.stdout.readline()
        assert line, "the server closed its stdout"
        return json.loads(line)

    def wait_for(self, word: str) -> str:
        """Waits for a line on stderr that begins with word, and returns the rest of it."""
        seen: list[str] = []
        for line in self.stderr:
            seen.append(line.decode().strip())
            if seen[-1].startswith(word):
                return seen[-1].removeprefix(word).strip()
        raise AssertionError(f"the server never said {word!r} but {seen}")

    def tell_to_end(self, how: Literal["EOF", "SIGTERM", "SIGINT"]) -> None:
        self.told_to_end = time.monotonic()
        if how == "EOF":
            self.stdin.close()
        else:
            self.process.send_signal(signal.Signals[how])

    def end(self) -> tuple[int, float, str, bytes]:
        """Exit code, seconds since it was told to end, the rest of stderr, the rest of stdout."""
        code = self.process.wait(STUCK_SECONDS)
        seconds = time.monotonic() - self.told_to_end
        return code, seconds, self.stderr.read().decode(), self.stdout.read()


@contextmanager
def echo_process(*arguments: str, stdin: Any = subprocess.PIPE) -> Iterator[EchoProcess]:
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    killer = threading.Timer(STUCK_SECONDS, process.kill)
    killer.start()
    try:
        yield EchoProcess(process)
    finally:
        killer.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            pipe.close()
        if process.stdin:
            with suppress(BrokenPipeError):
                process.stdin.close()
