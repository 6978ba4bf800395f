"""HTTP/1.1 for people in a hurry: what a request is comes soon and is small, or the connection ends.

uvicorn bounds neither the time nor the size of a head, or of what may follow a body (trailers); it waits
without end for the rest of a message that it has answered already, and for a reader who does not read. So who
sends a byte a minute, or takes none, would hold a connection, and who sends trailers its memory.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 15.0
MESSAGE_SECONDS = 30.0
"""From the head to the end of the body. The application itself gives up earlier, and says so."""
TAKING_SECONDS = 60.0
"""How long an answer waits for somebody who takes more of it."""
LARGEST_HEAD = 32 * 1024

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _TooLargeError(Exception):
    """A head or trailer is larger than any that is meant."""


class ImpatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools, with bounds."""

    _awaited: asyncio.TimerHandle | None = None
    _untaken: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _unfinished_bytes = 0
    """Of what the parser has not made anything of: half a header, the frame of a chunk."""
    _piece = b""

    def connection_made(self, transport: Any) -> None:
        """A connection begins, and with it the wait for a head."""
        super().connection_made(transport)
        self._await_for(HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Bytes come: of a head, of a body, or of the request after it."""
        if self._awaited is None:
            self._await_for(HEAD_SECONDS)
        self._unfinished_bytes += len(data)
        self._piece = data
        super().data_received(data)
        self._piece = b""
        if self._unfinished_bytes > LARGEST_HEAD:
            self._end()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_bytes = 0
        if self._awaited is None:
            self._await_for(HEAD_SECONDS)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._await_for(MESSAGE_SECONDS)
        if self.parser.should_upgrade():
            return  # It is begun anew, see below.
        self._take_host_of_address()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._unfinished_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A message is whole."""
        self._unfinished_bytes = 0
        if self.parser.should_upgrade():
            return
        self._await_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is on its way; if it is the last one, somebody has to take it."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_takers()

    def pause_writing(self) -> None:
        """There is more to send than is taken."""
        super().pause_writing()
        self._await_takers()

    def resume_writing(self) -> None:
        """It was taken."""
        self._await_no_takers()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """No other request came."""
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ends."""
        self._await_nothing()
        self._await_no_takers()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Say that it is no request, or too large to be one."""
        if self._head_bytes <= LARGEST_HEAD:
            super().send_400_response(msg)
            return
        self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Read the request as if it asked for no other protocol, which a server may (RFC 9110, section 7.8).

        The parser takes what follows such a head for the other protocol, and with it the body. Java's client,
        for one, asks for HTTP/2 with its first request whatever it sends.
        """
        upgrade = sys.exception()
        assert isinstance(upgrade, httptools.HttpParserUpgrade)  # noqa: S101 - it is asked for there alone
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.logger.warning("There is nothing to connect to.")
            self.send_400_response("There is nothing to connect to.")
            return
        connection = b",".join(value for name, value in self.headers if name == b"connection").lower()
        kept = [item for item in self.headers if item[0] not in (b"connection", b"upgrade")]
        if b"close" in (word.strip() for word in connection.split(b",")):
            kept.append((b"connection", b"close"))
        version = self.parser.get_http_version().encode()
        head = b"%s %s HTTP/%s\r\n" % (method, self.url, version)
        head += b"".join(b"%s: %s\r\n" % item for item in kept) + b"\r\n"
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # As the one before it.
        self.data_received(head + self._piece[upgrade.args[0] :])

    def _take_host_of_address(self) -> None:
        """An address with a host is the one that counts (RFC 9112, section 3.2.2)."""
        if self.url.startswith((b"/", b"*")):
            return
        parsed: Any = httptools.parse_url(self.url)
        port = b"" if parsed.port is None else b":%d" % parsed.port
        self.headers[:] = [item for item in self.headers if item[0] != b"host"]
        self.headers.append((b"host", (parsed.host or b"") + port))

    def _count(self, size: int) -> None:
        self._unfinished_bytes = 0
        self._head_bytes += size
        if self._head_bytes > LARGEST_HEAD:
            raise _TooLargeError

    def _await_for(self, seconds: float) -> None:
        self._await_nothing()
        self._awaited = self.loop.call_later(seconds, self._came_too_late)

    def _await_nothing(self) -> None:
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None

    def _came_too_late(self) -> None:
        self._awaited = None
        cycle: Any = self.cycle  # None before the first request, which its type does not say.
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            # A call goes on; what came behind its request, such as the line break of some clients, has time.
            self._await_for(HEAD_SECONDS)
            return
        self._end()

    def _end(self) -> None:
        self.transport.close()
        self._await_takers()

    def _await_takers(self) -> None:
        """What has been written is still sent; who does not take it holds nothing for long."""
        if self._untaken is None:
            self._untaken = self.loop.call_later(TAKING_SECONDS, self.transport.abort)

    def _await_no_takers(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None
