"""Who calls this server, as the transport tells it: for the policy, and for acting on the caller's behalf."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

SCOPE_KEY = "crm.caller"
"""Under this name the caller of a request stands in its ASGI scope."""

_BEARER = re.compile(r"Bearer ([A-Za-z0-9._~+/=-]{16,65536})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    ``name`` is what policy, budgets and audit call a caller; an administrator may have chosen a claim for it
    that two people could share. ``subject`` is nobody else's and never changes; empty where names are so
    anyway. ``client`` is the application that is used, ``issuer`` who vouches for both. ``token`` is what the
    caller brought, for acting on the caller's behalf; None where there is nobody to act for.
    ``is_service`` says that an application calls in its own name.
    """

    name: str
    client: str = ""
    issuer: str = ""
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    token: str | None = field(default=None, repr=False)
    subject: str = ""
    is_service: bool = False

    @property
    def key(self) -> str:
        """Under this goes what is got and kept on the caller's behalf: nobody else has it."""
        return self.subject or self.name


_present: ContextVar[Caller | None] = ContextVar("caller", default=None)


def of_request(request: Any) -> Caller | None:
    """The caller of an HTTP request: whom it was found to be, or whoever has its unchecked token."""
    if request is None:
        return None
    known = request.scope.get(SCOPE_KEY)
    return known if isinstance(known, Caller) else of_headers(request.headers)


def of_headers(headers: Mapping[str, str]) -> Caller | None:
    """On a loopback address nobody checks tokens but Entra ID, when they are exchanged."""
    match = _BEARER.fullmatch(headers.get("authorization", ""))
    if match is None:
        return None
    return Caller(hashlib.sha256(match[1].encode()).hexdigest(), token=match[1])


@contextmanager
def called_by(caller: Caller | None) -> Iterator[None]:
    """Inside, the call is this caller's."""
    before = _present.set(caller)
    try:
        yield
    finally:
        _present.reset(before)


def present() -> Caller | None:
    """The present caller; None where the transport tells nobody apart."""
    return _present.get()


def assertion() -> str | None:
    """The token with which the present call came."""
    caller = _present.get()
    return None if caller is None else caller.token


def key() -> str:
    """Tells the present caller from all others, without being a credential; empty where there is only one."""
    caller = _present.get()
    return "" if caller is None else caller.key
