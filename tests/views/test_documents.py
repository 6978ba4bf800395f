"""The pages as a host gets them, and what is said of them on the wire."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from importlib.resources import files

import pytest
from mcp.server import apps

from crm_server import __version__
from crm_server.views import EXTENSION, MIME_TYPE, VIEWS, View, resource_meta, tool_meta
from tests.views.host import Host

every_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
SOURCES = [
    path for path in files("crm_server.views").iterdir() if path.name.endswith((".js", ".css", ".html"))
]
every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)


def test_extension_and_media_type_are_those_of_the_sdk() -> None:
    assert (EXTENSION, MIME_TYPE) == (apps.EXTENSION_ID, apps.APP_MIME_TYPE)


def test_the_views_have_the_addresses_that_tools_name() -> None:
    assert [view.uri for view in VIEWS] == ["ui://dynamics-crm/pipeline", "ui://dynamics-crm/record"]


@every_view
def test_the_sdk_takes_a_view_with_its_meta(view: View) -> None:
    csp = apps.ResourceCsp.model_validate(resource_meta(view)["ui"]["csp"])
    registered = apps.Apps()
    registered.add_html_resource(
        view.uri, view.html, name=view.name, title=view.title, csp=csp, prefers_border=True
    )
    (binding,) = registered.resources()
    assert binding.resource.meta == resource_meta(view)


def test_a_view_asks_for_no_origin_at_all() -> None:
    ui = resource_meta(VIEWS[0])["ui"]
    assert ui["csp"] == {
        "connectDomains": [],
        "resourceDomains": [],
        "frameDomains": [],
        "baseUriDomains": [],
    }
    assert "permissions" not in ui


def test_a_tool_names_its_view_and_stays_out_of_the_reach_of_frames() -> None:
    assert tool_meta("ui://dynamics-crm/record") == {
        "ui": {"resourceUri": "ui://dynamics-crm/record", "visibility": ["model"]}
    }


def test_a_tool_cannot_name_a_view_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="ui://dynamics-crm/pipeline, ui://dynamics-crm/record"):
        tool_meta("ui://dynamics-crm/pipelin")


@every_view
def test_a_page_is_one_document_that_names_nothing_outside(view: View) -> None:
    assert view.html.startswith("<!DOCTYPE html>")
    assert not re.search(r"<link|<script [^>]*src|@import|https?://|url\(", re.sub(r"//.*", "", view.html))
    assert f'data-version="{__version__}"' in view.html


@every_view
def test_the_policy_names_each_script_and_style_by_its_hash_and_nothing_else(view: View) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', view.html)
    assert policy
    rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", view.html, re.DOTALL)
        assert texts
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert rules.pop(rule) == " ".join(f"'sha256-{each}'" for each in hashes)
    assert not rules


@every_view
def test_the_policy_stands_before_all_that_it_governs(view: View) -> None:
    assert view.html.index("Content-Security-Policy") < min(
        view.html.index("<style"), view.html.index("<script")
    )


@every_source
def test_no_source_turns_text_into_markup_or_code(source: object) -> None:
    text = source.read_text(encoding="utf-8")
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|srcdoc"
    assert not re.search(rf"{forbidden}|\son[a-z]+=|style=", text)


@every_source
def test_no_source_is_longer_than_four_hundred_lines(source: object) -> None:
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 400


@every_view
def test_a_script_that_is_not_ours_does_not_run_in_the_page(view: View, opened: Callable[..., Host]) -> None:
    shown = opened(view.name)
    with shown.page.expect_console_message() as refusal:
        shown.in_view(
            "{ const made = document.createElement('script'); made.textContent = 'window.intruded = true';"
            " document.body.append(made); }"
        )
    assert "Content Security Policy" in refusal.value.text
    assert shown.in_view("window.intruded") is None
    # The browser's word of it is the one problem that this test wants.
    assert shown.problems.pop() == refusal.value.text


@every_view
def test_nothing_can_be_loaded_from_inside_the_page(view: View, opened: Callable[..., Host]) -> None:
    shown = opened(view.name)
    picture = "https://elsewhere.example/pixel.png"
    with shown.page.expect_console_message() as refusal, shown.page.expect_event("requestfailed") as request:
        shown.in_view("{ new Image().src = argument; }", picture)
    assert "Content Security Policy" in refusal.value.text
    assert (request.value.url, request.value.failure) == (picture, "csp")
    # The browser's word of it, and of what it did not send, is what this test wants.
    assert shown.problems.pop() == refusal.value.text
    assert shown.requests.pop() == picture
