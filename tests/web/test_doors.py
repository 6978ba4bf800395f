"""Which hosts and origins lead in, how many streams a caller has, and what anybody learns of the health."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from crm_server.web.health import Health
from crm_server.web.turns import Bounds
from tests.web.doors import PUBLIC, Endpoint, application, asgi, client

pytestmark = pytest.mark.anyio


async def status(*headers: tuple[str, str]) -> int | None:
    """The status of a GET with these headers."""
    endpoint = Endpoint()
    endpoint.open.set()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return await asgi(application(endpoint), receive, "GET", raw)


@pytest.mark.parametrize("host", ["crm.example", "crm.example:443", "CRM.Example:8443", "[::1]:8321"])
async def test_a_host_of_the_server_leads_in(host: str) -> None:
    assert await status(("host", host)) == 200


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        ("evil.example", 421),
        ("crm.example.evil.example", 421),
        ("evil.crm.example", 421),
        ("crm.example.", 421),
        ("[::2]:8321", 421),
        ("crm.example:", 400),
        ("crm.example:port", 400),
        ("crm.example:8321@evil.example", 400),
        ("crm.example:1 evil.example", 400),
        ("crm.example, evil.example", 400),
        ("user@crm.example", 400),
        ("crm.example/x", 400),
        ("crm.example:\xb2", 400),
        ("", 400),
    ],
)
async def test_a_host_that_only_looks_like_it_does_not(host: str, refused: int) -> None:
    assert await status(("host", host)) == refused


async def test_no_host_and_two_hosts_lead_nowhere() -> None:
    assert await status() == 421
    assert await status(("host", "crm.example"), ("host", "crm.example")) == 400
    assert await status(("host", "crm.example"), ("host", "evil.example")) == 400


@pytest.mark.parametrize("forwarded", ["x-forwarded-host", "forwarded", "x-original-host", "x-host"])
async def test_what_a_request_says_of_its_way_counts_for_nothing(forwarded: str) -> None:
    assert await status(("host", "evil.example"), (forwarded, "crm.example")) == 421
    assert await status(("host", "crm.example"), (forwarded, "evil.example")) == 200


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        ((PUBLIC,), 200),
        (("http://localhost:5173",), 200),
        (("null",), 403),
        (("",), 403),
        (("https://evil.example",), 403),
        ((f"{PUBLIC}.evil.example",), 403),
        (("http://crm.example",), 403),
        (("http://localhost:5173@evil.example",), 403),
        (("http://localhost:evil.example",), 403),
        ((PUBLIC, "https://evil.example"), 403),
    ],
)
async def test_scripts_of_named_origins_alone_may_call(origins: tuple[str, ...], expected: int) -> None:
    assert await status(("host", "crm.example"), *(("origin", one) for one in origins)) == expected


async def test_a_slash_behind_the_address_leads_to_the_same_and_to_no_other_address() -> None:
    endpoint = Endpoint()
    endpoint.open.set()
    async with client(application(endpoint)) as http:
        assert (await http.get("/mcp/")).status_code == 200
        for path in ("/healthz/", "/nowhere/", "/.well-known/oauth-protected-resource/", "//evil.example/"):
            answer = await http.get(path)
            assert (answer.status_code, answer.headers.get("location")) == (404, None)


async def test_a_caller_has_so_many_streams_and_others_have_theirs() -> None:
    endpoint = Endpoint()
    app = application(endpoint, Bounds(streams=3))
    found: list[int] = []
    listen = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}

    async def ask(caller: str, *, by_get: bool) -> None:
        async with client(app, caller) as http:
            answer = await (http.get("/mcp") if by_get else http.post("/mcp", json=listen))
            found.append(answer.status_code)

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(lambda number=number: ask("ann", by_get=number % 2 == 0))
        tasks.start_soon(lambda: ask("bob", by_get=True))
        await anyio.wait_all_tasks_blocked()
        assert found == [429, 429, 429]
        endpoint.open.set()
    assert found == [429, 429, 429, 200, 200, 200, 200]
    found.clear()
    await ask("ann", by_get=True)
    assert found == [200]


async def test_anybody_learns_what_is_missing_and_not_why() -> None:
    async def check() -> str | None:
        return "The key in /var/lib/secret/state.key cannot be read."

    async with client(application(Endpoint(), health=Health({"state": check}))) as http:
        answer = await http.get("/readyz")
    assert (answer.status_code, list(answer.json()["missing"])) == (503, ["state"])
    assert "state.key" not in answer.text


async def test_who_asks_for_the_health_at_the_same_time_makes_no_more_work_than_one() -> None:
    looks = 0
    hold = anyio.Event()

    async def check() -> str | None:
        nonlocal looks
        looks += 1
        await hold.wait()
        return None

    health = Health({"state": check})
    found: list[dict[str, str]] = []

    async def ask() -> None:
        found.append(dict(await health.missing()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        for _ in range(49):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        hold.set()
    assert found == [{}] * 50
    # One for the first, and one that began after the others came.
    assert looks == 2


async def test_who_gives_up_waiting_for_the_health_leaves_no_half_answer_to_others() -> None:
    hold = anyio.Event()

    async def check() -> str | None:
        await hold.wait()
        return "It is away."

    health = Health({"state": check})
    impatient = anyio.CancelScope()
    found: list[dict[str, str]] = []

    async def ask(patience: anyio.CancelScope) -> None:
        with patience:
            found.append(await health.missing())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, impatient)
        tasks.start_soon(ask, anyio.CancelScope())
        await anyio.wait_all_tasks_blocked()
        impatient.cancel()
        hold.set()
    assert found == [{"state": "It is away."}]
