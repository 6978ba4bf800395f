"""Bodies: what is too large, too slow, too much at once, encoded, or no message of the protocol."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from crm_server.web import bodies, messages
from tests.web.doors import LARGEST, Endpoint, application, asgi, client

pytestmark = pytest.mark.anyio


def message(size: int) -> bytes:
    """A message of this many bytes."""
    empty = json.dumps({"jsonrpc": "2.0", "method": "x", "params": {"a": ""}})
    return empty.replace('""', f'"{"x" * (size - len(empty))}"').encode()


async def test_of_one_caller_only_so_much_is_held_and_others_go_on() -> None:
    endpoint = Endpoint()
    app = application(endpoint)
    found: list[int] = []

    async def post(caller: str) -> None:
        async with client(app, caller) as http:
            found.append((await http.post("/mcp", content=message(LARGEST))).status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(post, "ann")
        await anyio.wait_all_tasks_blocked()
        assert found == [429]
        tasks.start_soon(post, "bob")
        await anyio.wait_all_tasks_blocked()
        assert len(endpoint.bodies) == 3
        endpoint.open.set()
    assert found == [429, 200, 200, 200]
    found.clear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(post, "ann")
        tasks.start_soon(post, "ann")
    assert found == [200, 200]


async def test_of_all_callers_only_so_much_is_held() -> None:
    endpoint = Endpoint()
    app = application(endpoint)
    found: list[Any] = []

    async def post(caller: str) -> None:
        async with client(app, caller) as http:
            found.append(await http.post("/mcp", content=message(LARGEST)))

    async with anyio.create_task_group() as tasks:
        for number in range(17):
            tasks.start_soon(post, f"caller-{number}")
        await anyio.wait_all_tasks_blocked()
        assert [answer.status_code for answer in found] == [503]
        assert int(found[0].headers["Retry-After"]) > 0
        endpoint.open.set()


async def test_a_body_in_many_parts_takes_its_room_while_it_comes_and_gives_it_back() -> None:
    endpoint = Endpoint()
    endpoint.open.set()
    app = application(endpoint)

    def parts(body: bytes) -> Iterator[dict[str, Any]]:
        for index in range(len(body)):
            yield {"type": "http.request", "body": body[index : index + 1], "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    for _ in range(5):
        left = parts(message(LARGEST))

        async def receive(left: Iterator[dict[str, Any]] = left) -> dict[str, Any]:
            return next(left)

        assert await asgi(app, receive) == 200
    assert endpoint.bodies[-1] == message(LARGEST)


async def test_a_body_that_is_cut_off_is_no_message_even_if_it_reads_like_one() -> None:
    endpoint = Endpoint()
    endpoint.open.set()
    sent = iter(
        [
            {"type": "http.request", "body": message(100), "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> dict[str, Any]:
        return next(sent)

    assert await asgi(application(endpoint), receive) is None
    assert endpoint.bodies == []


async def test_a_body_in_drops_has_twenty_seconds_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bodies.BODY_SECONDS <= 20
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.1)

    async def receive() -> dict[str, Any]:
        await anyio.sleep(0.01)
        return {"type": "http.request", "body": b"", "more_body": True}

    endpoint = Endpoint()
    assert await asgi(application(endpoint), receive) == 408
    assert endpoint.bodies == []


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "gzip, identity", "x-unknown"])
async def test_an_encoded_body_is_refused_unread(coding: str) -> None:
    endpoint = Endpoint()
    endpoint.open.set()
    async with client(application(endpoint)) as http:
        body = gzip.compress(message(LARGEST))
        answer = await http.post("/mcp", content=body, headers={"Content-Encoding": coding})
        assert answer.status_code == 415
        as_it_is = await http.post("/mcp", content=message(100), headers={"Content-Encoding": "identity"})
        assert as_it_is.status_code == 200


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonx", 415),
        ("application/json, text/plain", 415),
        ("text/plain; application/json", 415),
        ("", 415),
    ],
)
async def test_a_message_says_that_it_is_json_as_forms_of_other_sites_cannot(
    kind: str, expected: int
) -> None:
    endpoint = Endpoint()
    endpoint.open.set()
    async with client(application(endpoint)) as http:
        answer = await http.post("/mcp", content=message(100), headers={"Content-Type": kind})
    assert answer.status_code == expected


NO_MESSAGES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "a batch": b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    "text": b'"tools/list"',
    "a number": b"5",
    "null": b"null",
    "more than one": b'{"method":"x"}{"method":"y"}',
    "half a character": b'{"method":"x","params":{"a":"\\ud800"}}',
    "half a character in a name": b'{"method":"x","\\udfff":1}',
    "a half character's bytes": b'{"method":"\xed\xa0\x80"}',
    "bytes that are no text": b'{"method":"\xff"}',
    "a mark of its order": b'\xef\xbb\xbf{"method":"x"}',
    "another encoding": '{"method":"x"}'.encode("utf-16"),
    "no number": b'{"method":"x","params":{"a":NaN}}',
    "an infinite number": b'{"method":"x","params":{"a":-Infinity}}',
    "an immense number": b'{"method":"x","params":{"a":' + b"9" * 900 + b"e" + b"}}",
    "a comment": b'/* */{"method":"x"}',
    "a control character": b'{"method":"\x01"}',
    "nesting without an end": b'{"method":"x","params":' + b"[" * 400 + b"]" * 400 + b"}",
}


@pytest.mark.parametrize("kind", NO_MESSAGES)
async def test_what_is_no_message_is_refused_before_the_protocol(kind: str) -> None:
    endpoint = Endpoint()
    endpoint.open.set()
    async with client(application(endpoint)) as http:
        answer = await http.post("/mcp", content=NO_MESSAGES[kind])
    assert answer.status_code == 400
    assert answer.json()["id"] is None
    assert answer.json()["error"]["code"] in (-32700, -32600)
    assert endpoint.bodies == []


@pytest.mark.parametrize("limit", ["MOST_PARTS", "MOST_MEMBERS"])
@pytest.mark.parametrize("inner", [b"[]", b"{}", b'{"a":0}'], ids=str)
async def test_a_message_of_too_many_parts_is_refused_unread(
    inner: bytes, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert messages.MOST_PARTS <= 300_000
    assert messages.MOST_MEMBERS <= 1_500_000
    endpoint = Endpoint()
    endpoint.open.set()
    monkeypatch.setattr(messages, limit, 9)
    few, many = (b'{"method":"x","params":{"a":[' + b",".join([inner] * size) + b"]}}" for size in (5, 12))
    async with client(application(endpoint)) as http:
        assert (await http.post("/mcp", content=few)).status_code == 200
        too_many = await http.post("/mcp", content=many)
    counted = limit == "MOST_PARTS" or b":" in inner
    assert too_many.status_code == (413 if counted else 200)
