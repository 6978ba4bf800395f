"""The one sender: a pooled client, retries, waiting as told, and no answer that is not whole.

Service protection: https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from crm_server.dataverse import crm_request_id
from crm_server.dataverse.addresses import Resolve, Watch, resolve, watch
from crm_server.dataverse.pacing import MOST_TOGETHER, Pacer
from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse, error_from, request_id, retry_after
from crm_server.dataverse.spans import RequestSpan, note, request_span, trace_headers
from crm_server.metering import UNMETERED, Meter
from crm_server.sign_in import callers
from crm_tools.errors import UnavailableError, UnreadableAnswerError, UpstreamError
from crm_tools.operations import Action

if TYPE_CHECKING:
    import httpx

API_PATH = "/api/data/v9.2/"
LARGEST_ANSWER = 20 * 1024 * 1024
TIMEOUT_SECONDS = 60.0
CONNECT_SECONDS = 10.0
DEADLINE_SECONDS = 120.0
"""How long one operation may take with all its waiting and repeating."""
TRIES = 5

TOO_MANY = 429
UNAVAILABLE = frozenset({502, 503, 504})

COMMON_HEADERS = {"Accept": "application/json", "OData-Version": "4.0", "OData-MaxVersion": "4.0"}

_OUTCOME = {
    Action.READ: "Try again later.",
    Action.CREATE: "Whether the record was created is unknown; look for it before you create it again.",
    Action.UPDATE: "Whether the change was made is unknown; read the record before you change it again.",
    Action.DELETE: "Whether the record was deleted is unknown; read it before you delete it again.",
}


@dataclass(frozen=True, slots=True)
class LateRead:
    """A read that is what ``at_its_turn`` says when it is sent: alone as ``request``, or with others."""

    request: CrmRequest
    at_its_turn: Callable[[], CrmRequest]


class NotSentError(UnavailableError):
    """No connection came about, so nothing was changed."""


class UnclearError(UnavailableError):
    """The request may or may not have been carried out."""


@dataclass
class Sender:
    """Sends requests to one environment. ``sleep``, ``clock`` and ``rng`` are given by tests.

    What is sent again, and when:

    ============================  =============================  ==========================================
    what happened                 a read                         a write
    ============================  =============================  ==========================================
    no connection                 again, after a growing wait    the same: nothing was sent
    429                           again, after the wait it asks  the same: nothing was done
    502, 503, 504, a broken       again, after a growing wait    :class:`UnclearError`; whoever wrote looks
    connection, no whole answer                                  at the row before anything is sent again
    ============================  =============================  ==========================================

    All of it ends with the operation's deadline.
    """

    base_url: str
    auth: httpx.Auth | None = None
    transport: httpx.AsyncBaseTransport | None = None
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    clock: Callable[[], float] = time.monotonic
    rng: random.Random = field(default_factory=random.Random)
    private_network: bool = False
    resolve: Resolve = resolve
    meter: Meter = UNMETERED
    _watch: Watch | None = field(default=None, init=False, repr=False)
    _client: httpx.AsyncClient | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.clock, self.sleep)

    def deadline(self) -> float:
        """When an operation that begins now has to end."""
        return self.clock() + DEADLINE_SECONDS

    async def send(self, request: CrmRequest | LateRead, deadline: float) -> CrmResponse:
        """The answer to a request, successful or not.

        What a late read is to be is asked each time its turn has come.

        Raises:
            UnclearError: The request writes, and nobody knows whether it was carried out.
            UpstreamError: There is no whole answer, or it must not be asked for.
        """
        known = request if isinstance(request, CrmRequest) else request.request
        with request_span(known.method, self._url(known.path)) as span:
            return span.answered(await self._repeated(request, known.action, deadline, span))

    async def _repeated(
        self, request: CrmRequest | LateRead, action: Action, deadline: float, span: RequestSpan
    ) -> CrmResponse:
        attempt = 0
        while True:
            attempt += 1
            span.sending()
            try:
                response = await self._once(request, action, deadline)
            except (NotSentError, UnclearError) as error:
                if isinstance(error, UnclearError) and action is not Action.READ:
                    raise
                await self.wait(attempt, deadline, error)
                continue
            if response.status == TOO_MANY:
                await self._throttled(response, attempt, deadline)
                attempt -= 1
            elif response.status not in UNAVAILABLE:
                self.pacer.answered(callers.key(), response.headers)
                return response
            elif action is Action.READ:
                await self.wait(attempt, deadline, error_from(response))
            else:
                raise UnclearError(
                    f"The CRM was not available. {_OUTCOME[action]}",
                    status=response.status,
                    request_id=request_id(response),
                )

    async def wait(self, attempt: int, deadline: float, error: UpstreamError) -> None:
        """Wait before the next try: half a second, a second, two ..., each with jitter, at most eight.

        Raises:
            UpstreamError: ``error``, when there were enough tries or no time is left.
        """
        seconds = min(8.0, 0.5 * 2 ** (attempt - 1)) * (0.5 + self.rng.random() / 2)
        if attempt >= TRIES or self.clock() + seconds > deadline:
            raise error
        note("crm.retry", attempt=attempt, wait_seconds=seconds, reason=error.code)
        await self.sleep(seconds)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _throttled(self, response: CrmResponse, attempt: int, deadline: float) -> None:
        asked = retry_after(response)
        seconds = asked if asked is not None else min(8.0, 0.5 * 2 ** (attempt - 1))
        if self.clock() + seconds > deadline:
            raise error_from(response)
        note("crm.throttled", wait_seconds=seconds)
        self.meter.throttled(seconds)
        # The pause is the caller's: what waits for a turn is sent after it, and less at a time.
        self.pacer.throttled(callers.key(), seconds)

    def _url(self, path: str) -> str:
        """The address of a path, or of a nextLink that stays in this environment's API.

        Raises:
            UnreadableAnswerError: The link leads elsewhere; the token must not go there.
        """
        if path.startswith("/"):
            # Another API of the same environment, such as search.
            return f"{self.base_url}{path}"
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

    async def _once(self, request: CrmRequest | LateRead, action: Action, deadline: float) -> CrmResponse:
        import httpx

        asked = self.clock()
        async with self.pacer.turn(callers.key()):
            self.meter.waited_for_crm(self.clock() - asked)
            left = deadline - self.clock()
            if left <= 0:
                raise NotSentError("The time for this call was over before the CRM could be asked.")
            try:
                with anyio.fail_after(left):
                    response = await self._measured(
                        request if isinstance(request, CrmRequest) else request.at_its_turn()
                    )
            except TimeoutError:
                raise UnclearError(f"The CRM did not answer in time. {_OUTCOME[action]}") from None
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                raise _translated(error, action) from None
        crm_request_id.set(request_id(response))
        return response

    async def _measured(self, request: CrmRequest) -> CrmResponse:
        sent, status = self.clock(), None
        try:
            response = await self._exchange(request)
            status = response.status
            return response
        finally:
            self.meter.asked_crm(request.method, status, self.clock() - sent)

    async def _exchange(self, request: CrmRequest) -> CrmResponse:
        import httpx

        client = self._connected()
        async with client.stream(
            request.method,
            httpx.URL(self._url(request.path)),
            headers={**COMMON_HEADERS, **request.headers, **trace_headers()},
            json=request.body,
            content=request.content,
            extensions={"trace": self._watch},
        ) as answer:
            return CrmResponse(answer.status_code, dict(answer.headers), await _whole_body(answer))

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            from crm_server.dataverse.transport import PooledTransport

            # Another transport than the network's connects nowhere.
            if self.transport is None:
                host = httpx.URL(self.base_url).raw_host.decode("ascii")
                self._watch = watch(host, self.private_network, self.resolve)
            self._client = httpx.AsyncClient(
                auth=self.auth,
                transport=self.transport or PooledTransport(self.base_url, MOST_TOGETHER),
                timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS, pool=None),
                follow_redirects=False,
            )
        return self._client


def checked(response: CrmResponse) -> CrmResponse:
    """The answer if it is a success.

    Raises:
        UpstreamError: It is not.
    """
    if not 200 <= response.status < 300:
        raise error_from(response)
    return response


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
        error,
        httpx.ConnectError
        | httpx.ConnectTimeout
        | httpx.ProxyError
        | httpx.UnsupportedProtocol
        | httpx.InvalidURL,
    ):
        return NotSentError(
            "The CRM cannot be reached: no connection to its address. Nothing was changed. "
            "Check DYNAMICS_URL and the network of this server."
        )
    if isinstance(error, httpx.TimeoutException):
        return UnclearError(f"The CRM did not answer in time. {_OUTCOME[action]}")
    if isinstance(error, httpx.DecodingError):
        if action is not Action.READ:
            return UnclearError(f"The CRM's answer cannot be decoded. {_OUTCOME[action]}")
        return UnreadableAnswerError("The CRM's answer cannot be decoded. Try again later.")
    return UnclearError(f"The connection to the CRM broke. {_OUTCOME[action]}")
