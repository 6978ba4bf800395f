"""Summaries as the pipeline's page gets them, and what is seen of it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator

from tests.views.host import Host
from tests.views.samples import CLOSE_MONTH

VALUE = "sum estimatedvalue"


def group(stage: Any, month: Any, count: int = 1, value: float | None = 100.0) -> dict[str, Any]:
    return {"stepname": stage, CLOSE_MONTH: month, "count": count, VALUE: value}


def summary(*groups: Any, **other: Any) -> dict[str, Any]:
    return {"table": "opportunity", "by": ["stepname", CLOSE_MONTH], "groups": list(groups), **other}


def texts(shown: Host, selector: str) -> list[str]:
    return [text.strip() for text in shown.find(selector).all_inner_texts()]


def measure(shown: Host, label: str) -> Locator:
    return shown.frame.get_by_role("radio", name=label)


def heights(shown: Host, selector: str) -> list[float]:
    return [box.bounding_box()["height"] for box in shown.find(selector).all()]


def overflow(shown: Host) -> int:
    return shown.in_view("document.documentElement.scrollWidth - document.documentElement.clientWidth")
