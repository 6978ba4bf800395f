"""What the pipeline's page draws of a summary."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.views.host import Host
from tests.views.pipelines import VALUE, group, heights, summary, texts
from tests.views.samples import CLOSE_MONTH, MONTHS, STAGES, pipeline


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
