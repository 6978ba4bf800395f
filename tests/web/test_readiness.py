"""What a replica needs to take calls, as the balancer is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.team import team

pytestmark = pytest.mark.anyio


async def test_a_replica_with_another_key_takes_no_calls(tmp_path: Path) -> None:
    """It could open nothing of what the others seal: cursors, questions, tokens, the page's cookies."""
    shared = {"DYNAMICS_STATE": f"sqlite:///{tmp_path / 'state.db'}"}
    async with team(tmp_path, DYNAMICS_STATE_KEY=str(tmp_path / "common.key"), **shared) as first:
        assert (await first.call("ann", "list_leads")).status_code == 200
        assert (await first.http.get(f"{first.root}/readyz")).status_code == 200
        async with team(tmp_path, DYNAMICS_STATE_KEY=str(tmp_path / "another.key"), **shared) as second:
            answer = await second.http.get(f"{second.root}/readyz")
        async with team(tmp_path, DYNAMICS_STATE_KEY=str(tmp_path / "common.key"), **shared) as third:
            assert (await third.http.get(f"{third.root}/readyz")).status_code == 200
    assert answer.status_code == 503
    assert list(answer.json()["missing"]) == ["state"]
