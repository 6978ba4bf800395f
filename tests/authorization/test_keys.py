"""The issuer's signing keys: what is taken for one, and an issuer that is slow, odd, or changes them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from crm_server.authorization import documents
from crm_server.authorization.documents import fetch_over_http
from crm_server.authorization.keys import (
    AGAIN_SECONDS,
    FRESH_SECONDS,
    KEPT_SECONDS,
    MOST_KEYS,
    KeysUnavailableError,
    SigningKeys,
)
from crm_server.authorization.rules import Issuer
from tests.authorization.issuer import public, rsa_key

pytestmark = pytest.mark.anyio
ADDRESS = "https://id.example"


class Away:
    """An issuer whose answers a test writes, and holds back while ``open`` is not set."""

    def __init__(self, *keys: Any) -> None:
        self.now = 1000.0
        self.description: Any = {"issuer": ADDRESS, "jwks_uri": f"{ADDRESS}/keys"}
        self.document: Any = {"keys": list(keys)}
        self.open = anyio.Event()
        self.open.set()
        self.waiting = anyio.Event()
        self.fetched = 0
        self.keys = SigningKeys(Issuer(ADDRESS), self._fetch, lambda: self.now)

    async def _fetch(self, address: str) -> bytes:
        if address.endswith("/openid-configuration"):
            return _bytes(self.description)
        self.fetched += 1
        self.waiting.set()
        await self.open.wait()
        return _bytes(self.document)

    async def key(self, key_id: str = "first", algorithm: str = "RS256") -> Any:
        return await self.keys.key(key_id, algorithm)


def _bytes(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode()


def rsa_of(bits: int) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    return {**RSAAlgorithm.to_jwk(key, as_dict=True), "kid": "small"}


def curve(name: str, kind: ec.EllipticCurve) -> dict[str, Any]:
    key = ec.generate_private_key(kind).public_key()
    return {**ECAlgorithm.to_jwk(key, as_dict=True), "kid": name}


NO_KEYS: dict[str, Callable[[], Any]] = {
    "for encryption": lambda: {**public("first"), "use": "enc"},
    "for wrapping": lambda: {**public("first"), "key_ops": ["wrapKey"]},
    "with operations of another kind": lambda: {**public("first"), "key_ops": "verify"},
    "a shared secret": lambda: {"kty": "oct", "k": "c2VjcmV0", "kid": "first", "alg": "HS256"},
    "a public key for a shared secret's algorithm": lambda: {**public("first"), "alg": "HS256"},
    "for an algorithm of encryption": lambda: {**public("first"), "alg": "RSA-OAEP"},
    "for another kind's algorithm": lambda: {**public("first"), "alg": "ES256"},
    "for an algorithm that is a list": lambda: {**public("first"), "alg": ["RS256"]},
    "without an id": lambda: {**public("first"), "kid": None},
    "with an id that is a list": lambda: {**public("first"), "kid": ["first"]},
    "with a number for a modulus": lambda: {**public("first"), "n": 5},
    "with no modulus": lambda: {**public("first"), "n": "!"},
    "without a modulus": lambda: {"kty": "RSA", "kid": "first"},
    "its private part": lambda: {
        **RSAAlgorithm.to_jwk(rsa_key("first"), as_dict=True),
        "kid": "first",
        "key_ops": ["sign", "verify"],
    },
    "of another kind": lambda: {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "first"},
    "on no curve": lambda: {**public("curve"), "crv": "P-1"},
    "off its curve": lambda: {**public("curve"), "x": "AA"},
    "smaller than is safe": lambda: rsa_of(1024),
    "on a curve of a coin": lambda: curve("coin", ec.SECP256K1()),
    "text": lambda: "first",
    "a list": lambda: [public("first")],
    "nothing": lambda: None,
}


@pytest.mark.parametrize("kind", NO_KEYS)
async def test_what_is_no_signing_key_is_none_and_spoils_no_other(kind: str) -> None:
    item = NO_KEYS[kind]()
    issuer = Away(item, public("curve" if kind != "on no curve" else "first"))
    await issuer.keys.warm()
    assert issuer.keys.usable
    known = item["kid"] if isinstance(item, dict) and isinstance(item.get("kid"), str) else "first"
    algorithm = "RS256" if "curve" not in kind else "ES256"
    if known != "curve":
        assert await issuer.key(known, algorithm) is None


async def test_two_kinds_of_keys_may_share_an_id_and_of_one_kind_the_first_counts() -> None:
    issuer = Away(public("first"), {**public("second"), "kid": "first"}, {**public("curve"), "kid": "first"})
    found = await issuer.key("first", "RS256"), await issuer.key("first", "ES256")
    assert [key.algorithms[0] for key in found] == ["RS256", "ES256"]
    assert RSAAlgorithm.to_jwk(found[0].public, as_dict=True)["n"] == public("first")["n"]


async def test_an_algorithm_that_the_issuer_names_is_the_only_one() -> None:
    assert (await Away({**public("first"), "alg": "RS512"}).key()).algorithms == ("RS512",)
    assert (await Away(curve("first", ec.SECP384R1())).key("first", "ES384")).algorithms == ("ES384",)


BAD_DESCRIPTIONS: dict[str, Any] = {
    "no JSON": b"<html>",
    "no object": [],
    "nested without an end": b"[" * 100_000,
    "text that is none": b"\xff",
    "another issuer's": {"issuer": "https://evil.example", "jwks_uri": f"{ADDRESS}/keys"},
    "nobody's": {"jwks_uri": f"{ADDRESS}/keys"},
    "of an issuer of another kind": {"issuer": [ADDRESS], "jwks_uri": f"{ADDRESS}/keys"},
    "without keys": {"issuer": ADDRESS},
    "with keys elsewhere": {"issuer": ADDRESS, "jwks_uri": "http://id.example/keys"},
    "with keys at a name that begins like this machine": {
        "issuer": ADDRESS,
        "jwks_uri": "http://127.0.0.1.evil.example/keys",
    },
    "with keys in a file": {"issuer": ADDRESS, "jwks_uri": "file:///etc/passwd"},
    "with keys at no address": {"issuer": ADDRESS, "jwks_uri": "https://[id.example"},
    "with keys at no port": {"issuer": ADDRESS, "jwks_uri": "https://id.example:99999/keys"},
    "with keys at a number": {"issuer": ADDRESS, "jwks_uri": 5},
}
BAD_DOCUMENTS: dict[str, Any] = {
    "no JSON": b"",
    "no object": [public("first")],
    "nested without an end": b'{"keys":' * 50_000,
    "without a list": {"keys": {"first": public("first")}},
    "empty": {"keys": []},
    "endless": {"keys": [{**public("curve"), "kid": str(number)} for number in range(MOST_KEYS + 1)]},
}


@pytest.mark.parametrize("kind", BAD_DESCRIPTIONS)
async def test_a_description_that_is_none_gives_no_keys(kind: str) -> None:
    issuer = Away(public("first"))
    issuer.description = BAD_DESCRIPTIONS[kind]
    with pytest.raises(KeysUnavailableError):
        await issuer.key()
    assert issuer.fetched == 0


@pytest.mark.parametrize("kind", BAD_DOCUMENTS)
async def test_keys_that_cannot_be_read_leave_those_that_are_known(kind: str) -> None:
    issuer = Away(public("first"))
    assert await issuer.key()
    issuer.document = BAD_DOCUMENTS[kind]
    issuer.now += FRESH_SECONDS
    assert await issuer.key("1", "ES256") is None
    assert issuer.fetched == 2
    assert await issuer.key()


async def test_who_comes_while_keys_are_fetched_waits_for_them_be_it_the_first_time_or_a_new_key() -> None:
    issuer = Away(public("first"))
    for number, key_id in enumerate(("first", "second"), 1):
        issuer.document = {"keys": [public(key_id)]}
        issuer.now += AGAIN_SECONDS
        issuer.open, issuer.waiting = anyio.Event(), anyio.Event()
        found: list[Any] = []

        async def look(key_id: str = key_id, found: list[Any] = found) -> None:
            found.append(await issuer.key(key_id))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            await issuer.waiting.wait()
            for _ in range(50):
                tasks.start_soon(look)
            await anyio.wait_all_tasks_blocked()
            assert found == []
            issuer.open.set()
        assert len(found) == 51
        assert None not in found
        assert issuer.fetched == number


async def test_a_known_key_serves_at_once_while_an_issuer_is_slow_to_say_whether_there_are_new_ones() -> None:
    issuer = Away(public("first"))
    await issuer.key()
    issuer.now += FRESH_SECONDS
    issuer.open = anyio.Event()
    with anyio.fail_after(5):
        assert await issuer.key()
        assert await issuer.key()
    issuer.open.set()
    await issuer.keys.warm()
    assert issuer.fetched == 2


async def test_a_probe_that_gives_up_takes_the_keys_from_nobody() -> None:
    issuer = Away(public("first"))
    issuer.open = anyio.Event()
    with anyio.move_on_after(0.01) as gave_up:
        await issuer.keys.warm()
    assert gave_up.cancelled_caught
    issuer.open.set()
    assert await issuer.key()
    assert issuer.fetched == 1


async def test_a_server_that_nobody_called_for_days_gets_ready_again() -> None:
    issuer = Away(public("first"))
    await issuer.keys.warm()
    issuer.now += 2 * KEPT_SECONDS
    assert not issuer.keys.usable
    await issuer.keys.warm()
    assert issuer.keys.usable


@contextmanager
def answering(head: bytes, body: Iterator[bytes]) -> Iterator[str]:
    """The address of a server that sends a head and a body's parts for as long as somebody takes them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                try:
                    connection.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
                    for part in body:
                        connection.sendall(part)
                except OSError:
                    # Nobody is left.
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        thread.join(10)
        assert not thread.is_alive()


async def test_an_answer_without_an_end_is_not_waited_for() -> None:
    parts = (b"x" * 65_536 for _ in iter(int, 1))
    with answering(b"200 OK", parts) as address, pytest.raises(OSError, match="too large"):
        await fetch_over_http(address)


async def test_an_answer_in_drops_has_ten_seconds_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert documents.FETCH_SECONDS <= 10
    monkeypatch.setattr(documents, "FETCH_SECONDS", 0.2)
    done = threading.Event()
    # Each drop comes well within the time that a client waits for one.
    parts = (b"x" for _ in iter(lambda: done.wait(0.02), True))
    with answering(b"200 OK", parts) as address, anyio.fail_after(10):
        try:
            with pytest.raises(OSError):  # noqa: PT011 - a timeout has no words
                await fetch_over_http(address)
        finally:
            done.set()


@pytest.mark.parametrize("head", [b"302 Found\r\nLocation: http://127.0.0.1:9/keys", b"404 No", b"500 No"])
async def test_an_answer_that_is_none_is_none(head: bytes) -> None:
    with answering(head + b"\r\nContent-Length: 2", iter([b"{}"])) as address, pytest.raises(OSError):  # noqa: PT011
        await fetch_over_http(address)


@pytest.mark.parametrize("address", ["https://", "nowhere:", "http://a b/"])
async def test_an_address_that_is_none_is_away(address: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - each has words of its own
        await fetch_over_http(address)
