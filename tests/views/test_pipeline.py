"""What the pipeline's page draws of a summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.views.host import IN_ENGLISH, Host
from tests.views.samples import CLOSE_MONTH, MONTHS, STAGES, pipeline

VALUE = "sum estimatedvalue"
HOSTILE = '<img src=x onerror="window.intruded = true"><script>window.intruded = true</script>'
LONG = "Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenauszahlungsstelle" * 3


def group(stage: Any, month: Any, count: int = 1, value: float | None = 100.0) -> dict[str, Any]:
    return {"stepname": stage, CLOSE_MONTH: month, "count": count, VALUE: value}


def summary(*groups: Any, **other: Any) -> dict[str, Any]:
    return {"table": "opportunity", "by": ["stepname", CLOSE_MONTH], "groups": list(groups), **other}


@pytest.fixture
def drawn(opened: Callable[..., Host]) -> Callable[..., Host]:
    def draw(structured: dict[str, Any], width: int = 900, **settings: Any) -> Host:
        shown = opened("pipeline", width, **settings)
        shown.call(structured)
        shown.wait_for("h1")
        return shown

    return draw


def texts(shown: Host, selector: str) -> list[str]:
    return [text.strip() for text in shown.find(selector).all_inner_texts()]


def measure(shown: Host, label: str) -> Locator:
    return shown.frame.get_by_role("radio", name=label)


def heights(shown: Host, selector: str) -> list[float]:
    return [box.bounding_box()["height"] for box in shown.find(selector).all()]


def overflow(shown: Host) -> int:
    return shown.in_view("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_there_is_a_bar_for_each_month_and_a_part_for_each_stage(drawn: Callable[..., Host]) -> None:
    sample = pipeline()
    shown = drawn(sample)
    assert texts(shown, "h1") == ["Opportunities by stage and month"]
    assert shown.find(".bar").count() == len(MONTHS)
    assert shown.find(".part").count() == len(sample["groups"])
    assert texts(shown, ".key li") == list(STAGES)
    assert texts(shown, ".name")[0].split() == ["Nov", "2026"]


def test_the_heights_of_parts_are_in_proportion_to_their_values(drawn: Callable[..., Host]) -> None:
    shown = drawn(
        summary(
            group("Qualify", "2026-11", value=300.0),
            group("Develop", "2026-11", value=100.0),
            group("Qualify", "2026-12", value=50.0),
            group("Develop", "2026-12", value=200.0),
        )
    )
    first, second, third, fourth = heights(shown, ".part")
    assert first == pytest.approx(3 * second, rel=0.02)
    assert third == pytest.approx(second / 2, rel=0.02)
    assert fourth == pytest.approx(2 * second, rel=0.02)


def test_parts_of_a_bar_stand_on_each_other(drawn: Callable[..., Host]) -> None:
    shown = drawn(summary(group("Qualify", "2026-11", value=300.0), group("Develop", "2026-11", value=100.0)))
    low, high = (part.bounding_box() for part in shown.find(".part").all())
    assert high["y"] + high["height"] == pytest.approx(low["y"], abs=0.5)
    assert high["x"] == low["x"]


def test_stages_are_told_apart_without_colour(drawn: Callable[..., Host]) -> None:
    shown = drawn(summary(*(group(f"{number} stage", "2026-11") for number in range(8))))
    looks = shown.find(".key .swatch").evaluate_all(
        "(all) => all.map((one) => getComputedStyle(one))"
        ".map((style) => style.backgroundImage + style.backgroundSize)"
    )
    assert len(set(looks)) == len(looks) == 8


def test_stages_stand_in_the_order_of_a_sale_and_numbered_ones_by_number(drawn: Callable[..., Host]) -> None:
    shown = drawn(summary(*(group(stage, "2026-11") for stage in (None, "Close", "Custom", "Qualify"))))
    assert texts(shown, ".key li") == ["Qualify", "Close", "Custom", "Not set"]
    shown.call(summary(*(group(stage, "2026-11") for stage in ("10-Won", "9-Sign", "1-Meet"))))
    assert texts(shown, ".key li") == ["1-Meet", "9-Sign", "10-Won"]


def test_totals_of_each_stage_and_in_all_are_those_of_the_groups(drawn: Callable[..., Host]) -> None:
    sample = pipeline()
    shown = drawn(sample)
    rows = texts(shown, "section:has(> h2:has-text('Totals')) tr")
    for stage, row in zip(STAGES, rows[1:-1], strict=True):
        value = sum(each[VALUE] for each in sample["groups"] if each["stepname"] == stage)
        count = sum(each["count"] for each in sample["groups"] if each["stepname"] == stage)
        assert row.split() == [stage, f"${value:,.0f}", str(count)]
    value, count = (sum(each[name] for each in sample["groups"]) for name in (VALUE, "count"))
    assert rows[-1].split() == ["All", f"${value:,.0f}", str(count)]
    assert texts(shown, ".figures dd") == [f"${value:,.0f}", str(count)]


def test_every_group_stands_in_the_table_below(drawn: Callable[..., Host]) -> None:
    sample = pipeline()
    shown = drawn(sample)
    rows = texts(shown, ".scrolling tbody tr")
    assert len(rows) == len(sample["groups"])
    first = sample["groups"][0]
    assert rows[0].split("\t") == ["Qualify", "Nov 2026", f"${first[VALUE]:,.0f}", str(first["count"])]
    assert texts(shown, ".scrolling thead th") == ["Stage", "Estimated close", "Estimated value", "Count"]


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


def test_months_in_between_without_records_keep_their_place(drawn: Callable[..., Host]) -> None:
    shown = drawn(summary(group("Qualify", "2027-02"), group("Qualify", "2026-11")))
    assert [name.split()[0] for name in texts(shown, ".name")] == ["Nov", "Dec", "Jan", "Feb"]
    assert shown.find(".part").count() == 2
    assert shown.find(".bar").nth(1).get_attribute("aria-label") == "December 2026: 0."


def test_records_without_stage_or_month_are_drawn_last(drawn: Callable[..., Host]) -> None:
    shown = drawn(summary(group(None, None), group(None, "2026-11"), group("Qualify", "2026-11")))
    assert [name.split()[0] for name in texts(shown, ".name")] == ["Nov", "Not"]
    assert texts(shown, ".key li") == ["Qualify", "Not set"]
    assert shown.find(".part").count() == 3


def test_one_column_is_drawn_as_plain_bars(drawn: Callable[..., Host]) -> None:
    groups = [{"stepname": stage, "count": place + 1} for place, stage in enumerate(STAGES)]
    shown = drawn({"table": "opportunity", "by": ["stepname"], "groups": groups})
    assert texts(shown, "h1") == ["Opportunities by stage"]
    assert texts(shown, ".name") == list(STAGES)
    assert texts(shown, ".sum") == ["1", "2", "3", "4"]
    widths = [part.bounding_box()["width"] for part in shown.find(".part").all()]
    assert widths == sorted(widths)
    assert widths[3] == pytest.approx(4 * widths[0], rel=0.05)
    assert shown.find(".switch, .key").count() == 0


def test_one_column_of_months_stands_up(drawn: Callable[..., Host]) -> None:
    groups = [{CLOSE_MONTH: month, "count": 3 + place} for place, month in enumerate(MONTHS)]
    shown = drawn({"table": "opportunity", "by": [CLOSE_MONTH], "groups": groups})
    tall = heights(shown, ".part")
    assert tall == sorted(tall)
    assert tall[-1] > 2 * tall[0]


def test_two_columns_that_are_no_months_are_drawn_too(drawn: Callable[..., Host]) -> None:
    anna, bo = {"id": "1", "name": "Anna"}, {"id": "2", "name": "Bo"}
    groups = [
        {"industrycode": "Retail", "ownerid": anna, "count": 3},
        {"industrycode": "Retail", "ownerid": bo, "count": 5},
        {"industrycode": "Farming", "ownerid": bo, "count": 1},
    ]
    shown = drawn({"table": "account", "by": ["industrycode", "ownerid"], "groups": groups})
    assert texts(shown, "h1") == ["Accounts by industry and owner"]
    assert texts(shown, ".name") == ["Bo", "Anna"]
    assert texts(shown, ".key li") == ["Retail", "Farming"]
    assert texts(shown, ".sum") == ["6", "3"]


def test_the_month_may_also_come_first(drawn: Callable[..., Host]) -> None:
    sample = pipeline()
    shown = drawn({**sample, "by": [CLOSE_MONTH, "stepname"]})
    assert shown.find(".bar").count() == len(MONTHS)
    assert texts(shown, ".key li") == list(STAGES)


def test_three_columns_join_those_that_are_no_month(drawn: Callable[..., Host]) -> None:
    groups = [
        {"stepname": "Propose", "ownerid": owner, CLOSE_MONTH: "2026-11", "count": 1} for owner in ("A", "B")
    ]
    shown = drawn({"table": "opportunity", "by": ["stepname", "ownerid", CLOSE_MONTH], "groups": groups})
    assert texts(shown, ".key li") == ["Propose · A", "Propose · B"]


def test_averages_stand_beside_each_other_and_are_not_added(drawn: Callable[..., Host]) -> None:
    groups = [
        {"stepname": stage, CLOSE_MONTH: "2026-11", "avg estimatedvalue": value}
        for stage, value in (("Qualify", 100.0), ("Develop", 300.0))
    ]
    shown = drawn(summary(*groups))
    first, second = (part.bounding_box() for part in shown.find(".part").all())
    assert second["x"] >= first["x"] + first["width"] - 0.5
    assert second["height"] == pytest.approx(3 * first["height"], rel=0.02)
    assert shown.find(".sum, .figures").count() == 0
    assert "Totals" not in shown.text()
    assert texts(shown, ".scrolling thead th")[-1] == "Average estimated value"


def test_values_below_zero_hang_below_the_line(drawn: Callable[..., Host]) -> None:
    shown = drawn(
        summary(group("Qualify", "2026-11", value=200.0), group("Develop", "2026-11", value=-100.0))
    )
    above, below = (part.bounding_box() for part in shown.find(".part").all())
    assert below["y"] == pytest.approx(above["y"] + above["height"], abs=1)
    assert above["height"] == pytest.approx(2 * below["height"], rel=0.03)


def test_hundreds_of_groups_are_drawn_as_the_largest_and_the_others(drawn: Callable[..., Host]) -> None:
    groups = [{"ownerid": f"Owner {number}", "count": number} for number in range(1, 401)]
    shown = drawn({"table": "account", "by": ["ownerid"], "groups": groups}, width=360)
    assert shown.find(".bar").count() == 25
    assert texts(shown, ".name")[0] == "Owner 400"
    assert texts(shown, ".name")[-1] == "376 others"
    assert texts(shown, ".sum")[-1] == "70.9K"
    assert texts(shown, ".figures dd") == ["80,200"]
    assert shown.find(".scrolling tbody tr").count() == 400
    assert overflow(shown) <= 0


def test_more_stages_than_colours_are_drawn_as_the_largest_and_the_others(drawn: Callable[..., Host]) -> None:
    shown = drawn(summary(*(group(f"Stage {number}", "2026-11", number) for number in range(1, 41))))
    assert shown.find(".part").count() == 8
    assert texts(shown, ".key li")[-1] == "33 others"
    assert texts(shown, ".figures dd") == ["4,000", "820"]


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


def test_hostile_text_stays_text(drawn: Callable[..., Host]) -> None:
    shown = drawn(
        summary(group(HOSTILE, HOSTILE), group("constructor", "__proto__"), table=HOSTILE),
    )
    shown.find(".bar").first.hover()
    assert shown.find("img, main script, iframe").count() == 0
    assert shown.in_view("window.intruded") is None
    assert HOSTILE in shown.text()


def test_column_names_that_every_object_has_are_names_like_others(drawn: Callable[..., Host]) -> None:
    shown = drawn({"table": "constructor", "by": ["toString"], "groups": [{"toString": "a", "count": 2}]})
    assert texts(shown, "h1") == ["Constructor by tostring"]
    assert texts(shown, ".sum") == ["2"]


@pytest.mark.parametrize(
    "structured",
    [
        {},
        {"groups": None},
        {"by": "stepname", "groups": []},
        {"table": "opportunity", "by": ["stepname"], "groups": [None, 5, "x", {"stepname": "Close"}]},
    ],
)
def test_a_summary_without_numbers_says_so(structured: dict[str, Any], opened: Callable[..., Host]) -> None:
    shown = opened("pipeline")
    shown.call(structured)
    expect(shown.find("main")).to_have_text("There are no records to add up.")


def test_missing_parts_leave_the_rest(drawn: Callable[..., Host]) -> None:
    odd = [{"count": 2}, {"stepname": "Close", "count": "many", VALUE: None}, group("Close", "soon", 1, None)]
    shown = drawn({"by": ["stepname", 7, CLOSE_MONTH], "groups": odd, "currency": 12})
    assert texts(shown, ".figures dd") == ["3"]
    assert "soon" in shown.text()


def test_a_summary_without_columns_is_shown_as_figures(drawn: Callable[..., Host]) -> None:
    shown = drawn(
        {"table": "opportunity", "by": [], "groups": [{"count": 7, VALUE: 1234.5}], "currency": "USD"}
    )
    assert texts(shown, "h1") == ["Opportunities"]
    assert texts(shown, ".figures dd") == ["$1,235", "7"]


def test_a_summary_that_was_cut_says_so(drawn: Callable[..., Host]) -> None:
    shown = drawn({**pipeline(), "more": True})
    assert "there are more" in shown.find(".warning").inner_text()


def test_the_conditions_of_the_question_are_told(opened: Callable[..., Host]) -> None:
    shown = opened("pipeline")
    shown.call(pipeline(), {"table": "opportunity", "where": ["statecode eq Open", "estimatedvalue gt 5000"]})
    shown.wait_for("h1")
    assert "Only statecode eq Open; estimatedvalue gt 5000" in shown.text()


def test_amounts_of_several_currencies_are_drawn_and_not_added_up(drawn: Callable[..., Host]) -> None:
    groups = [
        {"transactioncurrencyid": code, **group("Qualify", "2026-11", 2, 10.0)} for code in ("EUR", "USD")
    ]
    by = ["transactioncurrencyid", "stepname", CLOSE_MONTH]
    shown = drawn({"table": "opportunity", "by": by, "groups": groups})
    assert texts(shown, ".figures dd") == ["4"]


@pytest.mark.parametrize("currency", [None, "kr", "usd", ["USD"]])
def test_without_a_currencys_code_values_are_plain_numbers(currency: Any, drawn: Callable[..., Host]) -> None:
    shown = drawn(summary(group("Qualify", "2026-11", value=1500.0), currency=currency))
    assert texts(shown, ".figures dd")[0] == "1,500"


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
