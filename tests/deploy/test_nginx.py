"""deploy/nginx.conf in a real nginx, before a real server: what passes, and what does not."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from anyio.abc import ObjectReceiveStream, SocketStream

from crm_sandbox.identity.certificates import make_certificates
from tests.web.team import MODERN, Team, team, token_of

pytestmark = pytest.mark.anyio
CONFIGURATION = Path(__file__).parent.parent.parent / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
HIDDEN = (
    "/metrics",
    "/metrics/",
    "//metrics",
    "/%6Detrics",
    "/./metrics",
    "/x/../metrics",
    "/metrics?x=1",
    "/readyz",
)


def beside_certificates(folder: Path, text: str) -> Path:
    """nginx.conf in a folder with certificates where it looks for them."""
    made = make_certificates(folder / "made")
    (folder / "tls").mkdir()
    shutil.copy(made.certificate_file, folder / "tls" / "tls.crt")
    shutil.copy(made.key_file, folder / "tls" / "tls.key")
    file = folder / "nginx.conf"
    file.write_text(text)
    return file


def test_nginx_takes_the_file_as_it_is(tmp_path: Path) -> None:
    file = beside_certificates(tmp_path, CONFIGURATION.read_text())
    verdict = subprocess.run([NGINX, "-t", "-c", file], capture_output=True, text=True, check=False)
    assert verdict.returncode == 0, verdict.stderr


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """A text with other words, each of which it has."""
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    return text


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(file: Path) -> Iterator[None]:
    """An nginx with this configuration, while inside."""
    nginx = subprocess.Popen([NGINX, "-c", file, "-g", "daemon off;"])
    try:
        yield
    finally:
        nginx.terminate()
        nginx.wait(timeout=10)


@asynccontextmanager
async def nginx_before(upstream: str, tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """nginx before this host and port: a client that trusts the certificate, and nginx's address.

    Only places differ from the file: ports, and paths in the temporary folder.
    """
    plain, secure = free_port(), free_port()
    text = replaced(
        CONFIGURATION.read_text(),
        ("listen 8080", f"listen 127.0.0.1:{plain}"),
        ("listen 8443", f"listen 127.0.0.1:{secure}"),
        ("server:8321", upstream),
        ("/tmp/", f"{tmp_path}/"),  # noqa: S108 - a path in the file
        ("/dev/stdout", f"{tmp_path}/access.log"),
    )
    file = beside_certificates(tmp_path, text)
    trust = ssl.create_default_context(cafile=str(tmp_path / "made" / "ca.pem"))
    with running(file):
        async with httpx.AsyncClient(verify=trust, timeout=20) as http:
            await listens(secure)
            yield http, f"https://127.0.0.1:{secure}"


@asynccontextmanager
async def behind_nginx(tmp_path: Path) -> AsyncIterator[tuple[Team, httpx.AsyncClient, str]]:
    """A server behind nginx: itself, a client that trusts the certificate, and nginx's address."""
    async with (
        team(tmp_path, DYNAMICS_METRICS="true") as served,
        nginx_before(urlsplit(served.root).netloc, tmp_path) as (http, address),
    ):
        yield served, http, address


async def listens(port: int) -> None:
    with anyio.fail_after(20):
        while True:
            try:
                await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
            except OSError:
                await anyio.lowlevel.checkpoint()
            else:
                return


async def test_calls_pass_and_what_is_for_the_operator_does_not(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path) as (served, http, address):
        through = Team(http, f"{address}/mcp")
        answer = await through.call("ann", "list_leads", {"top": 1})
        assert answer.json()["result"]["structuredContent"]["records"], answer.text
        assert (await http.get(f"{address}/healthz")).status_code == 200
        assert (await served.http.get(f"{served.root}/metrics")).status_code == 200
        for path in HIDDEN:
            status, body = await raw(urlsplit(address).port or 0, path, tmp_path)
            assert status == 404, path
            assert b"crm_mcp" not in body


async def raw(port: int, path: str, tmp_path: Path) -> tuple[int, bytes]:
    """A request whose path is sent exactly so; clients of HTTP tidy it up."""
    trust = ssl.create_default_context(cafile=str(tmp_path / "made" / "ca.pem"))
    stream = await anyio.connect_tcp("127.0.0.1", port, ssl_context=trust, tls_standard_compatible=False)
    async with stream:
        await stream.send(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join([part async for part in stream])
    return int(answer.split()[1]), answer


async def test_the_server_still_checks_the_host_that_was_asked_for(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path) as (_served, http, address):
        through = Team(http, f"{address}/mcp")
        answer = await through.call("ann", "list_leads", {"top": 1}, Host="evil.example")
    assert answer.status_code == 421


async def test_a_message_that_is_too_large_ends_at_nginx(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path) as (_served, http, address):
        answer = await http.post(f"{address}/mcp", content=b" " * (16 * 1024 * 1024 + 1))
    assert answer.status_code == 413


async def test_plain_http_leads_to_https(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path) as (_served, http, address):
        text = (tmp_path / "nginx.conf").read_text()
        plain = text.partition("listen 127.0.0.1:")[2].partition(";")[0]
        answer = await http.get(f"http://127.0.0.1:{plain}/mcp")
        assert address
    assert (answer.status_code, answer.headers["location"]) == (308, "https://127.0.0.1/mcp")


async def test_a_stream_of_the_server_begins_at_once(tmp_path: Path) -> None:
    params = {"_meta": MODERN, "notifications": {"toolsListChanged": True}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
    headers = {
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {token_of('ann')}",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "subscriptions/listen",
    }
    async with behind_nginx(tmp_path) as (_served, http, address):
        request = http.stream("POST", f"{address}/mcp", json=message, headers=headers)
        async with request as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            with anyio.fail_after(5):
                first = await anext(data_of(answer))
    assert json.loads(first)["method"].startswith("notifications/subscriptions/")


async def data_of(answer: httpx.Response) -> AsyncIterator[str]:
    """What the events of an answer carry, as they come."""
    async for text in answer.aiter_lines():
        if text.startswith("data:"):
            yield text.removeprefix("data:").strip()


async def test_each_event_reaches_the_client_before_the_next_is_sent(tmp_path: Path) -> None:
    give, events = anyio.create_memory_object_stream[str](1)
    async with (
        give,
        events,
        streaming(events) as upstream,
        nginx_before(upstream, tmp_path) as (http, address),
    ):
        await give.send("event 0")
        with anyio.fail_after(10):
            async with http.stream("GET", f"{address}/mcp") as answer:
                arrived = data_of(answer)
                for number in range(3):
                    assert await anext(arrived) == f"event {number}"
                    await give.send(f"event {number + 1}")


@asynccontextmanager
async def streaming(events: ObjectReceiveStream[str]) -> AsyncIterator[str]:
    """An upstream that sends events as they are given and then stays open: its host and port.

    The server asks proxies not to hold its streams back, by a header. This one does not, so that it is the
    file alone that lets events through.
    """

    async def answer(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            async for event in events:
                await stream.send(f"data: {event}\n\n".encode())

    port = free_port()
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, answer)
        yield f"127.0.0.1:{port}"
        tasks.cancel_scope.cancel()
