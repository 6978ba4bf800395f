"""A server with its page that a real browser can reach."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from playwright.sync_api import Browser, Page

from tests.pages.house import TOKENS, House, a_house, callers_file


@dataclass
class LiveHouse:
    """``does`` does something in the loop that the server runs in."""

    house: House
    portal: BlockingPortal

    @property
    def root(self) -> str:
        return f"{self.house.public}/approvals"

    def does(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return self.portal.call(lambda: work(*arguments, **named))


@contextmanager
def a_live_house(folder: Path, sandbox: Any = None, **settings: Any) -> Iterator[LiveHouse]:
    """A lab, unless the settings name an issuer; on a free port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    public = f"http://127.0.0.1:{listener.getsockname()[1]}"
    known = settings if "callers_issuer" in settings else {"callers_file": callers_file(folder), **settings}
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(a_house(sandbox, public_url=public, **known)) as house,
    ):
        server = uvicorn.Server(uvicorn.Config(house.app, lifespan="off", log_config=None, ws="none"))
        served = portal.start_task_soon(server.serve, [listener])
        try:
            yield LiveHouse(house, portal)
        finally:
            server.should_exit = True
            served.result(10)
            listener.close()


class Screen:
    """A page of a browser, and what it complained about."""

    def __init__(self, page: Page, live: LiveHouse) -> None:
        self.page = page
        self.live = live
        self.problems: list[str] = []
        self.elsewhere: list[str] = []
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self._heed(request.url))

    def _heed(self, url: str) -> None:
        if not url.startswith(f"{self.live.root}"):
            self.elsewhere.append(url)

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.live.root}{path}")

    def sign_in(self, who: str = "bob") -> None:
        self.open("/sign-in")
        self.page.get_by_label("Your token").fill(TOKENS[who])
        self.page.get_by_role("button", name="Sign in").click()


@contextmanager
def a_screen(browser: Browser, live: LiveHouse, width: int = 900, **options: Any) -> Iterator[Screen]:
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    try:
        yield Screen(context.new_page(), live)
    finally:
        context.close()
