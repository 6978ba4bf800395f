"""What a server for a team shows and takes from outside, before it knows who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
from starlette.requests import Request

from crm_server.web import health, metrics
from crm_server.web.health import Health
from crm_server.web.metrics import Metrics, PrometheusMeter
from crm_server.web.turns import Load
from tests.web.team import Team, team, token_of

pytestmark = pytest.mark.anyio
PAGE = "https://assistant.contoso.example"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Team]:
    async with team(tmp_path, DYNAMICS_ORIGINS=PAGE) as served:
        yield served


async def test_nobody_is_waited_for_before_a_token_is_shown(server: Team) -> None:
    head = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
    for token in ("", f"Authorization: Bearer {token_of('eve')}\r\n"):
        async with await anyio.connect_tcp("127.0.0.1", urlsplit(server.root).port or 0) as stream:
            await stream.send(f"{head}{token}\r\n{{".encode())
            with anyio.fail_after(10):
                assert (await stream.receive()).split()[1] == b"401"


async def test_scripts_of_other_pages_read_the_protocol_where_that_is_set_and_never_the_page(
    server: Team,
) -> None:
    called = await server.call("ann", "list_leads", {"top": 1}, Origin=PAGE)
    assert called.headers["access-control-allow-origin"] == PAGE
    for path in ("/approvals", "/approvals/sign-in", "/approvals/style.css"):
        page = await server.http.get(server.root + path, headers={"Origin": PAGE})
        assert page.status_code in (200, 303)
        assert not [name for name in page.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", ["http://localhost", "http://localhost:8321", "http://[::1]", "null"])
async def test_pages_on_the_machine_of_a_server_for_a_team_are_pages_like_others(
    origin: str, server: Team
) -> None:
    assert (await server.call("ann", "list_leads", {"top": 1}, Origin=origin)).status_code == 403
    own = await server.call("ann", "list_leads", {"top": 1}, Origin="http://127.0.0.1")
    assert own.status_code == 200


async def test_no_answer_says_what_serves_it(server: Team) -> None:
    for path in ("/healthz", "/mcp", "/approvals", "/nowhere"):
        assert "server" not in (await server.http.get(server.root + path)).headers


async def never() -> None:
    await anyio.sleep_forever()


async def test_what_does_not_answer_in_time_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0)
    with anyio.fail_after(10):
        assert await Health({"state": never}).missing() == {"state": "It did not answer in time."}


async def test_metrics_are_shown_while_the_state_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0)
    monkeypatch.setattr(metrics, "CHECK_SECONDS", 0)

    async def budgets() -> tuple[()]:
        await never()
        return ()

    endpoint = Metrics(PrometheusMeter(), budgets, lambda: "digest").endpoint(
        Load(), Health({"state": never})
    )
    with anyio.fail_after(10):
        answer = await endpoint(Request({"type": "http", "method": "GET", "headers": []}))
    shown = bytes(answer.body).decode()
    assert 'crm_mcp_ready{dependency="state"} 0.0' in shown
    assert 'crm_mcp_ready{dependency="server"} 1.0' in shown
    assert "crm_mcp_budget_left{" not in shown
