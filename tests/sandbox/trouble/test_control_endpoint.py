"""The control endpoint and the log."""

from __future__ import annotations

import json

import pytest

from crm_sandbox.trouble import Hooks, Limits
from crm_sandbox.trouble.log import LONGEST_TEXT, LoggedRequest, RequestLog
from tests.sandbox.trouble.small_crm import Clock, SmallCrm, client_of, script, troubled

pytestmark = pytest.mark.anyio
CONTROL = "http://crm.test/sandbox/"


def controlled(*faults, hooks=None, **options):
    return client_of(troubled(*faults, control=hooks or Hooks(), **options))


async def log(client):
    return (await client.get(f"{CONTROL}requests")).json()


async def counters(client):
    return (await client.get(f"{CONTROL}counters")).json()


async def test_the_log_says_what_was_asked_and_how_it_ended():
    clock = Clock()
    options = {"clock": clock, "latency_ms": 12.5, "caller_of": lambda scope: "ann"}
    async with controlled({"what": "unavailable", "method": "DELETE"}, **options) as client:
        headers = {"x-ms-client-request-id": "7", "Authorization": "Bearer secret"}
        await client.post("rows?$select=name%20", json={"name": "private"}, headers=headers)
        await client.delete("rows")
        answer = await client.get(f"{CONTROL}requests")
    assert "secret" not in answer.text
    assert "private" not in answer.text
    shared = {"duration_ms": 12.5, "caller": "ann"}
    assert answer.json() == {
        "dropped": 0,
        "requests": [
            shared
            | {"method": "POST", "path": "/api/data/v9.2/rows?$select=name%20", "status": 201}
            | {"client_request_id": "7", "fault": None},
            shared
            | {"method": "DELETE", "path": "/api/data/v9.2/rows", "status": 503}
            | {"client_request_id": None, "fault": "unavailable"},
        ],
    }


async def test_a_request_without_an_answer_is_logged_without_a_status():
    async with controlled({"what": "drop"}) as client:
        with pytest.raises(ConnectionError):
            await client.get("rows")
        [request] = (await log(client))["requests"]
        assert (request["status"], request["fault"]) == (None, "drop")
        assert (await counters(client))["by_status"] == {"none": 1}


async def test_a_request_that_breaks_the_application_is_logged_as_a_500():
    async def broken(scope, receive, send):
        raise RuntimeError("out of order")

    async with controlled(app=broken) as client:
        with pytest.raises(RuntimeError, match="out of order"):
            await client.get("rows")
        assert (await log(client))["requests"][0]["status"] == 500


async def test_counters_count_by_method_status_and_fault_and_show_the_limits():
    clock = Clock()
    options = {"clock": clock, "limits": Limits(requests=3), "latency_ms": 500}
    async with controlled({"what": "bad_gateway", "method": "POST"}, **options) as client:
        await client.get("rows")
        await client.post("rows", json={})
        await client.request("BREW", "rows")
        await client.get("rows")
        assert await counters(client) == {
            "total": 4,
            "by_method": {"GET": 2, "POST": 1, "other": 1},
            "by_status": {"200": 1, "502": 1, "204": 1, "429": 1},
            "by_fault": {"bad_gateway": 1},
            "limits": {
                "requests": 3,
                "execution_seconds": 1200,
                "concurrent": 52,
                "window_seconds": 300,
                "used": {"everybody": {"requests": 3, "execution_seconds": 1.5, "concurrent": 0}},
            },
        }


async def test_without_limits_the_counters_say_so():
    async with controlled() as client:
        assert (await counters(client))["limits"] is None


async def test_the_log_and_the_counters_can_be_emptied():
    async with controlled() as client:
        await client.get("rows")
        assert (await client.delete(f"{CONTROL}requests")).json() == {"requests": [], "dropped": 0}
        assert (await counters(client))["total"] == 0


def logged(path):
    return LoggedRequest("GET", path, 200, 1.0, "ann", None, None)


def test_the_log_keeps_the_latest_and_says_how_many_it_dropped():
    kept = RequestLog(most=3)
    for number in range(5):
        kept.add(logged(f"/{number}"))
    assert [request["path"] for request in kept.as_json()["requests"]] == ["/2", "/3", "/4"]
    assert kept.as_json()["dropped"] == 2
    assert kept.counters()["total"] == 5


async def test_very_long_paths_are_cut_in_the_log():
    async with controlled() as client:
        await client.get("rows?" + "a" * 10_000)
        assert len((await log(client))["requests"][0]["path"]) == LONGEST_TEXT


async def test_a_new_fault_script_is_in_force_at_once_and_counts_from_the_beginning():
    async with controlled({"what": "unavailable"}) as client:
        assert (await client.get("rows")).status_code == 503
        wanted = {"faults": [{"what": "throttle", "count": 1}]}
        for _ in range(2):
            put = await client.put(f"{CONTROL}faults", json=wanted)
            assert put.status_code == 200
            assert [(await client.get("rows")).status_code for _ in range(2)] == [429, 200]
        assert put.json() == script({"what": "throttle", "count": 1}).as_json()
        assert (await client.get(f"{CONTROL}faults")).json() == put.json()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "This is not JSON"),
        (b"\xff", "The body is not text in UTF-8."),
        (b"[]", "A fault script is an object"),
        (b'{"faults": [{"what": "drop", "shore": 1}]}', "'shore' is closest to 'share'"),
    ],
)
async def test_a_bad_fault_script_is_refused_and_the_old_one_stays(body, reason):
    async with controlled({"what": "unavailable"}) as client:
        answer = await client.put(f"{CONTROL}faults", content=body)
        assert answer.status_code == 400
        assert reason in answer.json()["error"]
        assert (await client.get("rows")).status_code == 503


async def test_a_body_that_is_too_large_is_refused():
    async with controlled() as client:
        assert (await client.put(f"{CONTROL}faults", content=b" " * 1_100_000)).status_code == 413


async def test_the_control_endpoint_has_no_trouble_and_is_not_logged():
    clock = Clock()
    options = {"clock": clock, "limits": Limits(requests=1), "latency_ms": 100}
    async with controlled({"what": "unavailable"}, **options) as client:
        for _ in range(3):
            assert (await client.get(f"{CONTROL}faults")).status_code == 200
        assert await log(client) == {"requests": [], "dropped": 0}
        assert clock.slept == []


async def test_what_the_control_endpoint_does_not_have_it_refuses():
    async with controlled() as client:
        unknown = await client.get(f"{CONTROL}secrets")
        assert unknown.status_code == 404
        assert "requests, counters, faults" in unknown.json()["error"]
        wrong = await client.post(f"{CONTROL}requests")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, DELETE")


async def test_the_control_endpoint_begins_at_its_slash():
    async with controlled() as client:
        assert (await client.get("http://crm.test/sandbox")).json()["value"] == []
        assert (await client.get("http://crm.test/sandboxes/requests")).json()["value"] == []


class Data:
    """Hooks that keep snapshots of a small CRM's rows."""

    def __init__(self, crm):
        self.crm = crm
        self.snapshots = {}

    def reset(self):
        self.crm.rows.clear()

    def snapshot(self, name):
        if name == "refused":
            raise ValueError("No snapshot may have this name.")
        self.snapshots[name] = list(self.crm.rows)

    def restore(self, name):
        if name not in self.snapshots:
            raise KeyError(f"There is no snapshot '{name}'.")
        self.crm.rows[:] = self.snapshots[name]

    @property
    def hooks(self):
        return Hooks(reset=self.reset, snapshot=self.snapshot, restore=self.restore)


async def test_snapshots_bring_back_the_rows():
    crm = SmallCrm()
    async with controlled(app=crm, hooks=Data(crm).hooks) as client:
        await client.post("rows", json={"name": "a"})
        taken = await client.post(f"{CONTROL}snapshot", json={"name": "before"})
        assert (taken.status_code, taken.json()) == (200, {"snapshot": "before"})
        assert (await client.post(f"{CONTROL}snapshot")).json() == {"snapshot": "default"}
        await client.post("rows", json={"name": "b"})
        restored = await client.post(f"{CONTROL}restore", json={"name": "before"})
        assert (restored.status_code, restored.json()) == (200, {"restored": "before"})
        assert crm.rows == [{"name": "a"}]


async def test_reset_begins_everything_anew_but_keeps_the_fault_script():
    crm, clock = SmallCrm(), Clock()
    options = {"app": crm, "hooks": Data(crm).hooks, "clock": clock, "limits": Limits(requests=2)}
    async with controlled({"what": "unavailable", "count": 1}, **options) as client:
        for _ in range(2):
            statuses = [(await client.post("rows", json={})).status_code for _ in range(3)]
            assert statuses == [503, 201, 429]
            assert (await client.post(f"{CONTROL}reset")).json() == {"reset": True}
            assert crm.rows == []
            assert (await counters(client))["total"] == 0


async def test_what_a_hook_refuses_is_refused_with_its_reason():
    async with controlled(hooks=Data(SmallCrm()).hooks) as client:
        missing = await client.post(f"{CONTROL}restore", json={"name": "never"})
        assert (missing.status_code, missing.json()) == (404, {"error": "There is no snapshot 'never'."})
        refused = await client.post(f"{CONTROL}snapshot", json={"name": "refused"})
        assert (refused.status_code, refused.json()) == (400, {"error": "No snapshot may have this name."})


async def test_a_hook_that_was_not_given_is_refused():
    async with controlled() as client:
        for name in ("reset", "snapshot", "restore"):
            answer = await client.post(f"{CONTROL}{name}")
            assert (answer.status_code, answer.json()) == (501, {"error": f"This sandbox has no {name}."})


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"name": 7}', b'{"name": ""}', json.dumps({"name": "a" * 101})]
)
async def test_a_snapshot_needs_a_proper_name(body):
    async with controlled(hooks=Data(SmallCrm()).hooks) as client:
        assert (await client.post(f"{CONTROL}snapshot", content=body)).status_code == 400
