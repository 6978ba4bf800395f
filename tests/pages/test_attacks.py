"""What is tried against the page, and what it answers."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from crm_server.pages.answering import STATIC
from tests.pages.house import PUBLIC, Browser, House, a_house, callers_file

pytestmark = pytest.mark.anyio
SESSION = "__Host-crm-page"
CANARY = "<script>canary()</script><img src=x>\"'><b>"
PAGES = ("", "/history", "/changes", "/audit", "/budgets", "/policy", "/health")


@pytest.fixture
async def bob(house: House) -> Browser:
    browser = house.browser()
    await browser.sign_in("bob")
    return browser


async def test_nobody_sees_a_page_without_signing_in(house: House) -> None:
    plan = await house.waiting_plan()
    for path in (*PAGES, "/waiting", f"/plans/{plan}"):
        page = await house.browser().open(path)
        assert page.status == 303
        assert "/approvals/sign-in?next=" in page.response.headers["location"]
        assert not page.text


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", f"{PUBLIC}.evil.example", "http://crm.example"]
)
async def test_a_form_of_another_site_is_refused(origin: str | None, house: House, bob: Browser) -> None:
    plan = await house.waiting_plan()
    form = {"token": (await bob.open(f"/plans/{plan}")).token, "decision": "approved"}
    refused = await bob.send(f"/plans/{plan}/decision", form, origin)
    assert refused.status == 403
    assert not await house.events("plan approved")


async def test_a_form_without_the_sessions_own_token_is_refused(house: House, bob: Browser) -> None:
    plan = await house.waiting_plan()
    eve = house.browser()
    await eve.sign_in("eve")
    foreign = (await eve.open("/audit")).token
    for token in ({}, {"token": ""}, {"token": "guessed"}, {"token": foreign}):
        for path in (f"/plans/{plan}/decision", "/audit/verify", "/sign-out", "/changes/x/undo"):
            refused = await bob.send(path, {**token, "decision": "approved"})
            assert (refused.status, path) == (403, path)
    assert (await bob.open("")).status == 200
    assert not await house.events("plan approved")


async def test_nothing_is_changed_by_a_link(house: House, bob: Browser) -> None:
    plan = await house.waiting_plan()
    token = (await bob.open(f"/plans/{plan}")).token
    for path in (f"/plans/{plan}/decision", "/audit/verify", "/sign-out"):
        assert (await bob.open(f"{path}?token={token}&decision=approved")).status == 405
    assert not await house.events("plan approved")


async def test_a_form_of_another_kind_or_size_is_refused(house: House, bob: Browser) -> None:
    plan = await house.waiting_plan()
    token = (await bob.open(f"/plans/{plan}")).token
    path = f"/approvals/plans/{plan}/decision"
    as_json = await bob.http.post(
        path, json={"token": token, "decision": "approved"}, headers={"Origin": PUBLIC}
    )
    assert as_json.status_code == 403
    form = {"token": token, "decision": "approved"}
    plain = await bob.http.post(
        path, content=urlencode(form), headers={"Origin": PUBLIC, "Content-Type": "text/plain"}
    )
    assert plain.status_code == 403
    large = await bob.send(f"/plans/{plan}/decision", {**form, "reason": "x" * 70_000})
    assert large.status == 413
    many = await bob.send(f"/plans/{plan}/decision", {**form, **{f"field{n}": "x" for n in range(20)}})
    assert many.status == 403
    assert not await house.events("plan approved")


async def test_a_session_that_was_there_before_the_sign_in_is_not_taken_over(house: House) -> None:
    eve, victim = house.browser(), house.browser()
    await eve.sign_in("eve")
    planted = eve.cookie(SESSION)
    assert planted is not None
    victim.http.cookies.set(SESSION, planted, domain="crm.example", path="/")
    await victim.sign_in("bob")
    own = [item.value for item in victim.http.cookies.jar if item.name == SESSION]
    assert planted not in own[-1:]
    assert "eve" in (await eve.open("")).text
    assert "bob" not in (await eve.open("")).text


async def test_a_session_that_was_tampered_with_is_none(house: House, bob: Browser) -> None:
    good = bob.cookie(SESSION)
    assert good is not None
    flipped = good[:40] + ("A" if good[40] != "A" else "B") + good[41:]
    made = base64.urlsafe_b64encode(b'{"visitor": {"name": "bob"}}').decode()
    for value in (flipped, good[:-4], made, "", "x" * 5000):
        assert (await _with_cookie(house, value)).status_code == 303
    assert (await _with_cookie(house, good)).status_code == 200


async def _with_cookie(house: House, value: str) -> Any:
    return await house.browser().http.get("/approvals", headers={"Cookie": f"{SESSION}={value}"})


async def test_a_session_of_another_server_is_none(tmp_path: Path, house: House, bob: Browser) -> None:
    value = bob.cookie(SESSION)
    assert value is not None
    async with a_house(callers_file=callers_file(tmp_path)) as other:
        assert (await _with_cookie(other, value)).status_code == 303


async def test_any_replica_with_the_states_key_knows_a_session(tmp_path: Path, sandbox: Any) -> None:
    settings = {"callers_file": callers_file(tmp_path), "state": f"sqlite:///{tmp_path / 'state.db'}"}
    async with a_house(sandbox, **settings) as one, a_house(sandbox, **settings) as other:
        browser = one.browser()
        await browser.sign_in("bob")
        value = browser.cookie(SESSION)
        assert value is not None
        plan = await one.waiting_plan()
        page = await _with_cookie(other, value)
        assert page.status_code == 200
        assert f"/approvals/plans/{plan}" in page.text


async def test_a_session_ends_after_an_hour_without_use_and_after_eight_in_any_case(house: House) -> None:
    idle = house.browser()
    await idle.sign_in("bob")
    house.later(minutes=61)
    assert (await idle.open("")).status == 303
    busy = house.browser()
    await busy.sign_in("bob")
    for _ in range(9):
        house.later(minutes=50)
        assert (await busy.open("")).status == 200
    house.later(minutes=40)
    assert (await busy.open("")).status == 303


async def test_a_page_that_is_left_open_does_not_keep_its_session(house: House, bob: Browser) -> None:
    for _ in range(5):
        house.later(minutes=10)
        assert (await bob.open("/waiting")).status == 200
    house.later(minutes=11)
    assert (await bob.open("/waiting")).status == 303


async def test_signing_out_forgets_the_session(bob: Browser) -> None:
    await bob.send("/sign-out", {"token": (await bob.open("")).token})
    assert bob.cookie(SESSION) is None
    assert (await bob.open("")).status == 303
    assert "You are signed out" in (await bob.open("/signed-out")).text


async def test_a_copy_of_a_cookie_is_worth_nothing_after_signing_out(house: House, bob: Browser) -> None:
    thief, other = house.browser(), house.browser()
    thief.http.cookies.update(bob.http.cookies)
    token = (await thief.open("")).token
    await other.sign_in("bob")
    await bob.send("/sign-out", {"token": (await bob.open("")).token})
    assert (await thief.open("")).status == 303
    assert (await thief.open("/health")).status == 303
    refused = await thief.send("/audit/verify", {"token": token})
    assert (refused.status, "You are not signed in" in refused.text) == (401, True)
    # It is this session that has ended, and not the person's others.
    assert (await other.open("")).status == 200


async def test_cookies_are_for_this_host_https_and_no_script(house: House) -> None:
    entered = await house.browser().sign_in("bob")
    set_cookies = entered.response.headers.get_list("set-cookie")
    (session,) = [one for one in set_cookies if one.startswith(f"{SESSION}=")]
    for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/", "Max-Age=28800"):
        assert part in session
    assert "Domain" not in session


async def test_every_answer_forbids_frames_foreign_parts_and_keeping(house: House, bob: Browser) -> None:
    paths = (*PAGES, "/sign-in", "/nowhere", "/sign-in/callback", *(f"/{name}" for name in STATIC))
    answers = [await bob.open(path) for path in paths] + [await bob.send("/sign-out", {}, None)]
    for page in answers:
        headers = page.response.headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none';")
        for part in ("frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'", "script-src 'self'"):
            assert part in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        for name in ("referrer-policy", "cross-origin-opener-policy", "cross-origin-resource-policy"):
            assert headers[name] == "same-origin"


async def test_another_host_does_not_lead_here(house: House) -> None:
    assert (await house.browser().open("", Host="evil.example")).status == 421


async def test_markup_of_strangers_is_text_everywhere(house: House, bob: Browser) -> None:
    key = await house.new_lead(CANARY, lastname=CANARY, subject=CANARY)
    await house.call("update_lead", CANARY, leadid=key, subject=f"{CANARY}2")
    plan = await house.asked_to_delete(key, CANARY)
    other = await house.waiting_plan(CANARY, lastname=CANARY)
    await bob.decide(plan, "rejected", CANARY)
    changes = await house.application.crm.state.changes(CANARY, most=5)
    assert len(changes) == 3
    shown = [*PAGES, "/waiting", f"/plans/{plan}", f"/plans/{other}", f"/audit?caller={CANARY}"]
    for path in (*shown, *(f"/changes/{change.id}" for change in changes)):
        page = await bob.open(path)
        assert page.status == 200
        text = page.text
        assert "<script>" not in text
        assert "<img" not in text
        assert "<b>" not in text
        assert "\"'><" not in text
    assert "canary()" in (await bob.open("")).text
