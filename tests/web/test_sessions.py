"""Sessions of the handshake era: so many of a caller, and others have theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_server.web import sessions
from tests.authorization.serving import INITIALIZE
from tests.web.team import Team, team, token_of

pytestmark = pytest.mark.anyio


async def _opened(server: Team, caller: str) -> tuple[int, str]:
    headers = {
        "Authorization": f"Bearer {token_of(caller)}",
        "Accept": "application/json, text/event-stream",
    }
    answer = await server.http.post(server.address, json=INITIALIZE, headers=headers)
    return answer.status_code, answer.headers.get("mcp-session-id", "")


async def test_a_caller_has_so_many_sessions_and_takes_them_from_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST_OF_CALLER", 3)
    async with team(tmp_path, DYNAMICS_SESSIONS="stateful") as server:
        opened = [await _opened(server, "ann") for _ in range(5)]
        assert [status for status, _ in opened] == [200, 200, 200, 429, 429]
        assert (await _opened(server, "bob"))[0] == 200
        ended = {"Authorization": f"Bearer {token_of('ann')}", "Mcp-Session-Id": opened[0][1]}
        assert (await server.http.delete(server.address, headers=ended)).status_code == 200
        assert (await _opened(server, "ann"))[0] == 200


async def test_without_sessions_there_is_nothing_to_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST_OF_CALLER", 3)
    async with team(tmp_path) as server:
        assert [(await _opened(server, "ann"))[0] for _ in range(5)] == [200] * 5
