"""Faults that need a real connection: the server drops it, cuts an answer, or lets a client wait."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

import httpx
import pytest

from tests.sandbox.trouble.small_crm import API, SmallCrm, served, troubled


def raw_answer(client, request):
    """All bytes that a server sends for a request until it closes the connection."""
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


@pytest.mark.parametrize("stored", [False, True])
def test_a_dropped_connection_sends_not_one_byte(stored, caplog):
    crm = SmallCrm()
    with (
        caplog.at_level(logging.WARNING),
        served(troubled({"what": "drop", "stored": stored}, app=crm)) as client,
    ):
        body = b'{"name": "a"}'
        head = f"POST {API}rows HTTP/1.1\r\nHost: crm.test\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        assert raw_answer(client, head + body) == b""
        assert crm.rows == ([{"name": "a"}] if stored else [])
        with pytest.raises(httpx.TransportError):
            client.post("rows", json={"name": "b"})
    assert caplog.records == []


def test_after_a_drop_the_next_connection_is_served():
    with served(troubled({"what": "drop", "every": 2})) as client:
        assert client.get("rows").status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("rows")
        assert client.get("rows").status_code == 200


def test_a_large_upload_is_dropped_as_well():
    crm = SmallCrm()
    with served(troubled({"what": "drop", "method": "POST"}, app=crm)) as client:
        with pytest.raises(httpx.TransportError):
            client.post("rows", content=b"x" * 5_000_000)
        assert crm.rows == []
        assert client.get("rows").status_code == 200


def test_a_truncated_answer_promises_all_and_sends_half(caplog):
    crm = SmallCrm()
    with caplog.at_level(logging.WARNING), served(troubled({"what": "truncate"}, app=crm)) as client:
        whole = b'[{"name": "' + b"a" * 500_000 + b'"}]'
        body = whole[1:-1]
        head = f"POST {API}rows HTTP/1.1\r\nHost: crm.test\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        headers, _, received = raw_answer(client, head + body).partition(b"\r\n\r\n")
        assert headers.startswith(b"HTTP/1.1 201 ")
        assert f"content-length: {len(whole)}".encode() in headers.lower()
        assert received == whole[: len(whole) // 2]
        assert len(crm.rows) == 1
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            client.get("rows")
    assert caplog.records == []


def test_a_client_that_does_not_wait_for_a_slow_answer_has_stored_all_the_same():
    crm, patience = SmallCrm(), threading.Event()

    async def sleep(_):
        await asyncio.to_thread(patience.wait, 10)

    app = troubled({"what": "slow", "seconds": 30, "count": 1}, app=crm, sleep=sleep)
    with served(app) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("rows", json={"name": "a"}, timeout=0.2)
        patience.set()
        assert client.get("rows").json()["value"] == [{"name": "a"}]


def test_a_trickle_comes_piece_by_piece():
    may_go_on = threading.Semaphore(0)

    async def sleep(_):
        assert await asyncio.to_thread(may_go_on.acquire, timeout=10)

    app = troubled({"what": "slow", "seconds": 10, "trickle": True}, sleep=sleep)
    pieces = []
    with served(app) as client, client.stream("GET", "rows") as answer:
        assert answer.status_code == 200
        may_go_on.release()
        for piece in answer.iter_raw():
            pieces.append(piece)
            may_go_on.release()
    assert len(pieces) == 10
    assert b"".join(pieces).startswith(b'{"value": []')
