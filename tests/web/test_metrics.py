"""Metrics: what they count, who may see them, and that no text from outside is ever in them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from crm_server.settings import SettingsError, read_settings
from tests.interaction.connecting import environment
from tests.web.team import Team, team

pytestmark = pytest.mark.anyio
ON = {"DYNAMICS_METRICS": "true"}
HOSTILE = ["../../etc/passwd", 'x"} 1\nfaked_total 7', "Kanarienvogel", "x" * 5000]


async def test_nothing_is_shown_unless_it_is_switched_on(tmp_path: Path) -> None:
    async with team(tmp_path) as served:
        answer = await served.http.get(f"{served.root}/metrics")
    assert answer.status_code == 404


async def test_calls_are_counted_by_tool_outcome_and_decision(tmp_path: Path) -> None:
    async with team(tmp_path, **ON) as served:
        await served.call("ann", "list_leads", {"top": 1})
        await served.call("bob", "list_leads", {"top": 1})
        await served.call("ann", "list_leads", {"top": -1})
        asked = await served.call("ann", "get_lead", {"leadid": "0a1b2c3d-0000-4000-8000-0123456789ab"})
        assert asked.json()["result"]["isError"], asked.text
        seen = await served.metrics()
    assert seen['crm_mcp_calls_total{outcome="ok",tool="list_leads"}'] == 2
    assert seen['crm_mcp_calls_total{outcome="invalid_input",tool="list_leads"}'] == 1
    assert seen['crm_mcp_calls_total{outcome="not_found",tool="get_lead"}'] == 1
    assert seen['crm_mcp_decisions_total{outcome="allowed"}'] == 3
    assert seen['crm_mcp_decisions_total{outcome="none"}'] == 1
    assert seen['crm_mcp_call_seconds_count{effect="read"}'] == 4
    assert seen['crm_mcp_crm_request_seconds_count{method="GET",status="2xx"}'] >= 2
    assert seen['crm_mcp_crm_request_seconds_count{method="GET",status="4xx"}'] == 1
    assert seen["crm_mcp_calls_running"] == seen["crm_mcp_calls_waiting"] == 0
    assert seen["process_resident_memory_bytes"] > 0


async def test_servers_with_the_same_policy_show_the_same_digest_wherever_it_is_kept(tmp_path: Path) -> None:
    policies = {"one": 'extends = "read-only"\n', "same": 'extends = "read-only"\n', "other": 'name = "x"\n'}
    shown: dict[str, str] = {}
    for name, text in policies.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.toml").write_text(text)
        async with team(folder, **ON, DYNAMICS_POLICY=str(folder / f"{name}.toml")) as served:
            (info,) = [series for series in await served.metrics() if series.startswith("crm_mcp_info")]
            shown[name] = info
    assert re.fullmatch(r'crm_mcp_info\{policy="[0-9a-f]{12}",version="[^"]+"\}', shown["one"])
    assert shown["one"] == shown["same"] != shown["other"]


async def test_a_call_that_waits_for_a_human_is_counted_as_such(tmp_path: Path) -> None:
    async with team(tmp_path, **ON) as served:
        created = await served.call("ann", "create_lead", {"lastname": "Frost", "subject": "Ice"})
        key = created.json()["result"]["structuredContent"]["record"]["leadid"]
        await served.call("ann", "delete_lead", {"leadid": key})
        seen = await served.metrics()
    assert seen['crm_mcp_calls_total{outcome="input_needed",tool="delete_lead"}'] == 1
    assert seen['crm_mcp_decisions_total{outcome="needs approval"}'] == 1


async def test_many_callers_and_hostile_names_add_no_series(tmp_path: Path) -> None:
    callers = [f"caller-{number}" for number in range(60)]
    async with team(tmp_path, callers, **ON) as served:
        for tool in ("list_leads", "no_such_tool"):
            await served.call(callers[0], tool, {"top": 1})
        before = await served.metrics()
        for caller in callers:
            await served.call(caller, "list_leads", {"top": 1})
        for tool in HOSTILE:
            name = tool.encode("unicode_escape").decode()
            await served.call("caller-1", tool, {"x": tool}, **{"Mcp-Name": name[:200]})
            await served.call("caller-1", "list_leads", {"filter": tool})
            await served.call("caller-1", "list_leads", {tool: tool})
        after = await served.metrics()
    added = set(after) - set(before)
    assert after['crm_mcp_calls_total{outcome="ok",tool="list_leads"}'] == 61
    assert added == {
        'crm_mcp_calls_total{outcome="invalid_filter",tool="list_leads"}',
        'crm_mcp_calls_total{outcome="unknown_name",tool="list_leads"}',
    }
    text = "\n".join(after)
    assert not any(tool in text for tool in [*HOSTILE, "no_such_tool", "caller-"])


async def test_what_is_left_of_the_budgets_is_that_of_all_callers(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        "name = 'few'\n"
        "[limits]\nwrites_per_day = 10\nrows_per_hour = 100\n"
        "[limits.each_caller]\nwrites_per_day = 3\n"
        "[[rules]]\nid = 'all'\neffect = 'allow'\nactions = ['read', 'create']\ntables = ['*']\n"
    )
    async with team(tmp_path, DYNAMICS_POLICY=str(policy), **ON) as served:
        for caller in ("ann", "bob"):
            made = await served.call(caller, "create_lead", {"lastname": "Frost", "subject": "Ice"})
            assert not made.json()["result"].get("isError"), made.text
        await served.call("ann", "list_leads", {"top": 5})
        seen = await served.metrics()
    assert seen['crm_mcp_budget_left{limit="writes_per_day"}'] == 8
    assert seen['crm_mcp_budget{limit="writes_per_day"}'] == 10
    assert seen['crm_mcp_budget_left{limit="rows_per_hour"}'] <= 95
    assert len([series for series in seen if series.startswith("crm_mcp_budget_left")]) == 2


class Throttling:
    """Answers the first list with 429."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._done = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith("/leads") and not self._done:
            self._done = True
            head = {"type": "http.response.start", "status": 429, "headers": [(b"retry-after", b"0")]}
            await send(head)
            await send({"type": "http.response.body", "body": b"{}"})
            return
        await self._app(scope, receive, send)


async def test_throttling_by_the_crm_is_counted(tmp_path: Path) -> None:
    async with team(tmp_path, wrap=Throttling, **ON) as served:
        await served.call("ann", "list_leads", {"top": 1})
        seen = await served.metrics()
    assert seen["crm_mcp_crm_throttled_total"] == 1
    assert seen['crm_mcp_crm_request_seconds_count{method="GET",status="429"}'] == 1
    assert seen['crm_mcp_calls_total{outcome="ok",tool="list_leads"}'] == 1


class Held:
    """Holds requests for leads until it is told to let them go."""

    def __init__(self) -> None:
        self.let_go = anyio.Event()
        self.come = 0
        self.first = anyio.Event()

    def before(self, app: Any) -> Any:
        async def held(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"].endswith("/leads"):
                self.first.set()
                await self.let_go.wait()
            await app(scope, receive, send)

        return held


async def until(served: Team, series: str, value: float) -> dict[str, float]:
    """The metrics, once this one is so."""
    with anyio.fail_after(20):
        while True:
            seen = await served.metrics()
            if seen.get(series) == value:
                return seen


async def test_the_queue_is_shown_and_who_was_turned_away(tmp_path: Path) -> None:
    held = Held()
    settings = {"DYNAMICS_CALLS": "1", "DYNAMICS_CALLS_OF_ONE": "1", **ON}
    async with team(tmp_path, wrap=held.before, **settings) as served, anyio.create_task_group() as calls:
        calls.start_soon(served.call, "ann", "list_leads")
        await held.first.wait()
        calls.start_soon(served.call, "bob", "list_leads")
        seen = await until(served, "crm_mcp_calls_waiting", 1)
        assert seen["crm_mcp_calls_running"] == 1
        refused = await served.call("ann", "list_leads")
        assert refused.status_code == 429
        seen = await served.metrics()
        assert seen['crm_mcp_calls_refused_total{reason="too_many_calls"}'] == 1
        held.let_go.set()


async def test_a_dependency_that_is_away_is_not_ready(tmp_path: Path) -> None:
    no_folder = tmp_path / "a file"
    no_folder.touch()
    async with team(tmp_path, DYNAMICS_STATE=str(no_folder / "state.db"), **ON) as served:
        seen = await served.metrics()
        asked = await served.http.get(f"{served.root}/readyz")
    assert seen['crm_mcp_ready{dependency="state"}'] == 0
    assert seen['crm_mcp_ready{dependency="server"}'] == 1
    assert not [series for series in seen if series.startswith("crm_mcp_budget")]
    assert (asked.status_code, list(asked.json()["missing"])) == (503, ["state"])


def test_metrics_are_switched_on_by_the_word_true_only() -> None:
    assert read_settings({"DYNAMICS_METRICS": "True"}, []).metrics is True
    assert read_settings({"DYNAMICS_METRICS": "false"}, []).metrics is False
    with pytest.raises(SettingsError, match="DYNAMICS_METRICS must be true or false"):
        read_settings({"DYNAMICS_METRICS": "yes"}, [])


def test_without_metrics_the_library_of_prometheus_is_not_loaded() -> None:
    code = (
        "import sys, crm_server.web.serving, crm_server.web.configured as c\n"
        "from crm_server.settings import Settings\n"
        "c.meter_of(Settings())\n"
        "print([name for name in sys.modules if name.startswith('prometheus_client')])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert found.stdout.strip() == "[]"
