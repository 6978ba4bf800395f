"""Numbers, amounts and dates as people write them where they live: in the text, and nowhere else."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm_server.settings import SettingsError, read_settings
from tests.interaction.connecting import ERAS, Era
from tests.selling.crm import Seller, seller

pytestmark = pytest.mark.anyio
FORMS = {
    None: ("1234567.5", "2026-12-31", "2026-12-30 15:00"),
    "de-DE": ("1.234.567,50 USD", "31.12.2026", "30.12.2026 15:00"),
    "en-US": ("1,234,567.50 USD", "Dec 31, 2026", "Dec 30, 2026 3:00 PM"),
    "fr-FR": ("1 234 567,50 USD", "31 déc. 2026", "30 déc. 2026 15:00"),
    "hi-IN": ("12,34,567.50 USD", "31 दिस॰ 2026", "30 दिस॰ 2026 3:00 pm"),
}


async def known(one: Seller) -> str:
    """An account with a deal and a task."""
    key = await one.make("account", name="Local Ltd", numberofemployees=12_345)
    deal = {
        "name": "Deal",
        "Customer": key,
        "estimatedvalue": 1_234_567.5,
        "estimatedclosedate": "2026-12-31",
    }
    await one.make("opportunity", **deal)
    await one.ask("log_activity", type="task", about=key, subject="Call", when="2026-12-30T15:00")
    return key


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("locale", "forms"), FORMS.items())
async def test_the_text_is_in_the_form_of_those_who_ask(
    locale: str | None, forms: tuple[str, str, str], era: Era
) -> None:
    async with seller(era=era, locale=locale, time_zone=ZoneInfo("Europe/Berlin")) as one:
        answer = await one.ask("get_overview", record=await known(one))
        amount, day, moment = forms
        assert f"value: {amount}" in answer.text
        assert f"| {amount} | {day}" in answer.text
        assert f"Call | {moment}" in answer.text
        told = answer.content["opportunities"]
        assert (told["value"], told["currency"]) == (1_234_567.5, "USD")
        assert told["records"][0]["estimatedclosedate"] == "2026-12-31"
        assert answer.content["tasks"][0]["due"] == "2026-12-30T14:00:00Z"


async def test_sums_have_the_code_of_their_currency_and_counts_have_none() -> None:
    async with seller(locale="de-DE") as one:
        await known(one)
        where = [{"column": "name", "value": "Deal"}]
        given: dict[str, Any] = {
            "table": "opportunity",
            "measures": ["sum estimatedvalue", "count"],
            "where": where,
        }
        answer = await one.ask("summarize_records", **given)
        assert "  1.234.567,50 USD | 1" in answer.text.splitlines()
        shown = await one.find(
            "account", {"column": "name", "value": "Local Ltd"}, columns=["numberofemployees"]
        )
        assert "12.345" in shown.text
        assert shown.content["records"][0]["numberofemployees"] == 12_345


async def test_what_is_no_date_stays_what_it_is() -> None:
    async with seller(locale="de-DE") as one:
        await one.make("account", name="2026-99-99", telephone1="2026-12-31T25")
        shown = await one.ask("get_record", table="account", record="2026-99-99")
        assert "name: 2026-99-99" in shown.text
        assert "telephone1: 2026-12-31T25" in shown.text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("de-DX", "Did you mean de"),
        ("en_UK", "Did you mean en"),
        ("deutsch", "Did you mean"),
        ("de_DE.UTF-8", "Did you mean de"),
        ("../../etc/passwd", "An example is de-DE"),
        ("x" * 1_000, "An example is de-DE"),
    ],
)
def test_an_unknown_locale_stops_the_start(text: str, hint: str) -> None:
    with pytest.raises(SettingsError, match="DYNAMICS_LOCALE knows no") as caught:
        read_settings({"DYNAMICS_LOCALE": text}, ["spec"])
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["de-DE", "de", "zh-Hans-CN", "pt-BR"])
def test_a_known_locale_is_taken(text: str) -> None:
    assert read_settings({"DYNAMICS_LOCALE": text}, ["spec"]).locale == text
