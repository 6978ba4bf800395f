"""A browser for each file of tests, and pages of a host in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.views.host import Host, browser, host, view_of


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Not for the whole session: while Playwright runs, no test of another file could run an event loop.
    with browser() as started:
        yield started


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Callable[..., Host]]:
    """Opens a view at a host.

    In the end nothing may have gone wrong in it, and nothing been asked of a network.
    """
    with ExitStack() as pages:
        hosts: list[Host] = []

        def open_one(
            name: str, width: int = 900, options: dict[str, Any] | None = None, **settings: Any
        ) -> Host:
            shown = pages.enter_context(host(chromium, width, **(options or {})))
            hosts.append(shown)
            shown.open(view_of(name), **settings)
            return shown

        yield open_one
        assert [problem for shown in hosts for problem in shown.problems] == []
        assert [url for shown in hosts for url in shown.requests if url != "about:srcdoc"] == []


@pytest.fixture
def drawn(opened: Callable[..., Host]) -> Callable[..., Host]:
    """Draws a summary as a pipeline."""

    def draw(structured: dict[str, Any], width: int = 900, **settings: Any) -> Host:
        shown = opened("pipeline", width, **settings)
        shown.call(structured)
        shown.wait_for("h1")
        return shown

    return draw
