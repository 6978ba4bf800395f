"""What an issuer says of itself: fetched within size and time, and read without trust in its form."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio

if TYPE_CHECKING:
    import httpx

LARGEST_ANSWER = 1024 * 1024
FETCH_SECONDS = 10.0
"""For the whole of an answer: an issuer that sends a byte now and then is away."""

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what is at an address. Raises OSError where that fails."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


async def fetch_over_http(address: str) -> bytes:
    """What is at an address, without following it elsewhere.

    Raises:
        OSError: It cannot be had, not in time, or it is too large.
    """
    import httpx

    try:
        with anyio.fail_after(FETCH_SECONDS):
            async with (
                httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False) as http,
                http.stream("GET", address, headers={"Accept": "application/json"}) as answer,
            ):
                answer.raise_for_status()
                return await content_of(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(type(error).__name__) from error


async def content_of(answer: httpx.Response) -> bytes:
    """The body of an answer that is being received.

    Raises:
        OSError: It is too large; the rest of it is not waited for.
    """
    content = bytearray()
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > LARGEST_ANSWER:
            raise OSError("the answer is too large")
    return bytes(content)


def document(content: bytes) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        ValueError: It is none.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def safe_address(value: Any) -> str:
    """An https address; http is taken for this machine only.

    Raises:
        ValueError: It is none.
    """
    parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    # Asking for the port checks it: it may be too large to be one.
    if not secure or not parts.hostname or parts.port == 0:
        raise ValueError("not an https address")
    return str(value)
