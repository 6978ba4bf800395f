"""Draws the pictures of docs/tools.md and docs/approvals.md: ``uv run python -m docs.pictures``.

They are made by the system's Chromium, so they are looked at by people and not compared by a test.
"""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser

from crm_sandbox import create_app
from tests.pages.screens import LiveHouse, a_live_house, a_screen
from tests.views.host import IN_ENGLISH, browser, host, view_of
from tests.views.samples import overview, pipeline

FOLDER = Path(__file__).parent / "pictures"
WIDTHS = (360, 900)
DAY = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
COLOURS = 256
STYLES = {"variables": {"--font-sans": "'Liberation Sans', Arial, sans-serif"}}
ASK_BEFORE_UPDATE = """\
extends = "sales-assistant"

[[rules]]
id = "ask-before-update"
effect = "confirm"
actions = ["update"]
tables = ["lead"]
"""
SAMPLES = {"pipeline": pipeline, "record": overview}


def draw_all(folder: Path, theme: str = "light") -> None:
    """One picture for each view and width, with the whole of the view."""
    with browser() as started:
        for name, sample in SAMPLES.items():
            for width in WIDTHS:
                with host(started, width, reduced_motion="reduce") as shown:
                    shown.page.clock.set_fixed_time(DAY)
                    shown.open(view_of(name), context={**IN_ENGLISH, "theme": theme, "styles": STYLES})
                    shown.call(sample())
                    shown.wait_for("h1")
                    save(shown.whole_picture(), folder / f"{name}-{width}.png")
        draw_approvals(started, folder, theme)


def draw_approvals(started: Browser, folder: Path, theme: str) -> None:
    """The page for approvals, with changes that wait and one that is decided about."""
    crm = create_app(accounts=5, now=lambda: DAY)
    with TemporaryDirectory() as kept:
        policy = Path(kept) / "policy.toml"
        policy.write_text(ASK_BEFORE_UPDATE, encoding="utf-8")
        with a_live_house(Path(kept), crm, policy=str(policy)) as live:
            _draw_approvals(started, live, folder, theme)
    crm.close()


def _draw_approvals(started: Browser, live: LiveHouse, folder: Path, theme: str) -> None:
    plan = _plans(live)
    for width in WIDTHS:
        with a_screen(started, live, width, color_scheme=theme) as shown:
            shown.sign_in()
            for name, path in (("approvals", ""), ("plan", f"/plans/{plan}")):
                shown.open(path)
                save(shown.page.screenshot(full_page=True), folder / f"{name}-{width}.png")


def _plans(live: LiveHouse) -> str:
    """Two plans that wait; the id of the one that changes a record."""
    house = live.house
    house.moment = DAY
    lead = live.does(
        house.new_lead, firstname="Maria", lastname="Sommer", subject="Two pallets of printer paper"
    )
    live.does(
        house.call, "update_lead", leadid=lead, subject="Three pallets of printer paper", jobtitle="Buyer"
    )
    (first,) = live.does(house.application.crm.state.plans)
    live.does(house.waiting_plan, firstname="Jonas", lastname="Weber", subject="Office chairs, 40 of them")
    return str(first.id)


def save(picture: bytes, path: Path) -> None:
    """Written with as many colours as a reader can see, which is a third of the size."""
    Image.open(BytesIO(picture)).convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    draw_all(FOLDER)
