"""The page in a real browser: by keyboard, on a phone, in the dark, without scripts, and up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.pages.issuer import CLIENT_ID, Issuer
from tests.pages.screens import LiveHouse, Screen, a_live_house, a_screen
from tests.views.host import browser

PATHS = ("", "/history", "/changes", "/audit", "/budgets", "/policy", "/health")
STANDARD = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def live(tmp_path: Path, sandbox: Any) -> Iterator[LiveHouse]:
    with a_live_house(tmp_path, sandbox) as made:
        yield made


@pytest.fixture
def screen(chromium: Browser, live: LiveHouse) -> Iterator[Screen]:
    with a_screen(chromium, live) as made:
        made.sign_in()
        yield made


def all_paths(live: LiveHouse) -> tuple[str, ...]:
    """Each kind of page, with something on it."""
    decided = live.does(live.house.waiting_plan)
    live.does(live.house.application.crm.state.decide, decided, "rejected", "bob", "A reason")
    plan = live.does(live.house.waiting_plan, lastname="Quill" * 9)
    change = live.does(live.house.application.crm.state.changes, "ann", most=1)[0]
    return (*PATHS, f"/plans/{plan}", f"/plans/{decided}", f"/changes/{change.id}", "/signed-out", "/nowhere")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [900, 360])
def test_every_page_keeps_to_the_accessibility_guidelines(
    scheme: Any, width: int, chromium: Browser, live: LiveHouse
) -> None:
    paths = all_paths(live)
    # The checker is put into the page by the browser; what the page's own policy allows is another test.
    with a_screen(chromium, live, width, color_scheme=scheme, bypass_csp=True) as shown:
        shown.open("/sign-in")
        found = {"/sign-in": Axe().run(shown.page, options=STANDARD).response["violations"]}
        shown.sign_in()
        for path in paths:
            shown.open(path)
            found[path] = Axe().run(shown.page, options=STANDARD).response["violations"]
            fits = "document.documentElement.scrollWidth <= window.innerWidth"
            assert shown.page.evaluate(fits), path
    assert {path: [one["id"] for one in ones] for path, ones in found.items() if ones} == {}


def test_no_page_breaks_its_own_policy_or_asks_anything_elsewhere(screen: Screen, live: LiveHouse) -> None:
    for path in all_paths(live)[:-1]:
        screen.open(path)
    assert screen.problems == []
    assert screen.elsewhere == []


def test_a_plan_is_approved_by_keyboard_alone(screen: Screen, live: LiveHouse) -> None:
    plan = live.does(live.house.waiting_plan)
    screen.open()
    page = screen.page
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == f"plan-{plan}":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Decide")).to_be_visible()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "approved":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("approved by bob")


def test_a_new_plan_appears_by_itself_and_is_said(screen: Screen, live: LiveHouse) -> None:
    page = screen.page
    page.clock.install()
    screen.open()
    expect(page.get_by_text("No change waits for approval.")).to_be_visible()
    plan = live.does(live.house.waiting_plan, lastname="Newcomer")
    page.clock.run_for(6000)
    expect(page.get_by_role("heading", name="Delete the lead Newcomer")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("1 change waits for approval.")
    page.locator(f"#plan-{plan}").focus()
    live.does(live.house.waiting_plan, lastname="Second")
    page.clock.run_for(6000)
    expect(page.get_by_role("heading", name="Delete the lead Second")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == f"plan-{plan}"
    assert screen.problems == []


def test_a_page_that_is_left_open_says_that_its_session_has_ended(screen: Screen, live: LiveHouse) -> None:
    screen.page.clock.install()
    screen.open()
    live.house.later(hours=2)
    screen.page.clock.run_for(6000)
    expect(screen.page.get_by_role("status")).to_contain_text("Your session has ended")


def test_everything_works_without_scripts(chromium: Browser, live: LiveHouse) -> None:
    plan = live.does(live.house.waiting_plan)
    with a_screen(chromium, live, 360, java_script_enabled=False) as shown:
        shown.sign_in()
        shown.page.locator(f"#plan-{plan}").click()
        shown.page.get_by_label("Reason").fill("Not this one")
        shown.page.get_by_role("button", name="Reject").click()
        expect(shown.page.get_by_text("Reason: Not this one")).to_be_visible()
        shown.page.get_by_role("button", name="Sign out").click()
        expect(shown.page.get_by_role("heading", name="You are signed out")).to_be_visible()


def test_markup_of_strangers_runs_nothing(screen: Screen, live: LiveHouse) -> None:
    attack = "<img src=x onerror=document.title='hit'>"
    plan = live.does(live.house.waiting_plan, attack, subject=attack)
    live.does(live.house.application.crm.state.decide, plan, "rejected", attack, attack)
    live.does(live.house.waiting_plan, attack, subject=attack)
    for path in (*PATHS, f"/plans/{plan}"):
        screen.open(path)
        assert screen.page.locator("img").count() == 0
        assert screen.page.title().endswith("CRM approvals")
    assert screen.problems == []


def test_no_other_page_frames_it(chromium: Browser, live: LiveHouse) -> None:
    with a_screen(chromium, live) as shown:
        shown.page.set_content(f"<iframe src='{live.root}/signed-out'></iframe>")
        expect(shown.page.locator("iframe")).to_be_visible()
        shown.page.wait_for_load_state("networkidle")
        (frame,) = shown.page.main_frame.child_frames
        assert "signed out" not in frame.content()
        assert any("frame-ancestors" in problem for problem in shown.problems)


def test_a_form_of_another_site_decides_nothing(screen: Screen, live: LiveHouse, chromium: Browser) -> None:
    plan = live.does(live.house.waiting_plan)
    target = f"{live.root}/plans/{plan}/decision"
    other = live.root.replace("127.0.0.1", "localhost")
    # A page of another origin; the browser sends the session along where it may.
    screen.page.route(
        f"{other}/evil", lambda route: route.fulfill(content_type="text/html", body=_EVIL % target)
    )
    screen.page.goto(f"{other}/evil")
    with screen.page.expect_navigation():
        screen.page.click("button")
    assert [one.status for one in live.does(live.house.application.crm.state.plans)] == ["waiting"]


_EVIL = '<form method=post action="%s"><button name=decision value=approved>Win</button></form>'


def test_somebody_signs_in_at_the_issuer(
    tmp_path: Path, sandbox: Any, issuer: Issuer, chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer, "secret", None)
    settings = {
        "callers_issuer": issuer.address,
        "callers_audience": ("api://crm",),
        "page_client_id": CLIENT_ID,
    }
    with a_live_house(tmp_path, sandbox, **settings) as live:
        plan = live.does(live.house.waiting_plan)
        with a_screen(chromium, live) as shown:
            shown.open(f"/plans/{plan}")
            expect(shown.page.get_by_text("Bob Approver")).to_be_visible()
            shown.page.get_by_role("button", name="Approve exactly this").click()
            expect(shown.page.get_by_role("status")).to_contain_text(
                "approved by Bob Approver (bob@127.0.0.1)"
            )
            assert shown.problems == []
