"""A host with MCP Apps: a page in a real Chromium that shows a view in a sandboxed frame."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect, sync_playwright

from crm_server.views import VIEWS, View

HOST_PAGE = Path(__file__).with_name("host.html")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
CAN_OPEN_LINKS = {"openLinks": {}}
IN_ENGLISH = {"theme": "light", "locale": "en-US", "timeZone": "UTC"}


def view_of(name: str) -> View:
    return next(view for view in VIEWS if view.name == name)


def chromium_program() -> str:
    """The system's own browser; nothing is downloaded.

    Raises:
        LookupError: There is none.
    """
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise LookupError("The views are drawn by a real browser: apt-get install chromium")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_program())
        try:
            yield started
        finally:
            started.close()


class Host:
    """One page of a host, with one view in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._heed)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.set_content(HOST_PAGE.read_text(encoding="utf-8"))

    def _heed(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def open(self, view: View, **settings: Any) -> None:
        """Load the view, and wait until it is ready for a result."""
        settings = {"context": IN_ENGLISH, "capabilities": CAN_OPEN_LINKS, **settings}
        self.page.evaluate("([html, settings]) => open_(html, settings)", [view.html, settings])
        method = "ui/initialize" if settings.get("refuses") else "ui/notifications/initialized"
        self.page.wait_for_function("(method) => heard(method).length", arg=method)

    def notify(self, method: str, params: Any) -> None:
        self.page.evaluate("tell", {"method": f"ui/notifications/{method}", "params": params})

    def call(self, structured: Any, arguments: dict[str, Any] | None = None) -> None:
        """A call as the view hears of it: its arguments, and then its result."""
        self.notify("tool-input", {"arguments": arguments or {}})
        text = json.dumps(structured)
        self.notify(
            "tool-result",
            {"content": [{"type": "text", "text": text}], "structuredContent": structured},
        )

    def heard(self, method: str) -> list[dict[str, Any]]:
        """The messages with this method that the view sent."""
        return self.page.evaluate("(method) => heard(method)", method)

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    def find(self, selector: str) -> Locator:
        return self.frame.locator(selector)

    def text(self) -> str:
        """All that can be read."""
        return self.find("main").inner_text()

    def in_view(self, expression: str, argument: Any = None) -> Any:
        """A value of the view's own document."""
        return self.find("html").evaluate(f"(root, argument) => {expression}", argument)

    def wait_for(self, selector: str) -> None:
        """Until this can be seen, and the frame is as high as the view asked for."""
        expect(self.find(selector).first).to_be_visible()
        self.page.wait_for_function(
            "() => heard('ui/notifications/size-changed').at(-1)?.params.height === frame.clientHeight"
        )

    def whole_picture(self) -> bytes:
        """The view as PNG, from top to bottom."""
        height = self.page.evaluate("() => frame.clientHeight")
        self.page.set_viewport_size({"width": self.page.viewport_size["width"], "height": height})
        return self.page.locator("iframe").screenshot()


@contextmanager
def host(started: Browser, width: int = 900, **options: Any) -> Iterator[Host]:
    """A host's page of this width, cut off from every network."""
    context = started.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
    try:
        yield Host(context.new_page())
    finally:
        context.close()
