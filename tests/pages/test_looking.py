"""What else the page shows: the audit, changes and their undo, budgets, policy, health."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from crm_server.policy.load import load_policy
from crm_server.state.proposals import Proposal
from crm_server.state.schema import EVENTS
from crm_tools.operations import Action
from tests.pages.house import Browser, House, a_house, callers_file

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bob(house: House) -> Browser:
    browser = house.browser()
    await browser.sign_in("bob")
    return browser


async def test_the_audit_is_searched(house: House, bob: Browser) -> None:
    key = await house.new_lead()
    await house.call("get_lead", "carl", leadid=key)
    for query in (
        "caller=carl",
        "tool=get_lead&caller=carl",
        f"record={key}&tool=get_lead",
        "outcome=ok&caller=carl",
    ):
        found = (await bob.open(f"/audit?{query}")).text
        assert "get_lead" in found
        assert "create_lead" not in found.partition("<table>")[2]
    assert "No event matches" in (await bob.open("/audit?caller=nobody")).text
    tomorrow = f"{house.moment.replace(year=house.moment.year + 1):%Y-%m-%d}"
    assert "No event matches" in (await bob.open(f"/audit?since={tomorrow}")).text
    assert (await bob.open("/audit?since=yesterday")).status == 400


async def test_the_audit_goes_on_page_by_page_with_the_same_search(house: House, bob: Browser) -> None:
    for _ in range(60):
        house.application.crm.state.note({"kind": "call", "caller": "zoe & co", "tool": "t", "outcome": "ok"})
    numbers: list[int] = []
    path = "/audit?caller=zoe%20%26%20co"
    while path:
        page = (await bob.open(path)).text
        numbers += [int(found) for found in re.findall(r'<th scope="row">(\d+)</th>', page)]
        link = re.search(r'href="/approvals(/audit\?[^"]+)">Older', page)
        path = link[1].replace("&amp;", "&") if link else ""
    assert len(numbers) == len(set(numbers)) == 60
    assert numbers == sorted(numbers, reverse=True)


async def test_the_audit_is_verified_and_a_changed_event_is_named(tmp_path: Path, sandbox: Any) -> None:
    settings = {"callers_file": callers_file(tmp_path), "state": f"sqlite:///{tmp_path / 'state.db'}"}
    async with a_house(sandbox, **settings) as house:
        browser = house.browser()
        await browser.sign_in("bob")
        await house.new_lead()
        token = (await browser.open("/audit")).token
        assert "none was changed" in (await browser.send("/audit/verify", {"token": token})).text
        await house.application.crm.state.run(
            lambda connection, _keys: connection.execute(
                update(EVENTS).where(EVENTS.c.number == 2).values(body="{}")
            )
        )
        broken = await browser.send("/audit/verify", {"token": token})
        assert "Broken at event 2" in broken.text


async def test_a_change_is_shown_before_and_after(house: House, bob: Browser) -> None:
    key = await house.new_lead(lastname="Before", subject="Pens")
    changed = await house.call("update_lead", leadid=key, subject="Pencils")
    page = (await bob.open(f"/changes/{changed['change_id']}")).text
    assert re.search(r'<th scope="row">Topic</th><td>Pens</td><td>Pencils</td>', page)
    assert changed["change_id"] in (await bob.open("/changes")).text
    assert (await bob.open("/changes/none")).status == 404


async def test_what_the_policy_hides_stays_hidden(tmp_path: Path, sandbox: Any) -> None:
    policy = tmp_path / "policy.toml"
    async with a_house(sandbox, callers_file=callers_file(tmp_path)) as house:
        key = await house.new_lead(subject="Secret topic")
        change = (await house.application.crm.state.changes("ann", most=1))[0]
        policy.write_text('extends = "sales-assistant"\n[hidden]\nlead = ["subject"]\n', encoding="utf-8")
        house.application.crm.policy = load_policy(str(policy), house.application.crm.tables)
        browser = house.browser()
        await browser.sign_in("bob")
        page = (await browser.open(f"/changes/{change.id}")).text
        assert key in page
        assert "(hidden by the policy)" in page
        assert "Secret topic" not in page


async def test_an_approver_takes_their_own_change_back(house: House, bob: Browser) -> None:
    key = await house.new_lead("bob", subject="Pens")
    changed = await house.call("update_lead", "bob", leadid=key, subject="Pencils")
    page = await bob.open(f"/changes/{changed['change_id']}")
    undone = await bob.send(f"/changes/{changed['change_id']}/undo", {"token": page.token})
    assert undone.status == 200
    assert "The change was taken back" in undone.text
    assert (await house.call("get_lead", "bob", leadid=key))["record"]["subject"] == "Pens"
    again = await bob.send(f"/changes/{changed['change_id']}/undo", {"token": page.token})
    assert again.status == 403
    assert "It was taken back by change" in again.text


async def test_an_approver_takes_somebody_elses_change_back_as_a_change_of_their_own(
    house: House, bob: Browser
) -> None:
    key = await house.new_lead(subject="Pens")
    changed = await house.call("update_lead", leadid=key, subject="Pencils")
    page = await bob.open(f"/changes/{changed['change_id']}")
    undone = await bob.send(f"/changes/{changed['change_id']}/undo", {"token": page.token})
    assert "The change was taken back" in undone.text
    assert (await house.call("get_lead", leadid=key))["record"]["subject"] == "Pens"
    (undo, *_) = await house.application.crm.state.changes("bob", most=5)
    assert (undo.undo_of, undo.record, undo.action) == (changed["change_id"], key, Action.UPDATE)
    events = [event for event in await house.events("write begun") if event.get("change") == undo.id]
    assert [event["caller"] for event in events] == ["bob"]


async def test_by_way_of_an_assistant_an_approver_takes_back_their_own_only(house: House) -> None:
    changed = await house.call("update_lead", leadid=await house.new_lead(), subject="Pencils")
    refused = await house.call("undo_change", "bob", change_id=changed["change_id"])
    assert "no change of yours" in refused["error"]["message"]


@pytest.mark.parametrize("maker", ["own", "another's"])
@pytest.mark.parametrize("who", ["cid", "dot", "eve"])
async def test_taking_back_needs_somebody_who_approves_and_writes(who: str, maker: str, house: House) -> None:
    by = who if maker == "own" else "ann"
    key = await house.new_lead(by)
    changed = await house.call("update_lead", by, leadid=key, subject="Pencils")
    browser = house.browser()
    await browser.sign_in(who)
    page = await browser.open(f"/changes/{changed['change_id']}")
    assert "an approver and the scope crm.write" in page.text
    assert f"have the assistant of {by} call undo_change with change_id {changed['change_id']}" in page.text
    token = (await browser.open("/audit")).token
    assert (await browser.send(f"/changes/{changed['change_id']}/undo", {"token": token})).status == 403
    assert (await house.call("get_lead", leadid=key))["record"]["subject"] == "Pencils"


async def test_taking_back_is_judged_by_the_roles_of_the_visitor(tmp_path: Path, sandbox: Any) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'extends = "sales-assistant"\n[[rules]]\nid = "trainees-look"\neffect = "deny"\n'
        'actions = ["update"]\ntables = ["lead"]\nroles = ["Trainee"]\n',
        encoding="utf-8",
    )
    async with a_house(sandbox, callers_file=callers_file(tmp_path), policy=str(policy)) as house:
        key = await house.new_lead("fay")
        changed = await house.call("update_lead", "fay", leadid=key, subject="Pencils")
        browser = house.browser()
        await browser.sign_in("fay")
        token = (await browser.open(f"/changes/{changed['change_id']}")).token
        undone = await browser.send(f"/changes/{changed['change_id']}/undo", {"token": token})
        assert undone.status == 409
        assert "trainees-look" in undone.text
        assert (await house.call("get_lead", leadid=key))["record"]["subject"] == "Pencils"


async def test_a_server_that_acts_for_each_caller_acts_here_only_if_it_asks_for_their_sign_in(
    tmp_path: Path, sandbox: Any
) -> None:
    async with a_house(sandbox, callers_file=callers_file(tmp_path), auth="on-behalf-of") as house:
        await house.new_lead("bob")
        change = (await house.application.crm.state.changes("bob", most=1))[0]
        browser = house.browser()
        await browser.sign_in("bob")
        page = await browser.open(f"/changes/{change.id}")
        assert "under each caller&#39;s own sign-in" in page.text
        assert "DYNAMICS_PAGE_UNDO=true" in page.text
        token = page.token
        assert (await browser.send(f"/changes/{change.id}/undo", {"token": token})).status == 403


async def test_an_undo_that_needs_approval_waits(house: House, bob: Browser) -> None:
    key = await house.new_lead("bob", subject="Pens")
    changed = await house.call("update_lead", "bob", leadid=key, subject="Pencils")
    await house.call("update_lead", "ann", leadid=key, subject="Chalk")
    page = await bob.open(f"/changes/{changed['change_id']}")
    undone = await bob.send(f"/changes/{changed['change_id']}/undo", {"token": page.token})
    assert undone.status == 409
    assert "It waits as plan" in undone.text
    assert (await house.call("get_lead", leadid=key))["record"]["subject"] == "Chalk"


async def test_budgets_say_what_was_used_in_all_and_by_each(house: House, bob: Browser) -> None:
    await house.new_lead()
    await house.new_lead("carl")
    page = (await bob.open("/budgets")).text
    everyone, _, each = page.partition("</table>")
    row = '<th scope="row">writes per minute</th><td>30</td><td>{0}</td><td>{1}</td>'
    assert row.format(2, 28) in everyone
    assert row.format(2, 28) not in each


async def test_budgets_of_each_caller_are_told_apart(tmp_path: Path, sandbox: Any) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'extends = "sales-assistant"\n[limits.each_caller]\nwrites_per_minute = 10\n', encoding="utf-8"
    )
    async with a_house(sandbox, callers_file=callers_file(tmp_path), policy=str(policy)) as house:
        await house.new_lead()
        await house.new_lead()
        await house.new_lead("carl")
        browser = house.browser()
        await browser.sign_in("bob")
        tables = (await browser.open("/budgets")).text.split("</table>")
        row = '<th scope="row">writes per minute</th><td>10</td><td>{0}</td><td>{1}</td>'
        assert row.format(2, 8) in next(table for table in tables if ">ann</caption>" in table)
        assert row.format(1, 9) in next(table for table in tables if ">carl</caption>" in table)


async def test_policy_and_health_are_shown(house: House, bob: Browser) -> None:
    assert "Policy sales-assistant" in (await bob.open("/policy")).text
    health = (await bob.open("/health")).text
    assert "Everything it takes to serve is there" in health
    assert "sales-assistant" in health
    assert "<dt>Kind of environment</dt><dd>unknown</dd>" in health
    await house.new_lead("ann")
    assert "<dt>Kind of environment</dt><dd>sandbox</dd>" in (await bob.open("/health")).text


async def test_decided_plans_go_on_page_by_page(house: House, bob: Browser) -> None:
    for number in range(55):
        proposal = Proposal(f"print-{number}", "ann", "t", "lead", f"Question {number}?", (), ())
        kept = await house.application.crm.state.propose(proposal)
        await house.application.crm.state.decide(kept.id, "rejected", "bob")
    first = (await bob.open("/history")).text
    link = re.search(r'href="/approvals(/history\?before=\d+)"', first)
    assert link is not None
    second = (await bob.open(link[1])).text
    found = re.findall(r"Question (\d+)\?", first + second)
    assert sorted(map(int, found)) == list(range(55))
    assert "before=" not in second


async def test_a_state_that_is_away_is_said_to_be(tmp_path: Path, sandbox: Any) -> None:
    state = tmp_path / "state.db"
    state.write_bytes(b"this is no database " * 500)
    async with a_house(
        sandbox,
        callers_file=callers_file(tmp_path),
        state=f"sqlite:///{state}",
        state_key=str(tmp_path / "state.key"),
    ) as house:
        browser = house.browser()
        await browser.sign_in("bob")
        for path in ("", "/audit", "/changes", "/budgets"):
            page = await browser.open(path)
            assert page.status == 503
            assert "is damaged" in page.text
        assert "<dt>State</dt><dd>The server" in (await browser.open("/health")).text
        leaving = {"token": (await browser.open("/health")).token}
        left = await browser.send("/sign-out", leaving)
        assert (left.status, "in this browser only" in left.text) == (503, True)
        assert browser.cookie("__Host-crm-page") is None


async def test_where_the_policy_offers_no_undo_the_try_is_in_the_audit(tmp_path: Path, sandbox: Any) -> None:
    async with a_house(sandbox, callers_file=callers_file(tmp_path)) as house:
        key = await house.new_lead(subject="Pens")
        changed = await house.call("update_lead", leadid=key, subject="Pencils")
        browser = house.browser()
        await browser.sign_in("bob")
        page = await browser.open(f"/changes/{changed['change_id']}")
        house.application.crm.policy = load_policy("read-only", house.application.crm.tables)
        refused = await browser.send(f"/changes/{changed['change_id']}/undo", {"token": page.token})
        assert (refused.status, "The policy offers no undo_change" in refused.text) == (403, True)
        events = await house.events("call")
        assert [(one["caller"], one["outcome"]) for one in events][-1] == ("bob", "unknown_tool")
