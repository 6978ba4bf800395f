"""Spans: names and ids of calls and requests in one trace, and no value of anybody's CRM."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import structlog
from mcp import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from crm_sandbox import create_app
from crm_server.app import build_application
from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.sender import Sender
from crm_server.dataverse.spans import template_of
from crm_server.protocol import build_server
from crm_server.settings import Settings
from crm_server.transports import serve_http
from crm_server.web.options import WebOptions
from crm_tools.description import load
from crm_tools.errors import UpstreamError
from crm_tools.operations import Fetch, Query
from tests.dataverse.faulty_crm import answer, faulty_crm
from tests.interaction.connecting import ERAS, Era, Human, memory_client
from tests.web.team import team, token_of

pytestmark = pytest.mark.anyio
CANARY = "Kanarienvogel"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
KEY = "0a1b2c3d-0000-4000-8000-0123456789ab"


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    found = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(found))
    trace.set_tracer_provider(provider)
    yield found
    provider.shutdown()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    exporter.clear()
    return exporter


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def of_the_crm(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if "url.template" in (span.attributes or {})]


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_is_a_span_and_its_requests_are_its_children(
    era: Era, spans: InMemorySpanExporter
) -> None:
    async with memory_client(era=era) as client:
        await client.call_tool("get_lead", {"leadid": KEY})
    (call,) = (span for span in named(spans, "tools/call get_lead") if span.kind is SpanKind.SERVER)
    assert call.attributes["gen_ai.operation.name"] == "execute_tool"
    assert call.attributes["gen_ai.tool.name"] == "get_lead"
    assert call.attributes["mcp.method.name"] == "tools/call"
    assert call.attributes["crm.table"] == "lead"
    assert call.attributes["crm.effect"] == "read"
    assert call.attributes["crm.outcome"] == "not_found"
    assert call.attributes["crm.policy.outcome"] == "allowed"
    assert call.attributes["error.type"] == "tool_error"
    assert len(call.attributes["crm.correlation_id"]) == 12
    requests = of_the_crm(spans)
    assert {span.parent.span_id for span in requests} == {call.context.span_id}
    assert {span.name for span in requests} == {
        "GET /api/data/v9.2/leads({key})",
        "POST /api/data/v9.2/$batch",
    }
    (fetch,) = named(spans, "GET /api/data/v9.2/leads({key})")
    assert fetch.kind is SpanKind.CLIENT
    attributes = dict(fetch.attributes)
    assert attributes.pop("dataverse.service_request_id")
    assert attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 404,
        "url.full": "https://sandbox.invalid/api/data/v9.2/leads({key})",
        "url.template": "/api/data/v9.2/leads({key})",
        "server.address": "sandbox.invalid",
        "server.port": 443,
        "error.type": "404",
    }
    assert fetch.status.status_code is StatusCode.ERROR


async def test_no_value_filter_or_token_is_in_any_span(spans: InMemorySpanExporter) -> None:
    async with memory_client("full-access", human=Human("accept")) as client:
        created = await client.call_tool(
            "create_lead", {"lastname": CANARY, "subject": CANARY, "description": CANARY}
        )
        key = created.structured_content["record"]["leadid"]
        for tool, arguments in (
            ("list_leads", {"filter": f"lastname eq '{CANARY}'"}),
            ("list_leads", {"filter": f"lastname eq '{CANARY}"}),
            ("list_leads", {"orderby": CANARY}),
            ("list_leads", {"cursor": CANARY}),
            ("get_lead", {"leadid": CANARY}),
            ("update_lead", {"leadid": key, "jobtitle": CANARY}),
            ("update_lead", {"leadid": key, "jobtitle": CANARY * 100}),
            ("update_lead", {"leadid": key, "etag": f'W/"{CANARY}"', "jobtitle": "x"}),
            ("delete_lead", {"leadid": key}),
        ):
            await client.call_tool(tool, arguments)
    found = "".join(span.to_json() for span in spans.get_finished_spans())
    assert named(spans, "POST /api/data/v9.2/leads")
    assert CANARY not in found
    assert "eq" not in found.replace("request", "")
    assert key not in found
    assert "?" not in found
    assert "Contoso" not in found


async def test_trace_context_goes_onward_over_the_network_and_is_continued_from_meta(
    spans: InMemorySpanExporter,
) -> None:
    async with faulty_crm() as crm:
        application = build_application(Settings(url=crm.url, auth="none"))
        async with Client(build_server(application), mode="auto") as client:
            meta = {"traceparent": TRACEPARENT, "tracestate": "vendor=1", "baggage": f"who={CANARY}"}
            await client.call_tool("list_leads", {"top": 1}, meta=meta)
        await application.aclose()
    for (method, target), headers in zip(crm.seen, crm.headers, strict=True):
        version, trace_id, parent, flags = headers["traceparent"].split("-")
        (span,) = named(spans, f"{method} {template_of(target.partition('?')[0])}")
        assert (version, flags) == ("00", "01")
        assert trace_id == trace.format_trace_id(span.context.trace_id)
        assert parent == trace.format_span_id(span.context.span_id)
        assert "baggage" not in headers
    assert len({headers["traceparent"].split("-")[1] for headers in crm.headers}) == 1


def call_over_http(number: int, **meta: str) -> dict[str, Any]:
    known = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    }
    params = {"name": "list_leads", "arguments": {"top": 1}, "_meta": {**known, **meta}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


HTTP_HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "list_leads",
}


@asynccontextmanager
async def served() -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A server over HTTP in this process, on a sandbox of its own, and a client that adds nothing."""
    sandbox = create_app()
    application = build_application(Settings(), asgi_app=sandbox)
    ready = anyio.Event()
    address: list[str] = []

    def on_ready(url: str) -> None:
        address.append(url)
        ready.set()

    async with anyio.create_task_group() as tasks, httpx.AsyncClient() as http:
        tasks.start_soon(serve_http, build_server(application), WebOptions(port=0), on_ready)
        await ready.wait()
        yield http, address[0]
        tasks.cancel_scope.cancel()
    await application.aclose()
    sandbox.close()


async def test_a_trace_that_http_headers_name_is_continued_and_meta_goes_before_it(
    spans: InMemorySpanExporter,
) -> None:
    header, other = {"traceparent": TRACEPARENT}, {"traceparent": f"00-{TRACE[::-1]}-{PARENT}-01"}
    async with served() as (http, address):
        for number, (headers, meta) in enumerate([(header, {}), (header, other), ({}, {})]):
            message = call_over_http(number, **meta)
            answer = await http.post(address, json=message, headers={**HTTP_HEADERS, **headers})
            assert answer.status_code == 200, answer.text
    first, second, third = named(spans, "tools/call list_leads")
    assert trace.format_trace_id(first.context.trace_id) == TRACE
    assert trace.format_span_id(first.parent.span_id) == PARENT
    assert trace.format_trace_id(second.context.trace_id) == TRACE[::-1]
    assert third.parent is None


async def test_a_session_takes_the_trace_of_each_request_and_not_of_its_first(
    spans: InMemorySpanExporter,
) -> None:
    client = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    call = {"name": "list_leads", "arguments": {"top": 1}}
    headers = {"Accept": HTTP_HEADERS["Accept"], "traceparent": TRACEPARENT}
    async with served() as (http, address):

        async def send(**message: Any) -> httpx.Response:
            answer = await http.post(address, json={"jsonrpc": "2.0", **message}, headers=headers)
            assert answer.status_code in (200, 202), answer.text
            return answer

        begun = await send(id=1, method="initialize", params=client)
        headers |= {"mcp-session-id": begun.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
        await send(method="notifications/initialized")
        headers["traceparent"] = f"00-{TRACE[::-1]}-{PARENT}-01"
        await send(id=2, method="tools/call", params=call)
        del headers["traceparent"]
        await send(id=3, method="tools/call", params=call)
    first, second = named(spans, "tools/call list_leads")
    assert trace.format_trace_id(first.context.trace_id) == TRACE[::-1]
    assert second.parent is None


async def test_calls_of_several_callers_over_http_keep_their_traces_apart_and_say_how_long_they_waited(
    spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    traces = {name: f"{number:032x}" for number, name in enumerate(("ann", "bob", "carl"), 1)}
    async with team(tmp_path, list(traces), DYNAMICS_CALLS="1") as served, anyio.create_task_group() as tasks:

        async def call(name: str, its_trace: str) -> None:
            header = {"traceparent": f"00-{its_trace}-{PARENT}-01"}
            answer = await served.call(name, "get_lead", {"leadid": KEY}, **header)
            assert answer.status_code == 200, answer.text

        for name, its_trace in traces.items():
            tasks.start_soon(call, name, its_trace)
    calls = named(spans, "tools/call get_lead")
    assert {trace.format_trace_id(call.context.trace_id) for call in calls} == set(traces.values())
    waits = sorted(call.attributes["crm.queue.wait_seconds"] for call in calls)
    assert 0 <= waits[0] < waits[1] < waits[2]
    requests = named(spans, "GET /api/data/v9.2/leads({key})")
    assert {span.parent.span_id for span in requests} == {call.context.span_id for call in calls}
    found = "".join(span.to_json() for span in spans.get_finished_spans())
    assert not [name for name in traces if f'"{name}"' in found or token_of(name) in found]


class Clock:
    now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def read(self) -> float:
        return self.now


async def test_repetitions_and_throttling_are_events_of_the_one_span(spans: InMemorySpanExporter) -> None:
    async with faulty_crm() as crm:
        time = Clock()
        sender = Sender(crm.url, sleep=time.sleep, clock=time.read, rng=random.Random(7))
        client = DataverseClient(sender, load().tables)
        crm.script = ["drop", answer(429, retry_after="7"), answer(503), None]
        await client.query(Query("lead", select=("leadid",), top=1))
        await client.aclose()
    (span,) = of_the_crm(spans)
    events = [(event.name, dict(event.attributes)) for event in span.events]
    assert [name for name, _ in events] == ["crm.retry", "crm.throttled", "crm.retry"]
    assert events[1][1] == {"wait_seconds": 7.0}
    assert [facts["reason"] for name, facts in events if name == "crm.retry"] == ["unavailable"] * 2
    assert span.attributes["http.request.resend_count"] == 3
    assert span.attributes["http.response.status_code"] == 200
    assert span.status.status_code is StatusCode.UNSET
    assert len({headers["traceparent"] for headers in crm.headers}) == 1


async def test_a_request_without_an_answer_says_of_which_kind_the_error_was(
    spans: InMemorySpanExporter,
) -> None:
    time = Clock()
    sender = Sender("http://127.0.0.1:9", sleep=time.sleep, clock=time.read, rng=random.Random(7))
    client = DataverseClient(sender, load().tables)
    with pytest.raises(UpstreamError):
        await client.fetch(Fetch("lead", KEY, ("leadid",)))
    await client.aclose()
    (span,) = of_the_crm(spans)
    assert span.attributes["error.type"] == "unavailable"
    assert "http.response.status_code" not in span.attributes
    assert [event.name for event in span.events] == ["crm.retry"] * 4  # no event of an exception


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/api/data/v9.2/accounts", "/api/data/v9.2/accounts"),
        (f"/api/data/v9.2/accounts({KEY})", "/api/data/v9.2/accounts({key})"),
        (f"/api/data/v9.2/accounts({KEY})/contact_customer_accounts/$ref",
         "/api/data/v9.2/accounts({key})/contact_customer_accounts/$ref"),
        ("/api/data/v9.2/accounts(name='a)b',city='x')", "/api/data/v9.2/accounts({key})"),
        ("/api/data/v9.2/accounts(name='a/b c')", "/api/data/v9.2/accounts({key})/{part}"),
        ("/api/data/v9.2/accounts(name='a/b')", "/api/data/v9.2/accounts({key})/{part}"),
        ("/api/data/v9.2/$batch", "/api/data/v9.2/$batch"),
    ],
)  # fmt: skip
def test_no_key_is_in_a_template(path: str, template: str) -> None:
    assert template_of(path) == template


async def test_a_call_that_is_part_of_a_trace_is_logged_with_it(spans: InMemorySpanExporter) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        async with memory_client() as client:
            await client.call_tool("list_leads", {"top": 1})
    (line,) = [line for line in lines if line["event"] == "call"]
    (call,) = (span for span in named(spans, "tools/call list_leads") if span.kind is SpanKind.SERVER)
    assert line["trace_id"] == trace.format_trace_id(call.context.trace_id)
    assert line["request_id"] == call.attributes["crm.correlation_id"]
