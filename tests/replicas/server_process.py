"""A command of the command line that serves until it is ended, as a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection

from crm_sandbox import create_app, hosting
from crm_sandbox.trouble import control, serving
from crm_server import app, cli, protocol, reloading, replicas, tracing, transports
from crm_server.authorization import lab
from crm_server.dataverse import client, sender
from crm_server.state import audit, jobs, journal, ledger, news, plans, readers
from crm_server.web import configured, impatience, metrics
from crm_server.web import serving as web
from crm_tools.catalogue import catalogue
from crm_tools.own_tools import own_tools
from crm_tools.standard import standard_tables

LOADED = (
    *(create_app, hosting, control, serving, app, protocol, reloading, replicas, tracing, transports, lab),
    *(
        client,
        sender,
        audit,
        jobs,
        journal,
        ledger,
        news,
        plans,
        readers,
        configured,
        impatience,
        metrics,
        web,
    ),
    *(standard_tables(), catalogue(), own_tools()),
)
"""Imported and made ahead, for the processes that are forked from one that has."""


def main(
    arguments: Sequence[str], environ: Mapping[str, str], log: Connection, constants: Mapping[str, object]
) -> None:
    """Run the command. ``log`` is where it writes to; ``constants`` have other values than usual."""
    os.environ.clear()
    os.environ.update(environ)
    for number in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log.fileno(), number)
    log.close()
    for path, value in constants.items():
        module, _, name = path.rpartition(".")
        assert hasattr(sys.modules[module], name), path
        setattr(sys.modules[module], name, value)
    sys.exit(cli.run(arguments))
