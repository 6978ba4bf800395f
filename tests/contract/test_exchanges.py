"""The sandbox answers as Microsoft documents: every exchange of the folder ``exchanges`` is one test."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from crm_sandbox import create_app
from tests.contract import exchanges
from tests.contract.exchange import KEYS, ROOT, Exchange, fits
from tests.sandbox.conftest import NOW

TABLE = Path(__file__).parent.parent / "sandbox" / "new_project.toml"
ALL: list[Exchange] = [
    exchange
    for module in sorted(item.name for item in pkgutil.iter_modules(exchanges.__path__))
    for exchange in importlib.import_module(f"tests.contract.exchanges.{module}").EXCHANGES
]


def filled(content: Any, known: dict[str, str]) -> Any:
    """The content with the values of its placeholders."""
    if isinstance(content, str):
        for name, value in known.items():
            content = content.replace(f"{{{name}}}", value)
        return content
    if isinstance(content, dict):
        return {filled(key, known): filled(value, known) for key, value in content.items()}
    if isinstance(content, list):
        return [filled(item, known) for item in content]
    return content


def captured(answer: httpx.Response, where: str) -> str:
    if where in answer.headers:
        return answer.headers[where]
    value = answer.json()
    # Names such as @odata.etag have dots themselves, so the whole is tried first.
    if where in value:
        return str(value[where])
    for key in where.split("."):
        value = value[int(key)] if key.isdecimal() else value[key]
    return str(value)


@pytest.mark.anyio
@pytest.mark.parametrize("exchange", ALL, ids=lambda exchange: exchange.name)
async def test_an_answer_is_as_documented(exchange: Exchange) -> None:
    app = create_app(now=lambda: NOW, tables=[TABLE])
    known = {**KEYS, "root": ROOT}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        for step in exchange.steps:
            path = filled(step.path, known)
            body = filled(step.body, known)
            answer = await client.request(
                step.method,
                path if path.startswith("https://") else ROOT + path,
                headers={**filled(dict(step.sent), known)},
                **(
                    {"content": body.encode()}
                    if isinstance(body, str)
                    else {"json": body}
                    if body is not None
                    else {}
                ),
            )
            shown = f"{step.method} {path}\n{answer.status_code} {dict(answer.headers)}\n{answer.text[:3000]}"
            assert answer.status_code == step.status, shown
            if step.json is not None:
                assert fits(answer.json(), filled(step.json, known)), shown
            if step.text is not None:
                assert fits(answer.text, filled(step.text, known)), shown
            for name, wanted in step.headers.items():
                value = answer.headers.get(name)
                assert value is None if wanted is None else fits(value, filled(wanted, known)), shown
            known |= {name: captured(answer, where) for name, where in step.capture.items()}
    app.close()


def test_there_are_enough_exchanges_each_with_a_name_and_a_source_of_its_own() -> None:
    names = [exchange.name for exchange in ALL]
    assert len(names) == len(set(names)) >= 200
    for exchange in ALL:
        assert exchange.source.startswith(
            ("power-apps/", "dynamics365/", "power-platform/", "dotnet/", "sql/", "troubleshoot/")
        )
        assert exchange.steps
        assert any(step.status for step in exchange.steps)
