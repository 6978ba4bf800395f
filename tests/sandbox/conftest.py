"""A client of a fresh sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from crm_sandbox import create_app

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ROOT = "https://sandbox.invalid/api/data/v9.2/"


class Crm:
    """Sends requests and keeps to the point: paths relative to the API, bodies as JSON."""

    def __init__(self, client: httpx.AsyncClient, app: Any) -> None:
        self.client = client
        self.app = app

    async def __call__(
        self, method: str, path: str, body: Any = None, *, prefer: str | None = None, **headers: str
    ) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if prefer:
            sent["Prefer"] = prefer
        url = path if path.startswith("https://") else ROOT + path
        return await self.client.request(method, url, json=body, headers=sent)

    async def rows(self, path: str, **headers: Any) -> list[dict[str, Any]]:
        answer = await self("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["value"]
        return rows

    async def new(self, entity_set: str, **body: Any) -> dict[str, Any]:
        answer = await self("POST", entity_set, body, prefer="return=representation")
        assert answer.status_code == 201, answer.text
        row: dict[str, Any] = answer.json()
        return row


@pytest.fixture
async def crm(anyio_backend: str) -> AsyncIterator[Crm]:
    app = create_app(now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        yield Crm(client, app)
    app.close()


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error answer."""
    content = answer.json()["error"]
    assert set(content) == {"code", "message"}
    return answer.status_code, content["code"]
