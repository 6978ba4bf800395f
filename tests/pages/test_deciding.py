"""Plans on the page: shown, decided once, by somebody who may, and carried out by whoever asked."""

from __future__ import annotations

import pytest

from tests.pages.house import Browser, House

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bob(house: House) -> Browser:
    """An approver who has signed in."""
    browser = house.browser()
    assert (await browser.sign_in("bob")).status == 303
    return browser


async def test_a_waiting_plan_is_shown_with_who_asks_and_why(house: House, bob: Browser) -> None:
    plan = await house.waiting_plan(lastname="Quillsworth")
    page = await bob.open("")
    assert page.status == 200
    assert "Delete the lead Quillsworth" in page.text
    assert "ann, with delete_lead" in page.text
    assert f"/approvals/plans/{plan}" in page.text
    assert "Topic: Pens" in (await bob.open(f"/plans/{plan}")).text


async def test_what_was_approved_is_carried_out_by_the_same_call_once(house: House, bob: Browser) -> None:
    key = await house.new_lead()
    plan = await house.asked_to_delete(key)
    decided = await bob.decide(plan, "approved", "Fine with me")
    assert decided.response.headers["location"] == f"/approvals/plans/{plan}"
    shown = await bob.open(f"/plans/{plan}")
    assert "approved by bob" in shown.text
    assert "Fine with me" in shown.text
    assert "error" not in await house.call("delete_lead", leadid=key)
    assert "approved and carried out by bob" in (await bob.open("/history")).text


async def test_a_decision_is_in_the_audit_with_who_decided(house: House, bob: Browser) -> None:
    plan = await house.waiting_plan()
    await bob.decide(plan, "approved")
    events = await house.events("plan approved")
    assert [(event["plan"], event["by"], event["caller"]) for event in events] == [(plan, "bob", "ann")]
    signed_in = await house.events("page sign-in")
    assert [event["caller"] for event in signed_in] == ["bob"]


async def test_a_rejection_tells_the_assistant_why(house: House, bob: Browser) -> None:
    key = await house.new_lead()
    plan = await house.asked_to_delete(key)
    await bob.decide(plan, "rejected", "We keep it")
    again = await house.call("delete_lead", leadid=key)
    assert "A human rejected this change. Reason: We keep it." in again["error"]["message"]


async def test_a_plan_is_decided_once(house: House, bob: Browser) -> None:
    plan = await house.waiting_plan()
    page = await bob.open(f"/plans/{plan}")
    form = {"token": page.token, "decision": "approved"}
    assert (await bob.send(f"/plans/{plan}/decision", form)).status == 303
    second = await bob.send(f"/plans/{plan}/decision", {**form, "decision": "rejected"})
    assert second.status == 409
    assert "approved by bob already" in second.text
    assert len(await house.events("plan approved")) == 1
    assert not await house.events("plan rejected")


async def test_an_approval_does_not_cover_a_record_that_changed(house: House, bob: Browser) -> None:
    key = await house.new_lead()
    plan = await house.asked_to_delete(key)
    await bob.decide(plan, "approved")
    await house.call("update_lead", leadid=key, subject="Pencils")
    other = await house.asked_to_delete(key)
    assert other not in ("", plan)
    assert "Topic: Pencils" in (await bob.open(f"/plans/{other}")).text
    assert "waits for approval" in (await bob.open(f"/plans/{other}")).text


async def test_an_expired_plan_can_be_seen_and_not_decided(house: House, bob: Browser) -> None:
    plan = await house.waiting_plan()
    token = (await bob.open(f"/plans/{plan}")).token
    house.later(hours=25)
    await bob.sign_in("bob")
    page = await bob.open(f"/plans/{plan}")
    assert "expired" in page.text
    assert "Approve exactly this" not in page.text
    late = await bob.send(f"/plans/{plan}/decision", {"token": page.token, "decision": "approved"})
    assert late.status == 409
    assert token != page.token


async def test_whoever_may_only_look_cannot_decide(house: House) -> None:
    plan = await house.waiting_plan()
    eve = house.browser()
    assert (await eve.sign_in("eve")).status == 303
    page = await eve.open(f"/plans/{plan}")
    assert "another role is needed to approve or reject" in page.text
    assert "Approve exactly this" not in page.text
    refused = await eve.send(f"/plans/{plan}/decision", {"token": page.token, "decision": "approved"})
    assert refused.status == 403
    assert not await house.events("plan approved")


@pytest.mark.parametrize("spelling", ["bob", "Bob"])
async def test_nobody_approves_their_own(spelling: str, house: House, bob: Browser) -> None:
    plan = await house.waiting_plan(spelling)
    page = await bob.open(f"/plans/{plan}")
    assert "You asked for this change yourself" in page.text
    refused = await bob.send(f"/plans/{plan}/decision", {"token": page.token, "decision": "approved"})
    assert refused.status == 403
    assert not await house.events("plan approved")


async def test_an_unknown_plan_and_an_unknown_decision_change_nothing(house: House, bob: Browser) -> None:
    plan = await house.waiting_plan()
    assert (await bob.open("/plans/0000000000")).status == 404
    assert (await bob.decide(plan, "used")).status == 400
    assert "waits for approval" in (await bob.open(f"/plans/{plan}")).text


async def test_a_reason_is_one_plain_line_wherever_it_goes(house: House, bob: Browser) -> None:
    key = await house.new_lead()
    plan = await house.asked_to_delete(key)
    await bob.decide(
        plan, "rejected", 'no\r\n{"event": "forged"}\x1b[31m\u202e<script>x</script>' + "y" * 900
    )
    reason = (await house.application.crm.state.plan(plan)).reason
    assert reason is not None
    assert reason.isprintable()
    assert "\n" not in reason
    assert len(reason) <= 500
    assert "<script>" not in (await bob.open(f"/plans/{plan}")).text
