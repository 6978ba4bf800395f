"""Trouble round the sandbox's own Web API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_sandbox import create_app
from crm_sandbox.trouble import Hooks, Limits
from tests.sandbox.trouble.small_crm import START, client_of, troubled

pytestmark = pytest.mark.anyio
KEY = "00000000-0000-0000-0000-00000000abcd"


@pytest.fixture
def crm() -> Iterator:
    app = create_app(now=lambda: START)
    yield app
    app.close()


@pytest.mark.parametrize(("method", "path"), [("GET", "requests"), ("PUT", "faults"), ("POST", "reset")])
async def test_unless_asked_for_the_control_endpoint_is_an_unknown_segment(crm, method, path):
    async with client_of(troubled(app=crm)) as client:
        answer = await client.request(method, f"http://crm.test/sandbox/{path}")
        assert answer.status_code == 404
        assert set(answer.json()["error"]) == {"code", "message"}


async def test_without_trouble_answers_are_the_same_as_ever(crm):
    path = "accounts?$top=3&$orderby=name"
    async with client_of(crm) as plain, client_of(troubled(app=crm)) as client:
        assert (await client.get(path)).json() == (await plain.get(path)).json()


async def test_a_create_whose_answer_is_lost_is_stored_and_found(crm):
    lost = {"what": "gateway_timeout", "stored": True, "method": "POST", "path": "*/leads", "count": 1}
    async with client_of(troubled(lost, app=crm)) as client:
        lead = {"leadid": KEY, "lastname": "Lost", "subject": "Lost answer"}
        assert (await client.post("leads", json=lead)).status_code == 504
        assert (await client.post("leads", json=lead)).status_code == 412
        assert (await client.get(f"leads({KEY})?$select=lastname")).json()["lastname"] == "Lost"


async def test_a_page_leads_to_another_host(crm):
    async with client_of(troubled({"what": "foreign_next_link"}, app=crm)) as client:
        first = "accounts?$select=name"
        page = (await client.get(first, headers={"Prefer": "odata.maxpagesize=2"})).json()
        assert len(page["value"]) == 2
        assert page["@odata.nextLink"].startswith("http://elsewhere.invalid/api/data/v9.2/accounts?")


async def test_the_log_and_the_limits_count_what_the_sandbox_answers(crm):
    app = troubled(app=crm, limits=Limits(requests=2), control=Hooks())
    async with client_of(app) as client:
        statuses = [(await client.get("accounts?$top=1")).status_code for _ in range(3)]
        log = (await client.get("http://crm.test/sandbox/requests")).json()["requests"]
    assert statuses == [200, 200, 429]
    assert [request["status"] for request in log] == statuses
