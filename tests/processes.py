"""Processes that are forked from one that has imported everything, and so are there at once."""

from __future__ import annotations

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.state.killed_process", "tests.replicas.server_process"])
