"""OpenTelemetry: what a call's span says, whose trace it is a part of, and where spans are sent.

The MCP SDK opens the span of each call and continues a trace that the client's ``_meta`` names (SEP-414).
Without the standard ``OTEL_*`` variables nothing is recorded and no SDK of OpenTelemetry is imported.

https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach

from crm_server import __version__
from crm_server.dataverse.spans import TRACE_CONTEXT
from crm_server.log import get_logger
from crm_server.policy.model import Decision

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
END_SECONDS = 1.0
"""How long the end of the process waits for the last spans to be sent."""

WAITED_KEY = "crm.waited"
"""Under this name the seconds that an HTTP request waited for its turn stand in its ASGI scope."""

log = get_logger("tracing")
_waited: ContextVar[float | None] = ContextVar("waited", default=None)


def describe_call(
    table: str, effect: str, outcome: str, decision: Decision | None, correlation_id: str
) -> None:
    """Say on the call's span what the log says: names, the decision and the id of the log line."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    if (waited := _waited.get()) is not None:
        span.set_attribute("crm.queue.wait_seconds", waited)
    span.set_attributes(
        {
            "crm.table": table,
            "crm.effect": effect,
            "crm.outcome": outcome,
            "crm.policy.outcome": decision.outcome.value if decision else "none",
            "crm.policy.rules": list(decision.rules) if decision else [],
            "crm.correlation_id": correlation_id,
        }
    )


def trace_id() -> Mapping[str, str]:
    """The trace that a call is part of, for its log lines; empty when it is part of none."""
    span = trace.get_current_span().get_span_context()
    return {"trace_id": trace.format_trace_id(span.trace_id)} if span.is_valid else {}


async def continue_http_trace(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware: a message that came over HTTP is part of the trace that its headers name.

    What the message's own ``_meta`` names still goes before: the SDK reads it after this. How long the
    request waited for its turn is remembered for the span that the SDK opens inside.
    """
    request = ctx.request
    if request is None:
        return await call_next(ctx)
    # Onto nothing: the task that serves a session was begun by the session's first request.
    token = attach(TRACE_CONTEXT.extract(request.headers, context=Context()))
    waited = _waited.set(request.scope.get(WAITED_KEY))
    try:
        return await call_next(ctx)
    finally:
        _waited.reset(waited)
        detach(token)


def start_tracing(environ: Mapping[str, str]) -> Callable[[], None]:
    """Send spans where the standard variables say, if they do; returns what ends it.

    Whatever is in its way is logged as a warning: calls are answered without traces too.
    """
    if not _wanted(environ):
        return _nothing
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning(
            "no traces: OTEL_* variables ask for them, and the extra is missing. "
            "Install dynamics-crm-mcp[otel], or set OTEL_SDK_DISABLED=true."
        )
        return _nothing
    # Not at exit: a collector that is away would hold up the end.
    provider = TracerProvider(resource=Resource.create(_service(environ)), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)

    def end() -> None:
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(END_SECONDS)

    return end


def _wanted(environ: Mapping[str, str]) -> bool:
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    asked = exporter or any(environ.get(name, "").strip() for name in ENDPOINTS)
    if not asked or exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if exporter not in ("", "otlp"):
        # "console", say, would write to stdout, which belongs to the protocol.
        log.warning("no traces: OTEL_TRACES_EXPORTER can be otlp or none", asked=exporter[:40])
        return False
    protocol = next((environ[name].strip() for name in PROTOCOLS if environ.get(name, "").strip()), "")
    if protocol not in ("", "http/protobuf"):
        log.warning("no traces: OTEL_EXPORTER_OTLP_PROTOCOL can be http/protobuf", asked=protocol[:40])
        return False
    return True


def _service(environ: Mapping[str, str]) -> dict[str, str]:
    """What the spans are from, unless the variables name it: what is given here would win over them."""
    given = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in given
    service = {} if named else {"service.name": "dynamics-crm-mcp"}
    return service if "service.version=" in given else {**service, "service.version": __version__}


def _nothing() -> None:
    """Ends what was not begun."""
