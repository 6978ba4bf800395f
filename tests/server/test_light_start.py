"""What the first answer does not need is not imported before it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "babel",
    "httpx",
    "msal",
    "requests",
    "odata_query",
    "jsonschema_rs",
    "crm_sandbox",
    "rich",
    "opentelemetry.sdk",
    "opentelemetry.exporter",
)

SERVE_UP_TO_THE_TOOL_LIST = """
import sys
import crm_server.cli
from crm_server.log import configure_logging
from crm_server.app import build_application
from crm_server.protocol import build_server
from crm_server.settings import Settings
from crm_server.tracing import start_tracing
import crm_server.transports
configure_logging("info")
start_tracing({})
application = build_application(Settings(), sandbox=True)
build_server(application)
assert len(application.caller.tools()) == 32
print(" ".join(name for name in sys.modules))
"""


def test_serve_lists_its_tools_without_http_sign_in_parser_or_sandbox() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", SERVE_UP_TO_THE_TOOL_LIST],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    imported = set(finished.stdout.split())
    assert "mcp.server.lowlevel" in imported
    assert not imported & set(HEAVY)
