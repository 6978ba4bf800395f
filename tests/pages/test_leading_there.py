"""Where an approver decides, the caller's own client is never asked; one that can open pages is led there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp_types import ElicitRequestURLParams, ElicitResult

from crm_server.protocol import build_server
from tests.pages.house import PUBLIC, House, a_house, callers_file

pytestmark = pytest.mark.anyio


class Person:
    """Somebody at the client. Keeps what was asked, and goes where they are led."""

    def __init__(self, house: House | None = None, decides: str = "") -> None:
        self.asked: list[Any] = []
        self._house, self._decides = house, decides

    async def __call__(self, _context: Any, params: Any) -> ElicitResult:
        self.asked.append(params)
        if self._house is not None:
            approver = self._house.browser()
            await approver.sign_in("bob")
            await approver.decide(str(params.url).rpartition("/")[2], self._decides)
        return ElicitResult(action="accept")


@asynccontextmanager
async def strict_house(tmp_path: Path, sandbox: Any) -> AsyncIterator[House]:
    async with a_house(sandbox, callers_file=callers_file(tmp_path), approve_on_page=True) as house:
        yield house


async def deleted(client: Client, key: str) -> dict[str, Any]:
    result = await client.call_tool("delete_lead", {"leadid": key})
    answer: dict[str, Any] = json.loads(result.content[0].text)
    return answer


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_a_client_that_opens_no_pages_is_told_the_address(
    era: Any, tmp_path: Path, sandbox: Any
) -> None:
    async with strict_house(tmp_path, sandbox) as house:
        key = await house.new_lead()
        async with Client(build_server(house.application), mode=era) as client:
            refused = await deleted(client, key)
            plan = (await house.application.crm.state.plans())[0].id
            assert f"{PUBLIC}/approvals/plans/{plan}" in refused["error"]["message"]
            approver = house.browser()
            await approver.sign_in("bob")
            await approver.decide(plan, "approved")
            # The one at the client is called "local" here, and asks again.
            assert "error" not in await deleted(client, key)


async def test_in_the_handshake_era_the_error_names_the_page(tmp_path: Path, sandbox: Any) -> None:
    async with strict_house(tmp_path, sandbox) as house:
        key = await house.new_lead()
        person = Person()
        server = build_server(house.application)
        async with Client(server, mode="legacy", elicitation_callback=person) as client:
            with pytest.raises(Exception, match="URL elicitation required") as caught:
                await deleted(client, key)
            (plan,) = await house.application.crm.state.plans()
            error = UrlElicitationRequiredError.from_error(caught.value.error)
            assert [one.url for one in error.elicitations] == [f"{PUBLIC}/approvals/plans/{plan.id}"]
            assert error.elicitations[0].elicitation_id == plan.id
            assert not person.asked
            approver = house.browser()
            await approver.sign_in("bob")
            await approver.decide(plan.id, "approved")
            assert "error" not in await deleted(client, key)


@pytest.mark.parametrize(("decision", "done"), [("approved", True), ("rejected", False)])
async def test_in_the_stateless_era_the_client_leads_there_and_calls_again(
    decision: str, done: bool, tmp_path: Path, sandbox: Any
) -> None:
    async with strict_house(tmp_path, sandbox) as house:
        key = await house.new_lead()
        person = Person(house, decision)
        async with Client(build_server(house.application), elicitation_callback=person) as client:
            answer = await deleted(client, key)
    assert ("error" not in answer) == done
    (asked,) = person.asked
    assert isinstance(asked, ElicitRequestURLParams)
    assert asked.url.startswith(f"{PUBLIC}/approvals/plans/")


async def test_that_somebody_opened_the_page_is_no_approval(tmp_path: Path, sandbox: Any) -> None:
    async with strict_house(tmp_path, sandbox) as house:
        key = await house.new_lead()
        person = Person()
        async with Client(build_server(house.application), elicitation_callback=person) as client:
            answer = await deleted(client, key)
        assert "Nobody has decided yet" in answer["error"]["message"]
        assert len(person.asked) == 1
        assert [plan.status for plan in await house.application.crm.state.plans()] == ["waiting"]
        assert "error" not in await house.call("get_lead", leadid=key)


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_without_the_setting_the_client_asks_as_ever(era: Any, house: House) -> None:
    key = await house.new_lead()
    person = Person()
    async with Client(build_server(house.application), mode=era, elicitation_callback=person) as client:
        assert "error" not in await deleted(client, key)
    assert [type(one).__name__ for one in person.asked] == ["ElicitRequestFormParams"]
