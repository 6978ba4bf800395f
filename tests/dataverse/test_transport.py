"""The connections under the client: byte for byte, through the environment's proxy, faults told apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import httpcore2
import httpx
import pytest

from crm_server.dataverse.transport import PooledTransport, environment_proxy, translated

pytestmark = pytest.mark.anyio
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass
class Peer:
    """A server on loopback that answers ``answer`` to whatever it is asked, and keeps the heads it read."""

    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    url: str = ""


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[Peer]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        try:
            while True:
                peer.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(peer.answer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield peer


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def test_connections_are_used_again_and_the_address_arrives_as_it_was_given() -> None:
    async with listening(Peer()) as peer, httpx.AsyncClient(transport=PooledTransport(peer.url, 4)) as client:
        for _ in range(3):
            answer = await client.get(f"{peer.url}/a%2Fb?$skiptoken=%3Cx%20y='%2B'%3E")
            assert answer.text == "hi"
    assert peer.connections == 1
    assert peer.heads[0].startswith("GET /a%2Fb?$skiptoken=%3Cx%20y='%2B'%3E HTTP/1.1\r\n")


async def test_no_more_connections_are_opened_than_told() -> None:
    async with (
        listening(Peer()) as peer,
        httpx.AsyncClient(transport=PooledTransport(peer.url, 3)) as client,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(20):
            tasks.start_soon(client.get, peer.url)
    assert peer.connections <= 3
    assert len(peer.heads) == 20


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(Peer()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:pass@"))
        transport = PooledTransport("http://crm.example", 1)
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.get("http://crm.example/a")).text == "hi"
    assert proxy.heads[0].startswith("GET http://crm.example/a HTTP/1.1\r\n")
    assert "Basic bWU6cGFzcw==" in proxy.heads[0]


async def test_a_proxy_that_refuses_to_connect_is_a_fault_of_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening(Peer(answer=b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.removeprefix("http://"))
        transport = PooledTransport("https://crm.example", 1)
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(httpx.ProxyError):
                await client.get("https://crm.example/a")
    assert proxy.heads[0].startswith("CONNECT crm.example:443 HTTP/1.1\r\n")


def test_hosts_that_the_environment_exempts_are_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert environment_proxy("https", "crm.example") is not None
    assert environment_proxy("http", "crm.example") is None
    monkeypatch.setenv("no_proxy", "crm.example")
    assert environment_proxy("https", "crm.example") is None


def subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


FAULTS = set[type[Exception]]().union(
    *(
        subclasses(kind)
        for kind in (
            httpcore2.TimeoutException,
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.ProxyError,
            httpcore2.UnsupportedProtocol,
        )
    )
)


@pytest.mark.parametrize("kind", sorted(FAULTS, key=lambda kind: kind.__name__))
def test_every_fault_has_the_same_name_afterwards(kind: type[Exception]) -> None:
    with pytest.raises(httpx.TransportError) as caught, translated():
        raise kind("what happened")
    assert type(caught.value).__name__ == kind.__name__
