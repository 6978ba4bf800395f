"""OpenTelemetry spans of requests to Dataverse: names and ids only, never a value, a filter or a token.

Only the API is used here. Without an SDK in the process it does nothing, except that a trace which a client
began is passed on.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from opentelemetry.trace import (
    INVALID_SPAN,
    ProxyTracerProvider,
    Span,
    SpanKind,
    StatusCode,
    get_current_span,
    get_tracer,
    get_tracer_provider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from crm_server import __version__
from crm_server.dataverse.responses import CrmResponse, request_id
from crm_tools.errors import CrmError

TRACE_CONTEXT = TraceContextTextMapPropagator()
"""The W3C's traceparent and tracestate. Baggage, which may hold anything, goes nowhere."""

_tracer = get_tracer("crm_server", __version__)
_NAME = re.compile(r"[A-Za-z0-9_.$]{1,100}")


class RequestSpan:
    """The span of one request with all its repeating."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._sent = 0

    def sending(self) -> None:
        """The request goes out, once more perhaps."""
        if self._sent:
            self._span.set_attribute("http.request.resend_count", self._sent)
        self._sent += 1

    def answered(self, response: CrmResponse) -> CrmResponse:
        """The answer, noted."""
        if self._span.is_recording():
            self._span.set_attribute("http.response.status_code", response.status)
            if (found := request_id(response)) is not None:
                self._span.set_attribute("dataverse.service_request_id", found)
            if response.status >= 400:
                self._failed(str(response.status))
        return response

    def failed(self, error: Exception) -> None:
        """There is no answer."""
        self._failed(error.code if isinstance(error, CrmError) else type(error).__name__)

    def _failed(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(StatusCode.ERROR)


@contextmanager
def request_span(method: str, url: str) -> Iterator[RequestSpan]:
    """A client span round a request to an address; nothing where spans are not recorded."""
    if isinstance(get_tracer_provider(), ProxyTracerProvider):
        yield RequestSpan(INVALID_SPAN)
        return
    parts = urlsplit(url)
    template = template_of(parts.path)
    with _tracer.start_as_current_span(
        f"{method} {template}",
        kind=SpanKind.CLIENT,
        attributes={
            "http.request.method": method,
            "url.full": f"{parts.scheme}://{parts.netloc}{template}",
            "url.template": template,
            "server.address": parts.hostname or "",
            "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        },
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        found = RequestSpan(span)
        try:
            yield found
        except Exception as error:
            found.failed(error)
            raise


def template_of(path: str) -> str:
    """A path without the keys and parameters in it: names of tables and operations stay."""
    return "/".join(_part(part) for part in path.split("/"))


def _part(part: str) -> str:
    name, bracket, _ = part.partition("(")
    if name and not _NAME.fullmatch(name):
        return "{part}"
    return f"{name}({{key}})" if bracket else name


def note(event: str, **facts: str | float) -> None:
    """An event of the span that is under way, such as a repetition."""
    get_current_span().add_event(event, facts)


def trace_headers() -> Mapping[str, str]:
    """The headers that make what Dataverse does a part of the present trace."""
    headers: dict[str, str] = {}
    TRACE_CONTEXT.inject(headers)
    return headers
