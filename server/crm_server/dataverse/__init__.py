"""The Dataverse client: pure request builders and parsers round one sender. No MCP, no policy."""

from __future__ import annotations

from contextvars import ContextVar

crm_request_id: ContextVar[str | None] = ContextVar("crm_request_id", default=None)
"""``x-ms-service-request-id`` of the last answer in this context, for the log and for error messages."""
