"""Summaries that are very large, hostile, or lack something: the pipeline's page draws what there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.views.host import Host
from tests.views.pipelines import VALUE, group, overflow, summary, texts
from tests.views.samples import CLOSE_MONTH, HOSTILE, pipeline


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


@pytest.mark.parametrize("currency", [None, "kr", "usd", ["USD"]])
def test_without_a_currencys_code_values_are_plain_numbers(currency: Any, drawn: Callable[..., Host]) -> None:
    shown = drawn(summary(group("Qualify", "2026-11", value=1500.0), currency=currency))
    assert texts(shown, ".figures dd")[0] == "1,500"
