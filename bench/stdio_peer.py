"""A server process and the smallest client that can time it: JSON-RPC lines over its pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent


class Peer:
    """A server over stdio, after the handshake of the 2025-11-25 protocol."""

    def __init__(self, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DYNAMICS_")}
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**clean, **(env or {})},
        )
        self._number = 0
        self.request(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "bench", "version": "1"},
            },
        )
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return its result."""
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": dict(params)})
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            message = json.loads(line)
            if message.get("id") == self._number:
                if "result" not in message:
                    raise RuntimeError(f"{method} failed: {message}")
                result: dict[str, Any] = message["result"]
                return result
        raise RuntimeError("the server ended")

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool; an error answer is an error here."""
        result = self.request("tools/call", {"name": tool, "arguments": dict(arguments)})
        if result.get("isError"):
            raise RuntimeError(f"{tool} answered an error: {result}")
        return result

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def report(name: str, ours: float, bare: float, goal: float) -> int:
    """Print both times in milliseconds and their ratio; 0 when the goal is met, else 1."""
    ratio = ours / bare
    met = ratio <= goal
    print(f"{name}: {ours * 1000:.2f} ms, bare {bare * 1000:.2f} ms, ratio {ratio:.2f}", end=" ")
    print(f"(goal at most {goal}: {'met' if met else 'MISSED'})")
    return 0 if met else 1
