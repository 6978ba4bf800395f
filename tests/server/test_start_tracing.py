"""Traces are sent when the standard variables ask for it, and their absence is said."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from crm_server.tracing import start_tracing
from tests.interaction.connecting import environment

CALLS = "".join(
    json.dumps({"jsonrpc": "2.0", **message}) + "\n"
    for message in (
        {"id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "list_leads", "arguments": {"top": 1}}},
    )
)  # fmt: skip


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    received: list[tuple[str, bytes]] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", received
        server.shutdown()
        thread.join()


def served(**variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in environment().items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-m", "crm_server", "serve", "--sandbox"],
        input=CALLS,
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_spans_reach_a_collector_before_the_process_ends(
    collector: tuple[str, list[tuple[str, bytes]]],
) -> None:
    address, received = collector
    finished = served(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_EXPORTER_OTLP_COMPRESSION="none")
    assert [json.loads(line)["id"] for line in finished.stdout.splitlines()] == [1, 2]
    assert {path for path, _ in received} == {"/v1/traces"}
    body = b"".join(body for _, body in received)
    for word in (b"dynamics-crm-mcp", b"tools/call list_leads", b"GET /api/data/v9.2/leads"):
        assert word in body


def test_a_collector_that_is_away_does_not_hold_up_the_end() -> None:
    started = time.monotonic()
    finished = served(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert len(finished.stdout.splitlines()) == 2
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SERVICE_NAME": "crm"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "console"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_what_does_not_ask_for_traces_loads_no_sdk(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exp"))]:
        monkeypatch.delitem(sys.modules, name)
    start_tracing(environ)()
    assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exp"))]


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "dynamics-crm-mcp[otel]"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318"}, "dynamics-crm-mcp[otel]"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "otlp or none"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "http/protobuf",
        ),
    ],
)
def test_what_is_in_the_way_of_traces_is_said_on_start(
    environ: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("crm_server.tracing.log.warning", lambda event, **_: said.append(event))
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    start_tracing(environ)()
    assert len(said) == 1
    assert says in said[0]
