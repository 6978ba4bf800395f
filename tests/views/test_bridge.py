"""The talk between a view and its host."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from crm_server import __version__
from tests.views.host import IN_ENGLISH, Host
from tests.views.samples import overview, pipeline

SAMPLES = {"pipeline": pipeline, "record": overview}
BODY_STYLE = "argument.map((name) => getComputedStyle(document.body)[name])"
either = pytest.mark.parametrize("name", SAMPLES)


@either
def test_a_view_shakes_hands_as_the_extension_says(name: str, opened: Callable[..., Host]) -> None:
    shown = opened(name)
    first, second, *_ = shown.page.evaluate("said")
    assert first["jsonrpc"] == "2.0"
    assert first["method"] == "ui/initialize"
    assert first["params"] == {
        "protocolVersion": "2026-01-26",
        "appInfo": {"name": f"dynamics-crm-{name}", "version": __version__},
        "appCapabilities": {"availableDisplayModes": ["inline", "fullscreen"]},
    }
    assert second == {"jsonrpc": "2.0", "method": "ui/notifications/initialized", "params": {}}


def test_a_host_that_refuses_the_handshake_leaves_a_sentence(opened: Callable[..., Host]) -> None:
    shown = opened("record", refuses=True)
    expect(shown.find("[role=alert]")).to_contain_text("did not let this view start")
    assert shown.heard("ui/notifications/initialized") == []


@either
def test_until_the_result_is_there_a_view_says_that_it_waits(name: str, opened: Callable[..., Host]) -> None:
    shown = opened(name)
    expect(shown.find("[role=status]")).to_contain_text("Waiting for")
    shown.notify("tool-input", {"arguments": {}})
    expect(shown.find("[role=status]")).not_to_contain_text("Waiting for")


@either
def test_an_error_of_the_tool_is_told_in_its_own_words(name: str, opened: Callable[..., Host]) -> None:
    shown = opened(name)
    text = '{"error": {"code": "denied", "message": "Rule 3 hides <b>opportunities</b>."}}'
    shown.notify("tool-result", {"isError": True, "content": [{"type": "text", "text": text}]})
    expect(shown.find("[role=alert]")).to_have_text("Rule 3 hides <b>opportunities</b>.")


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ({"isError": True, "content": [{"type": "text", "text": "No such table"}]}, "No such table"),
        ({"isError": True, "content": []}, "did not say why"),
        ({"content": [{"type": "text", "text": "Hello"}]}, "no data to draw"),
        ({"content": "odd", "structuredContent": [1, 2]}, "no data to draw"),
        ({}, "no data to draw"),
    ],
)
def test_a_result_that_cannot_be_drawn_leaves_a_sentence(
    result: dict[str, Any], sentence: str, opened: Callable[..., Host]
) -> None:
    shown = opened("pipeline")
    shown.notify("tool-result", result)
    expect(shown.find("[role=alert]")).to_contain_text(sentence)


def test_a_cancelled_call_says_so(opened: Callable[..., Host]) -> None:
    shown = opened("pipeline")
    shown.notify("tool-cancelled", {"reason": "user"})
    expect(shown.find("[role=alert]")).to_contain_text("cancelled")


@either
def test_a_host_that_passes_on_only_the_text_gets_the_same_view(
    name: str, opened: Callable[..., Host]
) -> None:
    whole, from_text = opened(name), opened(name)
    sample = SAMPLES[name]()
    whole.call(sample)
    from_text.notify("tool-result", {"content": [{"type": "text", "text": json.dumps(sample)}]})
    from_text.wait_for("h1")
    whole.wait_for("h1")
    assert from_text.text() == whole.text()


@either
def test_a_second_result_takes_the_place_of_the_first(name: str, opened: Callable[..., Host]) -> None:
    shown = opened(name)
    shown.call(SAMPLES[name]())
    shown.wait_for("h1")
    before = shown.text()
    shown.notify("tool-result", {"isError": True, "content": [{"type": "text", "text": "Gone"}]})
    expect(shown.find("main")).to_have_text("Gone")
    shown.call(SAMPLES[name]())
    shown.wait_for("h1")
    assert shown.text() == before


@pytest.mark.parametrize("method", ["ping", "ui/resource-teardown"])
def test_a_question_of_the_host_is_answered(method: str, opened: Callable[..., Host]) -> None:
    shown = opened("record")
    shown.page.evaluate("tell", {"id": "h1", "method": method, "params": {}})
    assert answer_to(shown, "h1")["result"] == {}


def test_an_unknown_question_is_refused_as_json_rpc_says(opened: Callable[..., Host]) -> None:
    shown = opened("record")
    shown.page.evaluate("tell", {"id": "h2", "method": "tools/list"})
    assert answer_to(shown, "h2")["error"]["code"] == -32601


def answer_to(shown: Host, question: str) -> dict[str, Any]:
    """What the page answers to a question of the host."""
    asked = "(question) => said.find((message) => message.id === question)"
    answer: dict[str, Any] = shown.page.wait_for_function(asked, arg=question).json_value()
    return answer


def test_unknown_notifications_and_odd_messages_are_passed_over(opened: Callable[..., Host]) -> None:
    shown = opened("record")
    shown.notify("something-new", {"x": 1})
    for odd in (None, "text", 7, [], {"id": 99, "result": {}}, {"method": 5}):
        shown.page.evaluate("(odd) => frame.contentWindow.postMessage(odd, '*')", odd)
    shown.notify("tool-input", "odd")
    shown.call(overview())
    shown.wait_for("h1")
    # To none of them anything was said.
    assert shown.page.evaluate("said.filter((message) => message.id === 99 || message.error)") == []


def test_only_the_host_is_listened_to(opened: Callable[..., Host]) -> None:
    shown = opened("record")
    forged = {
        "jsonrpc": "2.0",
        "method": "ui/notifications/tool-result",
        "params": {"structuredContent": {"record": {"table": "account", "name": "Forged"}}},
    }
    shown.in_view("window.postMessage(argument, '*')", forged)
    # Messages of one sender keep their order, so when this one is there the forged one was.
    shown.in_view(
        "new Promise((done) => { addEventListener('message', ({ data }) => data === 'last' && done());"
        " postMessage('last', '*'); })"
    )
    assert "Waiting for the record" in shown.text()


@either
def test_the_view_tells_its_height_and_again_when_it_changes(name: str, opened: Callable[..., Host]) -> None:
    shown = opened(name, width=360)
    shown.call(SAMPLES[name]())
    shown.wait_for("h1")
    high = shown.heard("ui/notifications/size-changed")[-1]["params"]["height"]
    assert high == shown.in_view("document.documentElement.scrollHeight")
    shown.page.set_viewport_size({"width": 1000, "height": 900})
    shown.page.wait_for_function(
        "(high) => heard('ui/notifications/size-changed').at(-1).params.height < high", arg=high
    )


@either
def test_the_theme_is_the_hosts_and_follows_it(name: str, opened: Callable[..., Host]) -> None:
    shown = opened(name, context={**IN_ENGLISH, "theme": "dark"})
    shown.call(SAMPLES[name]())
    shown.wait_for("h1")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = shown.in_view(background)
    shown.notify("host-context-changed", {"theme": "light"})
    expect(shown.find("html")).to_have_attribute("data-theme", "light")
    assert shown.in_view(background) == "rgb(255, 255, 255)" != dark


def test_the_hosts_colours_and_font_are_taken(opened: Callable[..., Host]) -> None:
    variables = {
        "--color-background-primary": "rgb(1, 2, 3)",
        "--color-text-primary": "rgb(250, 251, 252)",
        "--font-sans": "Liberation Serif",
    }
    shown = opened("record", context={**IN_ENGLISH, "styles": {"variables": variables}})
    assert shown.in_view(BODY_STYLE, ["color", "backgroundColor", "fontFamily"]) == [
        "rgb(250, 251, 252)",
        "rgb(1, 2, 3)",
        '"Liberation Serif"',
    ]


@pytest.mark.parametrize(
    "variables",
    [
        {"--color-text-primary": "rgb(255, 255, 255)"},
        {"--color-background-primary": "url(https://elsewhere.example/a.png)", "--color-text-primary": 5},
        {"color": "red", "--paper": "red"},
        "odd",
        None,
    ],
)
def test_colours_that_would_make_the_page_hard_to_read_are_not_taken(
    variables: Any, opened: Callable[..., Host]
) -> None:
    shown = opened("record", context={**IN_ENGLISH, "styles": {"variables": variables}})
    assert shown.in_view(BODY_STYLE, ["color", "backgroundColor"]) == [
        "rgb(27, 31, 36)",
        "rgb(255, 255, 255)",
    ]


@pytest.mark.parametrize(
    "context", [None, [], {}, {"locale": "xx-not-a-locale-", "timeZone": "Moon/Sea", "theme": "blue"}]
)
def test_a_host_that_says_little_or_nonsense_of_itself_gets_a_view(
    context: Any, opened: Callable[..., Host]
) -> None:
    shown = opened("record", context=context, capabilities=None)
    shown.call(overview())
    shown.wait_for("h1")
    assert "Northwind Coffee Roasters" in shown.text()


def test_the_space_that_a_device_needs_at_its_edges_is_left_free(opened: Callable[..., Host]) -> None:
    shown = opened(
        "record", context={**IN_ENGLISH, "safeAreaInsets": {"top": 40, "right": 0, "bottom": 0, "left": 0}}
    )
    assert shown.in_view("getComputedStyle(document.body).paddingTop") == "60px"
