"""A command of the command line that serves until it is ended, as a process of its own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection

from crm_server import cli
from crm_tools.catalogue import catalogue
from crm_tools.own_tools import own_tools
from crm_tools.standard import standard_tables

LATER = (
    "anyio._backends._asyncio",
    "crm_sandbox.hosting",
    "crm_sandbox.trouble.serving",
    "crm_server.authorization.lab",
    "crm_server.dataverse.client",
    "crm_server.dataverse.transport",
    "crm_server.pages.configured",
    "crm_server.protocol",
    "crm_server.reloading",
    "crm_server.replicas",
    "crm_server.sign_in.tokens",
    "crm_server.state.jobs",
    "crm_server.state.news",
    "crm_server.state.plans",
    "crm_server.state.readers",
    "crm_server.state_commands",
    "crm_server.tracing",
    "crm_server.transports",
    "crm_server.web.configured",
    "crm_server.web.impatience",
    "crm_server.web.serving",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "httpx",
    "jsonschema_rs",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "uvicorn.lifespan.off",
    "uvloop",
)
"""What a server imports when it needs it, for the processes that are forked from one that has it all."""
MADE = (*map(importlib.import_module, LATER), standard_tables(), catalogue(), own_tools())


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
