"""One request to an address without a token: is it reached and trusted, and what time is it there?"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

SECONDS = 15.0
LARGEST_ANSWER = 1024 * 1024

# https://www.openssl.org/docs/manmaster/man3/X509_STORE_CTX_get_error.html
_EXPIRED, _NOT_YET, _OTHER_NAMES = 10, 9, (62, 64)


@dataclass(frozen=True, slots=True)
class Reached:
    """An answer. ``date`` is what the Date header says, ``expires`` the end of the certificate.

    ``location`` is where it leads, if it leads elsewhere.
    """

    status: int
    body: bytes
    location: str | None
    date: datetime | None
    expires: datetime | None


class NotReachedError(Exception):
    """There is no answer. ``found`` says why, ``todo`` what to do, both in our words."""

    def __init__(self, found: str, todo: str) -> None:
        super().__init__(found)
        self.found = found
        self.todo = todo


async def probe(
    address: str,
    setting: str,
    form: Mapping[str, str] | None = None,
    proof: tuple[str, str] | None = None,
) -> Reached:
    """What an address answers to somebody without a token; ``setting`` is what names it.

    A form is sent to it, if one is given, with a name and password beside it.

    Raises:
        NotReachedError: It does not.
    """
    try:
        async with (
            httpx.AsyncClient(timeout=SECONDS, follow_redirects=False) as http,
            http.stream(
                "GET" if form is None else "POST",
                address,
                data=form,
                headers={"Accept": "application/json"},
                auth=httpx.USE_CLIENT_DEFAULT if proof is None else httpx.BasicAuth(*proof),
            ) as answer,
        ):
            # Before the body is read: the connection is given back with its end.
            expires = _expiry(answer)
            body = b""
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    break
            return Reached(answer.status_code, body, answer.headers.get("location"), _date(answer), expires)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _translated(error, httpx.URL(address).host, setting) from None


def _expiry(answer: httpx.Response) -> datetime | None:
    stream: Any = answer.extensions.get("network_stream")
    encrypted: Any = None if stream is None else stream.get_extra_info("ssl_object")
    until = None if encrypted is None else (encrypted.getpeercert() or {}).get("notAfter")
    return None if until is None else datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC)


def _date(answer: httpx.Response) -> datetime | None:
    try:
        found = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _translated(error: Exception, host: str, setting: str) -> NotReachedError:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause.verify_code, host, setting)
        if isinstance(cause, ssl.SSLError):
            return NotReachedError(
                f"{host} does not speak TLS as it should", f"Check the address and port in {setting}."
            )
        if isinstance(cause, socket.gaierror):
            return NotReachedError(
                f"the name {host} is not known", f"Check {setting} and this machine's name service (DNS)."
            )
        if isinstance(cause, ConnectionRefusedError):
            return NotReachedError(
                f"nothing listens at {host}",
                f"Check the address and port in {setting}, or start what is there.",
            )
    if isinstance(error, httpx.ProxyError):
        return NotReachedError("the proxy does not let it through", "Check HTTPS_PROXY and NO_PROXY.")
    if isinstance(error, httpx.TimeoutException):
        return NotReachedError(
            f"{host} does not answer within {SECONDS:.0f} seconds",
            "Let this machine reach it: check the firewall, HTTPS_PROXY and NO_PROXY.",
        )
    return NotReachedError(
        f"the connection to {host} does not come about or breaks", f"Check {setting} and the network."
    )


def _untrusted(code: int, host: str, setting: str) -> NotReachedError:
    if code == _EXPIRED:
        return NotReachedError(f"the certificate of {host} has expired", "Have it renewed there.")
    if code == _NOT_YET:
        return NotReachedError(
            f"the certificate of {host} is not valid yet", "Check this machine's clock and time service."
        )
    if code in _OTHER_NAMES:
        return NotReachedError(
            f"the certificate is for other names than {host}", f"Set {setting} to the name that it is for."
        )
    return NotReachedError(
        f"the certificate of {host} is of an authority that is not trusted here",
        "Set SSL_CERT_FILE and REQUESTS_CA_BUNDLE to a file with the certificate of that authority.",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it; anyio raises several failed attempts as a group."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _causes(one)
        error = error.__cause__ or error.__context__
