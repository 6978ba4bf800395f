"""Ports for servers that are stopped and started again."""

from __future__ import annotations

import random
import socket

BELOW_THE_SYSTEMS_OWN = range(12_000, 32_000)
"""From above it takes ports for outgoing connections, and would take that of a server that is stopped."""


def free_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = random.SystemRandom().choice(BELOW_THE_SYSTEMS_OWN)
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
