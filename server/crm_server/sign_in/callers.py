"""Who calls this server: the token that came with a call, for acting on its caller's behalf."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_assertion: ContextVar[str | None] = ContextVar("caller_assertion", default=None)
_BEARER = re.compile(r"Bearer ([A-Za-z0-9._~+/=-]{16,65536})", re.IGNORECASE)


@contextmanager
def called_with(headers: Mapping[str, str] | None) -> Iterator[None]:
    """Inside, the call is its caller's: the bearer token of the headers, if there is one."""
    match = _BEARER.fullmatch((headers or {}).get("authorization", ""))
    before = _assertion.set(match[1] if match else None)
    try:
        yield
    finally:
        _assertion.reset(before)


def assertion() -> str | None:
    """The token with which the present call came."""
    return _assertion.get()


def name() -> str:
    """Tells the present caller from others, without being a credential; empty where there is only one."""
    token = _assertion.get()
    return "" if token is None else hashlib.sha256(token.encode()).hexdigest()
