"""What the card's page draws of an overview."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.views.host import IN_ENGLISH, Host
from tests.views.samples import HOSTILE, overview

LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" * 4
ACCOUNT = {"table": "account", "id": "1", "name": "Contoso"}


@pytest.fixture
def drawn(opened: Callable[..., Host]) -> Callable[..., Host]:
    def draw(structured: dict[str, Any], width: int = 900, **settings: Any) -> Host:
        shown = opened("record", width, **settings)
        shown.page.clock.set_fixed_time(datetime(2026, 11, 24, 9, tzinfo=UTC))
        shown.call(structured)
        shown.wait_for("h1")
        return shown

    return draw


def facts(shown: Host) -> dict[str, str]:
    names, values = (shown.find(f".facts {tag}").all_inner_texts() for tag in ("dt", "dd"))
    return dict(zip(names, values, strict=True))


def lines(shown: Host, title: str) -> list[str]:
    entries = shown.find(f"section:has(> h2:has-text('{title}')) li").all_inner_texts()
    return [" | ".join(line.strip() for line in entry.split("\n") if line.strip()) for entry in entries]


def test_a_card_begins_with_who_it_is(drawn: Callable[..., Host]) -> None:
    shown = drawn(overview())
    assert [line for line in shown.find("header").inner_text().split("\n") if line] == [
        "NR",
        "Account",
        "Northwind Coffee Roasters",
        "Open in the CRM",
    ]


def test_key_facts_have_names_for_people_and_ids_are_left_out(drawn: Callable[..., Host]) -> None:
    assert facts(drawn(overview())) == {
        "Industry": "Food and Tobacco Processing",
        "Annual revenue": "$18,400,000",
        "Employees": "140",
        "Phone": "+47 22 12 40 00",
        "E-mail": "post@northwind.example",
        "Website": "https://northwind.example",
        "Primary contact": "Ingrid Solberg",
        "Owner": "Maya Lindqvist",
        "City": "Oslo",
        "Created": "Mar 14, 2023, 9:12 AM",
    }


def test_a_column_we_do_not_know_keeps_its_name(drawn: Callable[..., Host]) -> None:
    record = {**ACCOUNT, "new_cup_size": 7, "constructor": "x", "donotemail": True, "empty": "", "none": None}
    shown = drawn({"record": record})
    assert facts(shown) == {"New cup size": "7", "Constructor": "x", "Donotemail": "Yes"}


@pytest.mark.parametrize(
    ("record", "begins"),
    [
        (
            {"table": "contact", "id": "2", "fullname": "Åsa Berg", "jobtitle": "Buyer"},
            ["ÅB", "Contact", "Åsa Berg"],
        ),
        ({"table": "lead", "id": "3", "name": "Li Wei", "companyname": "Fabrikam"}, ["LW", "Lead", "Li Wei"]),
        ({"table": "new_boat", "id": "4"}, ["New boat", "4"]),
    ],
)
def test_contacts_leads_and_other_tables_have_cards_too(
    record: dict[str, Any], begins: list[str], drawn: Callable[..., Host]
) -> None:
    shown = drawn({"record": record})
    assert [line for line in shown.find("header").inner_text().split("\n") if line] == begins


def test_open_opportunities_have_stage_date_and_value(drawn: Callable[..., Host]) -> None:
    shown = drawn(overview())
    assert shown.frame.get_by_role("heading", name="Open opportunities (3, $264,500)").count() == 1
    assert lines(shown, "Open opportunities") == [
        "Two drum roasters for the Bergen plant | Propose · closes Dec 18, 2026 | $186,000",
        "Service contract 2027 | Develop · closes Jan 31, 2027 | $54,000",
        "Barista training, four shops | Qualify · closes Mar 15, 2027 | $24,500",
    ]


def test_opportunities_that_are_only_in_part_shown_say_so(drawn: Callable[..., Host]) -> None:
    shown = drawn({"record": ACCOUNT, "opportunities": {"open": 12, "records": [{"id": "1", "name": "One"}]}})
    assert "1 of 12 are shown." in shown.text()
    assert lines(shown, "Open opportunities (12)") == ["One"]


def test_tasks_say_in_words_when_they_are_late(drawn: Callable[..., Host]) -> None:
    assert lines(drawn(overview()), "Tasks") == [
        "Send the revised offer with delivery in May | overdue since Nov 20, 2026",
        "Book the plant visit in Bergen | due Dec 2, 2026",
    ]


def test_a_task_of_today_is_not_late(drawn: Callable[..., Host]) -> None:
    tasks = [{"subject": "A", "due": "2026-11-24"}, {"subject": "B", "due": "2026-11-23"}, {"subject": "C"}]
    shown = drawn({"record": ACCOUNT, "tasks": tasks})
    assert lines(shown, "Tasks") == ["A | due Nov 24, 2026", "B | overdue since Nov 23, 2026", "C | no date"]


def test_activities_have_their_kind_time_and_state(drawn: Callable[..., Host]) -> None:
    assert lines(drawn(overview()), "Latest activities") == [
        "Phone call | Ingrid asks for delivery before the season | Nov 19, 2026, 1:30 PM · Completed",
        "E-mail | Offer for two drum roasters | Nov 12, 2026, 8:05 AM · Completed",
        "Meeting | Plant visit in Bergen | Dec 9, 2026, 9:00 AM · Scheduled",
    ]


def test_notes_are_shown_without_the_marks_that_models_need(drawn: Callable[..., Host]) -> None:
    (note,) = lines(drawn(overview()), "Notes")
    assert note.startswith("After the call of 19 November | Nov 19, 2026, 2:02 PM | Budget is agreed")
    assert note.endswith("The old roasters go to the Trondheim shop.")


def test_a_long_note_is_cut_until_somebody_asks_for_all(drawn: Callable[..., Host]) -> None:
    shown = drawn({"record": ACCOUNT, "notes": [{"text": "⟦" + "A line of a long note.\n" * 60 + "⟧"}]})
    text = shown.find(".text")
    cut = text.bounding_box()["height"]
    button = shown.frame.get_by_role("button", name="Show all")
    button.focus()
    shown.page.keyboard.press("Enter")
    expect(shown.frame.get_by_role("button", name="Show less")).to_have_attribute("aria-expanded", "true")
    assert text.bounding_box()["height"] > 5 * cut


def test_people_have_role_mail_and_phone(drawn: Callable[..., Host]) -> None:
    assert lines(drawn(overview()), "People") == [
        "IS | Ingrid Solberg | Chief Operating Officer | ingrid.solberg@northwind.example | +47 901 55 210",
        "JH | Jonas Haugen | Head of Roasting | jonas@northwind.example",
        "PR | Priya Raman | Purchasing | +47 22 12 40 17",
    ]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("Write to jonas@northwind.example", "mailto:jonas@northwind.example"),
        ("Call +47 901 55 210", "tel:+4790155210"),
        ("https://northwind.example", "https://northwind.example/"),
        ("Open in the CRM", "https://contoso.crm4.dynamics.com/main.aspx?etn=account&id=3c1f6a52"),
    ],
)
def test_links_are_opened_by_the_host(name: str, url: str, drawn: Callable[..., Host]) -> None:
    shown = drawn(overview())
    shown.frame.get_by_role("button", name=name).click()
    shown.page.wait_for_function("() => heard('ui/open-link').length")
    assert [message["params"] for message in shown.heard("ui/open-link")] == [{"url": url}]
    assert shown.find("a").count() == 0


def test_a_link_that_the_host_refuses_is_told(drawn: Callable[..., Host]) -> None:
    shown = drawn(overview(), opensLinks=False)
    shown.frame.get_by_role("button", name="Open in the CRM").click()
    expect(shown.find("[role=status]")).to_have_text("The host did not open that.")


def test_where_the_host_opens_nothing_links_are_plain_text(drawn: Callable[..., Host]) -> None:
    shown = drawn(overview(), capabilities={})
    assert shown.find("button").count() == 0
    assert "jonas@northwind.example" in shown.text()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("websiteurl", "javascript:alert(1)"),
        ("websiteurl", "data:text/html,x"),
        ("websiteurl", "www.contoso.example"),
        ("emailaddress1", "a@b.example?bcc=everybody@c.example"),
        ("emailaddress1", "a@b.example,everybody@c.example"),
        ("emailaddress1", "no address"),
        ("telephone1", "*#06#"),
        ("telephone1", "call me"),
        ("url", "javascript:alert(1)"),
    ],
)
def test_what_is_no_plain_address_is_never_a_link(
    column: str, value: str, drawn: Callable[..., Host]
) -> None:
    shown = drawn({"record": {**ACCOUNT, column: value}})
    assert shown.find("button").count() == 0


def test_hostile_text_stays_text(drawn: Callable[..., Host]) -> None:
    def hostile(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: hostile(item) for name, item in value.items()}
        if isinstance(value, list):
            return [hostile(item) for item in value]
        return HOSTILE if isinstance(value, str) else value

    shown = drawn(hostile(overview()))
    assert shown.find("img, main script, iframe").count() == 0
    assert shown.in_view("window.intruded") is None
    assert shown.text().count(HOSTILE) > 20


@pytest.mark.parametrize("width", [320, 360, 560, 900, 1200])
def test_no_width_makes_the_page_scroll_sideways(width: int, drawn: Callable[..., Host]) -> None:
    def lengthened(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: lengthened(item) for name, item in value.items()}
        if isinstance(value, list):
            return [lengthened(item) for item in value]
        return value + LONG if isinstance(value, str) else value

    shown = drawn(lengthened(overview()), width)
    assert shown.in_view("document.documentElement.scrollWidth") <= width
    shown.call(overview())
    shown.wait_for("h1")
    assert shown.in_view("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"people": None, "opportunities": [], "activities": "x", "notes": [None, 3], "tasks": {}},
        {"people": [], "opportunities": {"open": 0, "value": 0, "records": []}},
    ],
)
def test_missing_parts_are_left_out(rest: dict[str, Any], drawn: Callable[..., Host]) -> None:
    shown = drawn({"record": ACCOUNT, **rest})
    assert shown.find("section").count() == 0
    assert "No people, opportunities, tasks, activities or notes yet." in shown.text()


def test_entries_without_their_values_are_still_drawn(drawn: Callable[..., Host]) -> None:
    shown = drawn(
        {
            "record": ACCOUNT,
            "people": [{"id": "1"}],
            "opportunities": {"records": [{"estimatedvalue": None}]},
            "activities": [{}, {"type": 5, "when": "yesterday"}],
            "notes": [{"when": "2026-13-45"}, {}],
            "tasks": [{"due": 5}, {"subject": None, "due": "soon"}],
        }
    )
    assert lines(shown, "People") == ["Not set"]
    assert lines(shown, "Tasks") == ["Not set | due 5", "Not set | due soon"]
    assert lines(shown, "Latest activities")[1] == "5 | Not set | yesterday"


def test_an_overview_without_anything_says_so(opened: Callable[..., Host]) -> None:
    shown = opened("record")
    shown.call({"record": None})
    expect(shown.find("main")).to_have_text("There is nothing about this record to draw.")


def test_days_stay_days_and_moments_follow_the_readers_clock(drawn: Callable[..., Host]) -> None:
    record = {**ACCOUNT, "createdon": "2026-11-19T23:30:00Z", "estimatedclosedate": "2026-11-19"}
    shown = drawn(
        {"record": record}, context={**IN_ENGLISH, "locale": "en-GB", "timeZone": "Pacific/Auckland"}
    )
    assert facts(shown) == {"Created": "20 Nov 2026, 12:30", "Estimated close": "19 Nov 2026"}
    shown.notify("host-context-changed", {"locale": "de-DE", "timeZone": "America/New_York"})
    expect(shown.find(".facts dd").first).to_have_text("19.11.2026, 18:30")


def test_all_that_can_be_used_is_reached_by_keyboard_and_seen_in_focus(drawn: Callable[..., Host]) -> None:
    shown = drawn(overview())
    shown.find("body").press("Tab")
    outlines = []
    for _ in range(shown.find("button").count()):
        outlines.append(shown.in_view("getComputedStyle(document.activeElement).outlineStyle"))
        shown.page.keyboard.press("Tab")
    assert outlines == ["solid"] * 8
