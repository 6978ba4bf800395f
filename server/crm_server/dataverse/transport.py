"""The transport under httpx: connections of httpcore2, whose pool stays fast with many requests under way.

``bench/transports.py`` measures the choice. httpx's own pool loses half of its throughput at 16 requests
under way. aiohttp is faster still, but sends a DELETE again by itself when the connection breaks, and
normalises addresses; here what was sent has to be known, and a nextLink goes back byte for byte. httpcore2
tells the same faults apart as httpx, and comes with the MCP SDK.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

KEPT_SECONDS = 30.0
"""How long an idle connection is kept for the next call."""


class PooledTransport(httpx.AsyncBaseTransport):
    """Connections to one host, at most ``most`` of them; through the proxy that the environment names.

    Raises the faults of ``httpx.AsyncHTTPTransport``.
    """

    def __init__(self, url: str, most: int) -> None:
        address = httpx.URL(url)
        proxy = environment_proxy(address.scheme, address.host)
        self._pool = httpcore2.AsyncConnectionPool(
            # httpx's context knows SSL_CERT_FILE and SSL_CERT_DIR; plain http has no need of one.
            ssl_context=httpx.create_ssl_context() if address.scheme == "https" or proxy else None,
            proxy=proxy,
            max_connections=most,
            max_keepalive_connections=most,
            keepalive_expiry=KEPT_SECONDS,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the answer is read from its stream."""
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("A request of an asynchronous client has an asynchronous body.")
        sent = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with translated():
            answer = await self._pool.handle_async_request(sent)
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def environment_proxy(scheme: str, host: str) -> httpcore2.Proxy | None:
    """The proxy that ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` name for a host."""
    known = getproxies()
    address = known.get(scheme) or known.get("all")
    if not address or proxy_bypass(host):
        return None
    proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
    return httpcore2.Proxy(str(proxy.url), auth=proxy.raw_auth)


class _Body(httpx.AsyncByteStream):
    """The body of an answer, as it arrives."""

    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        stream: AsyncIterable[bytes] = self._answer.aiter_stream()
        with translated():
            async for part in stream:
                yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


@contextmanager
def translated() -> Iterator[None]:
    """Raise httpcore2's faults as those of httpx, which have the same names."""
    try:
        yield
    except (
        httpcore2.TimeoutException,
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.ProxyError,
        httpcore2.UnsupportedProtocol,
    ) as error:
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise kind(str(error)) from error
