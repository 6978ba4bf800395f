"""The stdio transport: one JSON-RPC message a line on stdin and stdout, without threads.

The descriptors are watched by the event loop, which halves the latency of a transport that hands each line
through worker threads. They are never made non-blocking: that flag belongs to the open file, which stdin,
stdout and stderr may share with each other and with the parent process. A read after the loop has reported
data does not block, nor does a write of at most ``PIPE_BUF`` bytes after ``poll`` has reported room (POSIX).

While it serves, fd 1 is stderr and fd 0 the null device, so what handlers and child processes print or read
never touches the wire.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.lowlevel
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    INTERNAL_ERROR,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream

    Streams = tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]]

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Longest line that is read. A longer one is skipped and answered with a JSON-RPC parse error."""

GRACE_SECONDS = 1.0
"""How long calls that are under way may go on after the end has begun."""

FLUSH_SECONDS = 0.5
"""How long after that the last answers may take to be written."""

_CHUNK_BYTES = 256 * 1024
_STDIN, _STDOUT, _STDERR = 0, 1, 2

# A subscription is a stream that lasts as long as the connection, not a call whose answer is awaited.
_ENDLESS_REQUESTS = frozenset({"subscriptions/listen"})

_log = logging.getLogger(__name__)


@asynccontextmanager
async def stdio_streams(stop: anyio.Event | None = None) -> AsyncIterator[Streams]:
    """Streams for ``Server.run`` over this process's stdin and stdout.

    The end begins when stdin ends, stdout is closed by its reader, or ``stop`` is set; ``stop`` is set in
    each of these cases. Then nothing more is read, calls under way get ``GRACE_SECONDS`` to be answered, the
    read stream ends, and what was sent is written within ``FLUSH_SECONDS``, each message whole.

    On Windows, and where stdin cannot be watched, the SDK's own transport is used; setting ``stop`` then
    cancels the body at once.
    """
    stop = stop or anyio.Event()
    stdin = _kind_of_stdin()
    if stdin == "unwatchable":
        async with _sdk_streams(stop) as streams:
            yield streams
        return
    with _wire() as (read_fd, write_fd):
        async with _pipe_streams(read_fd, write_fd, stop, waits=stdin == "pipe") as streams:
            yield streams


class LineSplitter:
    """Cuts bytes into lines without their newline; a line longer than ``limit`` bytes comes out as None."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = bytearray()
        self._too_long = False

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """The lines that the chunk completes."""
        *endings, rest = chunk.split(b"\n")
        for ending in endings:
            self._add(ending)
            yield self._take()
        self._add(rest)

    def finish(self) -> Iterator[bytes | None]:
        """The last line, if it had no newline."""
        if self._line or self._too_long:
            yield self._take()

    def _add(self, piece: bytes) -> None:
        if self._too_long or len(self._line) + len(piece) > self._limit:
            self._too_long = True
            self._line.clear()
        else:
            self._line += piece

    def _take(self) -> bytes | None:
        line = None if self._too_long else bytes(self._line)
        self._line.clear()
        self._too_long = False
        return line


class _InFlight:
    """The ids of requests that have been received and not been answered."""

    def __init__(self) -> None:
        self._ids: set[RequestId] = set()
        self._changed = anyio.Event()

    def received(self, message: JSONRPCMessage) -> None:
        match message:
            case JSONRPCRequest() if message.method not in _ENDLESS_REQUESTS:
                self._ids.add(message.id)
            case JSONRPCNotification(
                method="notifications/cancelled", params={"requestId": int() | str() as cancelled}
            ):
                self._discard(cancelled)  # A cancelled request is never answered.
            case _:
                pass

    def answered(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
            self._discard(message.id)

    def give_up(self) -> None:
        self._ids.clear()
        self._changed.set()

    async def settled(self) -> None:
        while self._ids:
            self._changed = anyio.Event()
            await self._changed.wait()

    def _discard(self, request_id: RequestId) -> None:
        self._ids.discard(request_id)
        self._changed.set()


class _Pipes:
    """The three tasks of the transport: read, write, and end both in time."""

    def __init__(self, read_fd: int, write_fd: int, stop: anyio.Event, *, waits: bool) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._stop = stop
        self._waits = waits
        self._in_flight = _InFlight()
        self._reading = anyio.CancelScope()
        # Cancelling the server must not tear a message apart: only `end` ends the writer, by the clock.
        self._writing = anyio.CancelScope(shield=True)
        self._written = anyio.Event()
        self._received: MemoryObjectSendStream[SessionMessage | Exception]
        self.read_stream: MemoryObjectReceiveStream[SessionMessage | Exception]
        self.write_stream: MemoryObjectSendStream[SessionMessage]
        self._to_write: MemoryObjectReceiveStream[SessionMessage]
        # No buffers: a slow side makes the other wait.
        self._received, self.read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        self.write_stream, self._to_write = anyio.create_memory_object_stream[SessionMessage](0)

    async def read(self) -> None:
        lines = LineSplitter(MAX_MESSAGE_BYTES)
        with self._reading, suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            while chunk := await self._chunk():
                for line in lines.feed(chunk):
                    await self._deliver(line)
            for line in lines.finish():
                await self._deliver(line)
        self._stop.set()

    async def write(self) -> None:
        try:
            with self._writing:
                async for item in self._to_write:
                    await _write_whole(self._write_fd, _encoded(item.message))
                    self._in_flight.answered(item.message)
        except OSError:
            _log.debug("stdout was closed by its reader")
        finally:
            self._to_write.close()
            self._in_flight.give_up()
            self._written.set()
            self._stop.set()

    async def end(self) -> None:
        with anyio.CancelScope(shield=True):  # `stop` is set on every way out, and all else here has a limit.
            await self._stop.wait()
            self._reading.cancel()
            with anyio.move_on_after(GRACE_SECONDS):
                await self._in_flight.settled()
            self._received.close()
            with anyio.move_on_after(FLUSH_SECONDS):
                await self._written.wait()
            self._writing.cancel()

    def close(self) -> None:
        self._in_flight.give_up()
        self.read_stream.close()
        self.write_stream.close()
        self._stop.set()

    async def _chunk(self) -> bytes:
        while True:
            if self._waits:
                await anyio.wait_readable(self._read_fd)
            else:
                await anyio.lowlevel.checkpoint()
            try:
                return os.read(self._read_fd, _CHUNK_BYTES)
            except BlockingIOError:
                continue  # The parent gave a non-blocking descriptor and the data is gone again.
            except OSError:
                return b""  # A terminal that hung up, a socket that was reset.

    async def _deliver(self, line: bytes | None) -> None:
        if line is None:
            _log.warning("skipped a line on stdin that is longer than %d bytes", MAX_MESSAGE_BYTES)
            message = (
                f"The message is longer than {MAX_MESSAGE_BYTES // 1024 // 1024} MiB; send a shorter one."
            )
            await self.write_stream.send(SessionMessage(_error(None, PARSE_ERROR, message)))
            return
        try:
            received = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError as error:
            _log.warning("skipped a line on stdin that is not a JSON-RPC message")
            await self._received.send(error)
            return
        self._in_flight.received(received)
        await self._received.send(SessionMessage(received))


@asynccontextmanager
async def _pipe_streams(
    read_fd: int, write_fd: int, stop: anyio.Event, *, waits: bool
) -> AsyncIterator[Streams]:
    pipes = _Pipes(read_fd, write_fd, stop, waits=waits)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pipes.read)
        tasks.start_soon(pipes.write)
        tasks.start_soon(pipes.end)
        try:
            yield pipes.read_stream, pipes.write_stream
        finally:
            pipes.close()


@asynccontextmanager
async def _sdk_streams(stop: anyio.Event) -> AsyncIterator[Streams]:
    from mcp.server.stdio import stdio_server

    async with anyio.create_task_group() as tasks:

        async def cancel_on_stop() -> None:
            await stop.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(cancel_on_stop)
        async with stdio_server() as streams:
            yield streams
        stop.set()


def _error(request_id: RequestId | None, code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message))


def _encoded(message: JSONRPCMessage) -> bytes:
    try:
        text = message.model_dump_json(by_alias=True, exclude_unset=True)
    except ValueError:
        # A lone surrogate, which JSON can spell and UTF-8 cannot: the call fails, the connection lives.
        _log.exception("an outgoing message cannot be written as UTF-8")
        request_id = message.id if isinstance(message, JSONRPCResponse | JSONRPCError) else None
        text = _error(
            request_id, INTERNAL_ERROR, "The answer holds text that is not valid Unicode."
        ).model_dump_json(by_alias=True, exclude_unset=True)
    return text.encode() + b"\n"


async def _write_whole(fd: int, data: bytes) -> None:
    """Writes all of data, waiting for the reader without blocking the event loop.

    Raises:
        OSError: The reader has closed its end.
    """
    import select  # `poll` and `PIPE_BUF` exist on POSIX only, as this function does.

    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    rest = memoryview(data)
    while rest:
        if not poll.poll(0):
            await anyio.wait_writable(fd)
        try:
            rest = rest[os.write(fd, rest[: select.PIPE_BUF]) :]
        except BlockingIOError:
            await anyio.wait_writable(fd)


def _kind_of_stdin() -> Literal["pipe", "file", "unwatchable"]:
    """How to read fd 0: wait for data (pipe, socket, terminal), at once (file, null device), or not here."""
    if sys.platform == "win32":
        return "unwatchable"
    if stat.S_ISREG(os.fstat(_STDIN).st_mode):
        return "file"
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(_STDIN, lambda: None)
    except PermissionError:
        return "file"  # Linux refuses to watch what never blocks.
    except (OSError, NotImplementedError):
        return "unwatchable"
    loop.remove_reader(_STDIN)
    return "pipe"


@contextmanager
def _wire() -> Iterator[tuple[int, int]]:
    """Private descriptors of stdin and stdout, while the standard ones lead elsewhere."""
    read_fd, write_fd = _private_copy(_STDIN), _private_copy(_STDOUT)
    _point(_STDIN, os.open(os.devnull, os.O_RDONLY))
    _point(_STDOUT, _copy_of_stderr())
    try:
        yield read_fd, write_fd
    finally:
        # What was printed and is still buffered must not come out on the wire.
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        _point(_STDOUT, write_fd)
        _point(_STDIN, read_fd)


def _private_copy(fd: int) -> int:
    import fcntl  # POSIX only, as this function is.

    # 3 and up: where stderr is closed, a plain copy would become the new stderr.
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def _copy_of_stderr() -> int:
    try:
        return os.dup(_STDERR)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _point(standard_fd: int, source_fd: int) -> None:
    """Makes the standard descriptor what the source is, and closes the source."""
    os.dup2(source_fd, standard_fd)
    os.close(source_fd)
