"""The pipeline's page in use: by pointer and keyboard, in each width, in the language of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.views.host import IN_ENGLISH, Host
from tests.views.pipelines import group, heights, measure, overflow, summary, texts
from tests.views.samples import pipeline

LONG = "Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenauszahlungsstelle" * 3


def test_the_switch_redraws_the_bars_by_count(drawn: Callable[..., Host]) -> None:
    shown = drawn(
        summary(group("Qualify", "2026-11", 1, 900.0), group("Qualify", "2026-12", 4, 100.0), currency="EUR")
    )
    assert texts(shown, ".sum") == ["€900", "€100"]
    by_value = heights(shown, ".part")
    measure(shown, "Count").check()
    assert texts(shown, ".sum") == ["1", "4"]
    by_count = heights(shown, ".part")
    assert by_value[0] > by_value[1]
    assert by_count[0] < by_count[1]


def test_the_switch_works_by_keyboard(drawn: Callable[..., Host]) -> None:
    shown = drawn(pipeline())
    measure(shown, "Estimated value").focus()
    shown.page.keyboard.press("ArrowRight")
    expect(measure(shown, "Count")).to_be_checked()
    assert all(text.isdigit() for text in texts(shown, ".sum"))
    expect(measure(shown, "Count")).to_be_focused()


def test_bars_are_one_stop_of_the_tab_key_and_arrows_go_between_them(drawn: Callable[..., Host]) -> None:
    shown = drawn(pipeline())
    measure(shown, "Estimated value").focus()
    shown.page.keyboard.press("Tab")
    expect(shown.find(".bar").first).to_be_focused()
    shown.page.keyboard.press("ArrowRight")
    expect(shown.find(".bar").nth(1)).to_be_focused()
    assert "December 2026" in shown.find(".parts").inner_text()
    shown.page.keyboard.press("End")
    expect(shown.find(".bar").last).to_be_focused()
    shown.page.keyboard.press("ArrowRight")
    expect(shown.find(".bar").last).to_be_focused()
    shown.page.keyboard.press("Home")
    expect(shown.find(".bar").first).to_be_focused()
    shown.page.keyboard.press("Tab")
    expect(shown.find(".scrolling")).to_be_focused()


def test_a_bar_tells_its_parts_to_those_who_point_and_to_those_who_listen(drawn: Callable[..., Host]) -> None:
    shown = drawn(
        summary(group("Qualify", "2026-11", 2, 300.0), group("Develop", "2026-11", 1, 100.0), currency="USD")
    )
    bar = shown.frame.get_by_role("button", name="November 2026: $400. Qualify $300. Develop $100.")
    bar.hover()
    parts = shown.find(".parts").inner_text()
    assert "November 2026 Estimated value $400 · Count 3" in parts
    assert "Qualify Estimated value $300 · Count 2" in parts


@pytest.mark.parametrize("width", [320, 360, 560, 900, 1200])
def test_no_width_makes_the_page_scroll_sideways(width: int, drawn: Callable[..., Host]) -> None:
    months = [f"{2020 + place // 12}-{place % 12 + 1:02}" for place in range(60)]
    groups = [group(stage, month, value=12_345_678.9) for stage in (LONG, "Close") for month in months]
    shown = drawn(summary(*({**each, f"sum new_{LONG}": 1} for each in groups)), width)
    assert shown.find(".bar").count() == 60
    assert overflow(shown) <= 0
    assert shown.in_view("document.body.getBoundingClientRect().width") <= width


def test_a_narrow_page_lays_the_bars_down(drawn: Callable[..., Host]) -> None:
    shown = drawn(summary(group("Qualify", "2026-11"), group("Qualify", "2026-12", value=50.0)), 360)
    first, second = (part.bounding_box() for part in shown.find(".part").all())
    assert first["width"] == pytest.approx(2 * second["width"], rel=0.05)
    assert first["x"] == second["x"]
    shown.page.set_viewport_size({"width": 900, "height": 900})
    shown.page.wait_for_function("() => heard('ui/notifications/size-changed').at(-1).params.width === 900")
    first, second = (part.bounding_box() for part in shown.find(".part").all())
    assert first["height"] == pytest.approx(2 * second["height"], rel=0.05)


def test_numbers_and_months_follow_the_hosts_locale(drawn: Callable[..., Host]) -> None:
    shown = drawn(
        summary(group("Qualify", "2026-12", value=1234567.0), currency="EUR"),
        context={**IN_ENGLISH, "locale": "de-DE"},
    )
    assert texts(shown, ".figures dd")[0] == "1.234.567\u00a0€"
    assert shown.find(".bar").get_attribute("aria-label").startswith("Dezember 2026: ")
    shown.notify("host-context-changed", {"locale": "en-GB"})
    expect(shown.find(".figures dd").first).to_have_text("€1,234,567")


def test_a_change_of_locale_keeps_the_chosen_measure(drawn: Callable[..., Host]) -> None:
    shown = drawn(pipeline())
    measure(shown, "Count").check()
    shown.notify("host-context-changed", {"locale": "fr-FR"})
    expect(measure(shown, "Count")).to_be_checked()
    assert all(text.isdigit() for text in texts(shown, ".sum"))


def test_bars_appear_at_once_for_those_who_want_less_motion(drawn: Callable[..., Host], opened: Any) -> None:
    moving = drawn(pipeline())
    still = opened("pipeline", options={"reduced_motion": "reduce"})
    still.call(pipeline())
    still.wait_for("h1")
    names = [
        shown.find(".part").first.evaluate("(part) => getComputedStyle(part).animationName")
        for shown in (moving, still)
    ]
    assert names == ["appear", "none"]
