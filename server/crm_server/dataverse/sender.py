"""The one sender: a pooled client, retries, waiting as told, and no answer that is not whole.

Service protection: https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from crm_server.dataverse import crm_request_id
from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse, error_from, request_id, retry_after
from crm_tools.errors import UnavailableError, UnreadableAnswerError, UpstreamError
from crm_tools.operations import Action

if TYPE_CHECKING:
    import httpx

API_PATH = "/api/data/v9.2/"
LARGEST_ANSWER = 20 * 1024 * 1024
TIMEOUT_SECONDS = 60.0
CONNECT_SECONDS = 10.0
MOST_CONNECTIONS = 16
TRIES = 3
LONGEST_WAIT = 60.0
"""Seconds that one call waits in all for 429 to end."""

TOO_MANY = 429
UNAVAILABLE = frozenset({502, 503, 504})
REPEATABLE = frozenset({Action.READ, Action.CREATE})
"""What may be sent again when nobody knows whether it arrived: reads, and creates with a key of our own."""

COMMON_HEADERS = {"Accept": "application/json", "OData-Version": "4.0", "OData-MaxVersion": "4.0"}

_OUTCOME = {
    Action.READ: "Try again later.",
    Action.CREATE: "Whether the record was created is unknown; look for it before you create it again.",
    Action.UPDATE: "Whether the change was made is unknown; read the record before you change it again.",
    Action.DELETE: "Whether the record was deleted is unknown; read it before you delete it again.",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer, and whether the request had been sent before with an outcome nobody knows."""

    response: CrmResponse
    repeated: bool


@dataclass
class Sender:
    """Sends requests to one environment. ``sleep`` and ``rng`` are given by tests."""

    base_url: str
    auth: httpx.Auth | None = None
    transport: httpx.AsyncBaseTransport | None = None
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    rng: random.Random = field(default_factory=random.Random)
    _client: httpx.AsyncClient | None = field(default=None, init=False, repr=False)

    async def send(self, request: CrmRequest) -> Sent:
        """The answer to a request, successful or not.

        Raises:
            UpstreamError: There is no whole answer, or it must not be asked for.
        """
        url = self._url(request.path)
        unclear, waited = False, 0.0
        for attempt in range(1, TRIES + 1):
            last = attempt == TRIES
            try:
                response = await self._once(request, url)
            except UnavailableError:
                if last or request.action not in REPEATABLE:
                    raise
                unclear = True
                await self.sleep(self._backoff(attempt))
                continue
            if response.status == TOO_MANY:
                wait = retry_after(response) or self._backoff(attempt)
                if last or waited + wait > LONGEST_WAIT:
                    raise error_from(response)
                waited += wait
                await self.sleep(wait)
                continue
            if response.status in UNAVAILABLE and request.action in REPEATABLE and not last:
                unclear = True
                await self.sleep(self._backoff(attempt))
                continue
            return Sent(response, repeated=unclear)
        raise AssertionError("the last try returns or raises")

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    def _backoff(self, attempt: int) -> float:
        """Half a second, a second, two ..., each with jitter, at most eight."""
        ceiling: float = min(8.0, 0.5 * 2 ** (attempt - 1))
        return ceiling * (0.5 + self.rng.random() / 2)

    def _url(self, path: str) -> str:
        """The address of a path, or of a nextLink that stays in this environment's API.

        Raises:
            UnreadableAnswerError: The link leads elsewhere; the token must not go there.
        """
        if "://" not in path.partition("?")[0]:
            return f"{self.base_url}{API_PATH}{path}"
        link, own = urlsplit(path), urlsplit(self.base_url)
        if (link.scheme, link.netloc.lower()) != (own.scheme, own.netloc.lower()) or not link.path.startswith(
            API_PATH
        ):
            raise UnreadableAnswerError(
                "The CRM's answer names a next page at another address, which is not followed. "
                "What was shown so far is not all there is."
            )
        return path

    async def _once(self, request: CrmRequest, url: str) -> CrmResponse:
        import httpx

        try:
            async with self._connected().stream(
                request.method,
                httpx.URL(url),
                headers={**COMMON_HEADERS, **request.headers},
                json=request.body,
            ) as answer:
                response = CrmResponse(answer.status_code, dict(answer.headers), await _whole_body(answer))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise _translated(error, request.action) from None
        crm_request_id.set(request_id(response))
        return response

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient(
                auth=self.auth,
                transport=self.transport,
                timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS, pool=None),
                limits=httpx.Limits(max_connections=MOST_CONNECTIONS),
                follow_redirects=False,
            )
        return self._client


def checked(sent: Sent) -> CrmResponse:
    """The answer if it is a success.

    Raises:
        UpstreamError: It is not.
    """
    if not 200 <= sent.response.status < 300:
        raise error_from(sent.response)
    return sent.response


async def _whole_body(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise UnreadableAnswerError(
                f"The CRM's answer is larger than {LARGEST_ANSWER // 1024 // 1024} MB. "
                "Ask for fewer rows or columns."
            )
    return bytes(body)


def _translated(error: Exception, action: Action) -> UpstreamError:
    """A fault of the network in our own words."""
    import httpx

    if isinstance(
        error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol | httpx.InvalidURL
    ):
        return UnavailableError(
            "The CRM cannot be reached: no connection to its address. Nothing was changed. "
            "Check DYNAMICS_URL and the network of this server."
        )
    if isinstance(error, httpx.TimeoutException):
        return UnavailableError(f"The CRM did not answer in time. {_OUTCOME[action]}")
    if isinstance(error, httpx.DecodingError):
        return UnreadableAnswerError(f"The CRM's answer cannot be decoded. {_OUTCOME[action]}")
    return UnavailableError(f"The connection to the CRM broke. {_OUTCOME[action]}")
