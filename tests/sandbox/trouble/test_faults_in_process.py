"""What each fault does to a request, without sockets."""

from __future__ import annotations

import pytest

from crm_sandbox.trouble import ConnectionDropped, Hooks
from tests.sandbox.trouble.small_crm import API, Clock, SmallCrm, client_of, troubled

pytestmark = pytest.mark.anyio


async def fault_counts(client):
    return (await client.get("http://crm.test/sandbox/counters")).json()["by_fault"]


@pytest.mark.parametrize(
    ("what", "status"), [("bad_gateway", 502), ("unavailable", 503), ("gateway_timeout", 504)]
)
@pytest.mark.parametrize("stored", [False, True])
async def test_a_gateway_fails_before_or_after_the_application(what, status, stored):
    crm = SmallCrm()
    async with client_of(troubled({"what": what, "stored": stored, "count": 1}, app=crm)) as client:
        failed = await client.post("rows", json={"name": "a"})
        assert failed.status_code == status
        assert failed.headers["content-type"] == "text/html; charset=utf-8"
        assert crm.rows == ([{"name": "a"}] if stored else [])
        assert (await client.post("rows", json={"name": "b"})).status_code == 201


async def test_a_throttled_request_says_when_to_come_back():
    crm = SmallCrm()
    async with client_of(troubled({"what": "throttle", "retry_after": 17}, app=crm)) as client:
        answer = await client.post("rows", json={})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "17")
        assert answer.json()["error"]["code"] == "0x80072322"
        assert crm.rows == []


async def test_a_throttled_request_can_say_it_with_a_date():
    fault = {"what": "throttle", "retry_after": 90, "retry_after_as": "date"}
    async with client_of(troubled(fault)) as client:
        answer = await client.get("rows")
        assert answer.headers["retry-after"] == "Mon, 23 Nov 2026 09:31:30 GMT"


async def test_an_expired_token_is_answered_with_where_to_sign_in():
    async with client_of(troubled({"what": "expired_token"})) as client:
        answer = await client.get("rows")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer authorization_uri=https://login.")
        assert ", resource_id=https://" in answer.headers["www-authenticate"]
    fault = {"what": "expired_token", "www_authenticate": 'Bearer error="invalid_token"'}
    async with client_of(troubled(fault)) as client:
        assert (await client.get("rows")).headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("stored", [False, True])
async def test_a_proxy_answers_with_a_page_of_its_own(stored):
    crm = SmallCrm()
    async with client_of(troubled({"what": "not_json", "stored": stored}, app=crm)) as client:
        answer = await client.post("rows", json={})
        assert answer.status_code == 200
        assert answer.text.startswith("<!DOCTYPE html>")
        assert len(crm.rows) == stored


@pytest.mark.parametrize("stored", [False, True])
async def test_without_a_real_connection_a_drop_is_raised(stored):
    crm = SmallCrm()
    async with client_of(troubled({"what": "drop", "stored": stored}, app=crm)) as client:
        with pytest.raises(ConnectionDropped):
            await client.post("rows", json={})
        assert len(crm.rows) == stored


async def test_without_a_real_connection_a_cut_is_raised_too():
    crm = SmallCrm()
    async with client_of(troubled({"what": "truncate"}, app=crm)) as client:
        with pytest.raises(ConnectionDropped):
            await client.post("rows", json={})
        assert len(crm.rows) == 1


async def test_a_slow_answer_comes_whole_after_its_time():
    clock, crm = Clock(), SmallCrm()
    async with client_of(troubled({"what": "slow", "seconds": 2.5}, clock=clock, app=crm)) as client:
        answer = await client.post("rows", json={"name": "a"})
        assert answer.json() == [{"name": "a"}]
        assert clock.slept == [2.5]


async def test_a_trickle_spreads_its_time_over_the_body():
    clock = Clock()
    async with client_of(troubled({"what": "slow", "seconds": 5, "trickle": True}, clock=clock)) as client:
        answer = await client.post("rows", json={"name": "long enough"})
        assert answer.json() == [{"name": "long enough"}]
        assert clock.slept == [0.5] * 10
        clock.slept.clear()
        assert (await client.delete("rows")).status_code == 204
        assert clock.slept == [5]


async def test_a_trickle_of_a_few_bytes_takes_as_long():
    clock = Clock()

    async def short(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        await send({"type": "http.response.body", "body": b"}"})

    fault = {"what": "slow", "seconds": 3, "trickle": True}
    async with client_of(troubled(fault, clock=clock, app=short)) as client:
        assert (await client.get("rows")).content == b"{}"
        assert clock.slept == [1.5, 1.5]


async def test_a_next_link_points_to_another_host_and_nothing_else_changes():
    async with client_of(troubled({"what": "foreign_next_link", "host": "evil.test:8443"})) as client:
        answer = await client.get("rows")
        assert answer.json() == {
            "value": [],
            "@odata.nextLink": f"http://evil.test:8443{API}rows?$skiptoken=1",
        }
        assert answer.headers["content-length"] == str(len(answer.content))
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("what", ["foreign_next_link", "truncate"])
async def test_a_fault_that_an_answer_cannot_have_waits_for_the_next_one(what):
    async with client_of(troubled({"what": what, "count": 1}, control=Hooks())) as client:
        assert (await client.delete("rows")).status_code == 204
        assert await fault_counts(client) == {}
        if what == "truncate":
            with pytest.raises(ConnectionDropped):
                await client.get("rows")
        else:
            assert "elsewhere.invalid" in (await client.get("rows")).text
        assert await fault_counts(client) == {what: 1}
        assert "crm.test" in (await client.get("rows")).text


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[" * 100_000, b"[]", b'{"@odata.nextLink": 7}', b"\xff"]
)
async def test_an_answer_without_a_next_link_stays_as_it_is(body):
    async def answering(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Odd", b"1")]})
        await send({"type": "http.response.body", "body": body})

    async with client_of(troubled({"what": "foreign_next_link"}, app=answering)) as client:
        answer = await client.get("rows")
        assert (answer.content, answer.headers["x-odd"]) == (body, "1")


async def test_a_client_asks_for_a_fault_with_a_header():
    async with client_of(troubled({"what": "unavailable", "header": "busy"})) as client:
        assert (await client.get("rows")).status_code == 200
        assert (await client.get("rows", headers={"X-Sandbox-Fault": "busy"})).status_code == 503


async def test_an_application_that_gives_no_answer_counts_as_broken():
    async def silent(scope, receive, send):
        pass

    async with client_of(troubled({"what": "slow", "seconds": 0}, app=silent)) as client:
        assert (await client.get("rows")).status_code == 500


async def test_what_is_not_a_request_goes_to_the_application():
    seen = []

    async def application(scope, receive, send):
        seen.append(scope["type"])

    await troubled({"what": "drop"}, app=application)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
