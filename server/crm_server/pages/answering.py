"""Pages from templates, with the headers that keep them to themselves, and refusals as pages."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from crm_tools.outside_text import line

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HERE = Path(__file__).parent
STATIC = {
    "style.css": "text/css; charset=utf-8",
    "waiting.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files that pages load, and what they are."""

_HEADERS = {
    # Nothing but the files above; nobody frames it, and forms go nowhere else. https://www.w3.org/TR/CSP3/
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    # Not no-referrer: with it browsers say "Origin: null" of the page's own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "cache-control": "no-store",
}


class RefusalError(Exception):
    """The request is answered by a page that says why, and nothing is done."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.message = message


def static(name: str) -> bytes:
    """A file that pages load."""
    return (_HERE / "static" / name).read_bytes()


class Templates:
    """Pages from templates. What is put into one is text and never markup. ``root`` is where pages are."""

    def __init__(self, root: str) -> None:
        self._root = root

    def text(self, name: str, **facts: Any) -> str:
        """A template, filled in."""
        return self._environment.get_template(f"{name}.html").render(root=self._root, **facts)

    def page(self, name: str, status: int = 200, **facts: Any) -> HTMLResponse:
        """The answer that is this template, filled in."""
        return HTMLResponse(self.text(name, **facts), status)

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        made = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters |= {"plain": lambda value: line(str(value)), "when": _when, "iso": _iso}
        return made


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M UTC}"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


class GuardedPages:
    """Adds the headers to every answer of the pages, whatever it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, guarded)
