"""Streamable HTTP and SSE: who may call, and how they end."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client.sse import sse_client

from crm_server.transports import serve_http, serve_sse
from crm_server.web.listening import CannotListenError, PortInUseError
from crm_server.web.options import WebOptions
from crm_server.web.serving import LoopbackRequiredError
from tests.transports.echo_process import NOT_WAITED, echo_process
from tests.transports.echo_server import build

ERAS = [("legacy", "2025-11-25"), ("auto", "2026-07-28")]
BY_KIND = {"http": serve_http, "sse": serve_sse}

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["http", "sse"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with echo_process(request.param) as server:
        yield server.wait_for("ready")


def target_of(address: str) -> Any:
    return sse_client(address) if address.endswith("/sse") else address


@pytest.mark.parametrize(("mode", "version"), ERAS)
async def test_a_client_of_either_era_lists_and_calls(address, mode, version):
    async with Client(target_of(address), mode=mode) as client:
        assert client.protocol_version == version
        assert "echo" in [tool.name for tool in (await client.list_tools()).tools]
        assert (await client.call_tool("echo", {"text": "grüße"})).content[0].text == "grüße"


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_message_of_five_megabytes_is_taken(address, mode):
    async with Client(target_of(address), mode=mode) as client:
        answer = await client.call_tool("length", {"text": "y" * 5_000_000})
        assert answer.content[0].text == "5000000"


async def test_a_long_answer_arrives_whole(address):
    # The SDK's own client takes events of at most 1 MiB; only a modern HTTP answer can come without events.
    size = 900_000 if address.endswith("/sse") else 5_000_000
    async with Client(target_of(address)) as client:
        answer = await client.call_tool("many", {"text": str(size)})
        assert len(answer.content[0].text) == size


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:80", "192.168.1.5"]
)
@pytest.mark.parametrize("path", ["", "/messages/", "/elsewhere"])
def test_a_request_for_another_host_is_refused(address, host, path):
    url = address if not path or address.endswith("/mcp") else address.removesuffix("/sse") + path
    for method in ("GET", "POST"):
        headers = {"Host": host, "Content-Type": "application/json"}
        assert httpx.request(method, url, headers=headers, content=b"{}").status_code == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example:80", "null"])
def test_a_request_from_another_site_is_refused(address, origin):
    for method in ("GET", "POST"):
        headers = {"Origin": origin, "Content-Type": "application/json"}
        assert httpx.request(method, address, headers=headers, content=b"{}").status_code in (403, 405)
    if address.endswith("/sse"):
        messages = address.removesuffix("sse") + "messages/"
        assert httpx.post(messages, headers=headers, content=b"{}").status_code == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_each_name_of_this_machine_is_taken_with_any_port(address, name):
    # A forwarded port is another one than the port that is listened on.
    headers = {"Host": f"{name}:1234", "Origin": f"http://{name}:1234", "Accept": "text/event-stream"}
    with httpx.stream("GET", address, headers=headers) as answer:
        assert answer.status_code in (200, 400)  # 400: no session yet.


@pytest.mark.parametrize(("kind", "mode"), [("http", "legacy"), ("http", "auto"), ("sse", "legacy")])
async def test_sigterm_during_a_call_ends_the_server_without_waiting_for_it(kind, mode):
    with echo_process(kind) as server:
        address = server.wait_for("ready")
        async with Client(target_of(address), mode=mode) as client, anyio.create_task_group() as tasks:

            async def call() -> None:
                with pytest.raises(Exception, match=r"closed|ended|error response"):
                    await client.call_tool("wait", {"text": "60"})

            tasks.start_soon(call)
            await anyio.to_thread.run_sync(server.wait_for, "waiting")
            server.tell_to_end("SIGTERM")
            code, seconds, errors, output = await anyio.to_thread.run_sync(server.end)
            assert (code, output) == (0, b"")
            assert errors.splitlines() == ["lifespan ended", "returned"]
            assert seconds < NOT_WAITED
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("kind", ["http", "sse"])
async def test_a_call_that_finishes_within_the_grace_is_answered(kind):
    with echo_process(kind) as server:
        address = server.wait_for("ready")
        async with Client(target_of(address)) as client, anyio.create_task_group() as tasks:
            await (
                client.list_tools()
            )  # The client checks an answer against the list, and asks for it if need be.

            async def call() -> None:
                answer = await client.call_tool("wait", {"text": "0.3"})
                assert answer.content[0].text == "waited"

            tasks.start_soon(call)
            await anyio.to_thread.run_sync(server.wait_for, "waiting")
            server.tell_to_end("SIGTERM")
        code, _seconds, _errors, _output = server.end()
        assert code == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "crm.example.com", "", "::ffff:10.0.0.1"])  # noqa: S104 - none of them is bound
@pytest.mark.parametrize("kind", ["http", "sse"])
async def test_an_address_that_others_can_reach_is_refused(kind, host):
    with pytest.raises(LoopbackRequiredError, match=r"callers are not told apart.*127\.0\.0\.1"):
        await BY_KIND[kind](build(), WebOptions(host, 0), pytest.fail)


@pytest.mark.parametrize("kind", ["http", "sse"])
async def test_a_port_in_use_is_named(kind):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"Port {port} on 127.0.0.1 is in use"):
            await BY_KIND[kind](build(), WebOptions("localhost", port), pytest.fail)


async def test_a_port_that_does_not_exist_is_refused():
    with pytest.raises(CannotListenError, match="Port 70000 does not exist"):
        await serve_http(build(), WebOptions(port=70000), pytest.fail)


@pytest.mark.parametrize("kind", ["http", "sse"])
async def test_a_cancelled_server_stops_listening(kind):
    ready = anyio.Event()
    addresses: list[str] = []

    def on_ready(address: str) -> None:
        addresses.append(address)
        ready.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(BY_KIND[kind], build(), WebOptions(port=0), on_ready)
        await ready.wait()
        tasks.cancel_scope.cancel()
    port = urlsplit(addresses[0]).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


async def test_an_error_of_the_lifespan_comes_out_as_it_is():
    class BrokenError(Exception):
        pass

    server = build()

    def broken(_server):
        raise BrokenError

    server.lifespan = broken
    with pytest.raises(BrokenError):
        await serve_sse(server, WebOptions(port=0), pytest.fail)


def test_importing_the_transports_costs_no_more_than_the_sdk():
    code = """
import sys
import mcp.server.lowlevel
before = set(sys.modules)
import crm_server.transports
web = {"uvicorn", "starlette", "h11"}
new = {name for name in set(sys.modules) - before if name.partition(".")[0] in web}
sys.exit(repr(new) if new else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
