"""Connections of which nothing comes, or too much: they end, and hold neither memory nor a place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from crm_server.web import impatience
from crm_server.web.impatience import LARGEST_HEAD, ImpatientProtocol
from tests.web.raw import answer_on, answered, connected, rest_of, statuses
from tests.web.team import MODERN, Team, team, token_of

pytestmark = pytest.mark.anyio
HOST = b"Host: 127.0.0.1\r\n"
OK = b"\r\n\r\nok\n"
MUCH = 8_000_000
"""More than all the buffers between two sockets."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Team]:
    async with team(tmp_path) as made:
        yield made


def endless(begin: bytes, part: bytes) -> list[bytes]:
    return [begin, *[part] * (MUCH // len(part))]


CHUNKED = b"POST /mcp HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "an address": endless(b"GET /", b"x" * 10_000),
    "a header": endless(b"GET /healthz HTTP/1.1\r\nX-Long: ", b"x" * 10_000),
    "headers": endless(b"GET /healthz HTTP/1.1\r\n", b"X-Many: y\r\n" * 1_000),
    "a trailer": endless(CHUNKED + b"0\r\nX-Long: ", b"x" * 10_000),
    "trailers": endless(CHUNKED + b"0\r\n", b"X-Many: y\r\n" * 1_000),
    "the frame of a chunk": endless(CHUNKED + b"1;extension=", b"x" * 10_000),
    "line breaks": endless(b"", b"\r\n" * 5_000),
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_what_has_no_end_ends_the_connection(kind: str, server: Team) -> None:
    async with connected(server.root) as stream:
        with pytest.raises(anyio.BrokenResourceError):
            await _send_all(stream, ENDLESS[kind])


async def _send_all(stream: Any, parts: list[bytes]) -> None:
    for part in parts:
        await stream.send(part)


async def test_a_head_that_is_too_large_is_told_so_also_in_one_piece(server: Team) -> None:
    padding = b"X-Padding: " + b"x" * LARGEST_HEAD + b"\r\n"
    answer = await answered(server.root, b"GET /healthz HTTP/1.1\r\n" + HOST + padding + b"\r\n")
    assert statuses(answer) == [431]
    small = padding[: LARGEST_HEAD - 200] + b"\r\nConnection: close\r\n"
    answer = await answered(server.root, b"GET /healthz HTTP/1.1\r\n" + HOST + small + b"\r\n")
    assert statuses(answer) == [200]


@pytest.mark.parametrize("before", [b"", b"\r\n", b"GET /healthz HT"], ids=str)
async def test_who_does_not_come_to_the_point_is_not_waited_for(
    before: bytes, server: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impatience, "HEAD_SECONDS", 0.2)
    assert await answered(server.root, before) == b""


async def test_line_breaks_after_an_answer_keep_no_connection(
    server: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impatience, "HEAD_SECONDS", 0.2)
    async with connected(server.root) as stream:
        await stream.send(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
        await answer_on(stream, OK)
        assert await _ends_while_dripping(stream, b"\r\n")


@pytest.mark.parametrize("request_line", [b"POST /mcp", b"GET /healthz", b"PUT /nowhere"], ids=str)
async def test_the_rest_of_a_message_that_was_answered_is_not_waited_for(
    request_line: bytes, server: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impatience, "MESSAGE_SECONDS", 0.2)
    async with connected(server.root) as stream:
        await stream.send(request_line + b" HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n")
        assert statuses(await stream.receive())[0] in (200, 401, 404)
        assert await _ends_while_dripping(stream, b"x")


async def _ends_while_dripping(stream: Any, drop: bytes) -> bool:
    """Send a drop now and then: whether the connection ends."""
    with anyio.move_on_after(5):
        try:
            while True:
                await stream.send(drop)
                with anyio.move_on_after(0.02):
                    await stream.receive()
        except (anyio.BrokenResourceError, anyio.EndOfStream):
            return True
    return False


async def test_who_takes_no_answer_holds_no_connection(server: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = anyio.Event()
    lost = ImpatientProtocol.connection_lost

    def noted(protocol: ImpatientProtocol, error: Exception | None) -> None:
        lost(protocol, error)
        ended.set()

    monkeypatch.setattr(impatience, "TAKING_SECONDS", 0.2)
    monkeypatch.setattr(ImpatientProtocol, "connection_lost", noted)
    async with connected(server.root) as stream:
        # A list of tools has some thirty kilobytes: these are more than the buffers between two sockets.
        await stream.send(a_message("tools/list", {}) * 400)
        await ended.wait()
        assert ended.is_set()


async def test_a_line_break_behind_a_call_does_not_cut_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, impatient = anyio.Event(), anyio.Event()
    too_late = ImpatientProtocol._came_too_late

    def noted(protocol: ImpatientProtocol) -> None:
        too_late(protocol)
        impatient.set()

    def held(sandbox: Any) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            asked.set()
            await impatient.wait()
            await sandbox(scope, receive, send)

        return app

    monkeypatch.setattr(impatience, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(ImpatientProtocol, "_came_too_late", noted)
    async with team(tmp_path, wrap=held) as server, connected(server.root) as stream:
        await stream.send(a_call(b"Connection: close"))
        await asked.wait()
        await stream.send(b"\r\n")
        answer = await rest_of(stream)
    assert impatient.is_set()
    assert statuses(answer) == [200]


def a_message(method: str, params: dict[str, Any], *headers: bytes, target: bytes = b"/mcp") -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": MODERN}}
    body = json.dumps(message).encode()
    usual = [
        "Host: 127.0.0.1",
        "Accept: application/json, text/event-stream",
        "Content-Type: application/json",
        "MCP-Protocol-Version: 2026-07-28",
        f"Mcp-Method: {method}",
        f"Authorization: Bearer {token_of('ann')}",
        f"Content-Length: {len(body)}",
    ]
    if "name" in params:
        usual.append(f"Mcp-Name: {params['name']}")
    lines = [b"POST " + target + b" HTTP/1.1", *(line.encode() for line in usual), *headers, b"", body]
    return b"\r\n".join(lines)


def a_call(*headers: bytes, target: bytes = b"/mcp") -> bytes:
    arguments = {"name": "list_leads", "arguments": {"top": 1}}
    return a_message("tools/call", arguments, *headers, target=target)


@pytest.mark.parametrize("wanted", [b"h2c", b"websocket"], ids=str)
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_wish_for_another_protocol_loses_nothing_of_a_call(
    at_once: bool, wanted: bytes, server: Team
) -> None:
    call = a_call(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + wanted)
    last = b"GET /healthz HTTP/1.1\r\nConnection: close, upgrade\r\nUpgrade: " + wanted + b"\r\n\r\n"
    pieces = [call + last] if at_once else [*(bytes([one]) for one in call[:-1]), call[-1:] + last]
    answer = await answered(server.root, *pieces)
    assert statuses(answer) == [200, 200]
    assert b'"more":true' in answer


@pytest.mark.parametrize("target", [b"evil.example:443", b"/mcp", b"127.0.0.1:80"], ids=str)
async def test_there_is_nothing_to_connect_to(target: bytes, server: Team) -> None:
    head = b"CONNECT " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    assert statuses(await answered(server.root, head + b"GET /healthz HTTP/1.1\r\n\r\n")) == [400]


async def test_the_host_in_an_address_counts_and_not_the_header(server: Team) -> None:
    close = b"Connection: close"
    foreign = await answered(server.root, a_call(close, target=b"http://evil.example/mcp"))
    assert statuses(foreign) == [421]
    own = a_call(close, target=b"http://127.0.0.1/mcp").replace(HOST, b"Host: evil.example\r\n")
    assert statuses(await answered(server.root, own)) == [200]


TWO_WAYS = {
    "a length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a list of lengths": b"Content-Length: 5, 5\r\n\r\nhello",
    "a length with a sign": b"Content-Length: +5\r\n\r\nhello",
    "a negative length": b"Content-Length: -5\r\n\r\nhello",
    "a length that is none": b"Content-Length: 5x\r\n\r\nhello",
    "an immense length": b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks that are not last": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a chunk that is none": b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n",
    "an immense chunk": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\nhello",
    "chunks by line feeds": b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "a header over two lines": b"X-Folded: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
    "nothing in a header": b"X-Nothing: a\0b\r\nContent-Length: 5\r\n\r\nhello",
    "a head by returns": b"X-Return: a\rContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("kind", TWO_WAYS)
async def test_what_two_servers_would_read_in_two_ways_is_read_by_none(kind: str, server: Team) -> None:
    token = f"Authorization: Bearer {token_of('ann')}\r\n".encode()
    hidden = b"GET /healthz HTTP/1.1\r\nHost: hidden\r\n\r\n"
    answer = await answered(server.root, b"POST /mcp HTTP/1.1\r\n" + HOST + token + TWO_WAYS[kind] + hidden)
    assert statuses(answer) == [400]
    assert not answer.endswith(OK)
