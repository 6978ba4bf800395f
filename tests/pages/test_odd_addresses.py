"""Addresses and forms that no browser of good will sends: a page says what they are, on either database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages.house import PUBLIC, TOKENS, Browser, House, a_house, callers_file

pytestmark = pytest.mark.anyio
NOTHING = ("%00", "a%00b", "%ff", "%ed%a0%80", "..%2f..", "x" * 2000, "'%20or%20'1'='1", "%25", "_")


@pytest.fixture
async def kept(tmp_path: Path, sandbox: Any, url: str) -> AsyncIterator[House]:
    settings = {"callers_file": callers_file(tmp_path), "state": url, "state_key": tmp_path / "state.key"}
    async with a_house(sandbox, **settings) as made:
        yield made


@pytest.fixture
async def bob(kept: House) -> Browser:
    browser = kept.browser()
    await browser.sign_in("bob")
    return browser


async def test_what_is_not_there_is_not_found_however_it_is_spelt(kept: House, bob: Browser) -> None:
    plan = await kept.waiting_plan()
    token = (await bob.open("/audit")).token
    for nothing in NOTHING:
        for path in (f"/plans/{nothing}", f"/changes/{nothing}", f"/{nothing}"):
            assert ((await bob.open(path)).status, path) == (404, path)
        for path in (f"/plans/{nothing}/decision", f"/changes/{nothing}/undo"):
            sent = await bob.send(path, {"token": token, "decision": "approved"})
            assert (sent.status, path) == (404, path)
    reason = "because\0 \x1b[31m\u202eof it"
    assert (
        await bob.send(f"/plans/{plan}/decision", {"token": token, "decision": "approved", "reason": reason})
    ).status == 303
    assert (await kept.application.crm.state.plan(plan)).reason == "because [31mof it"


async def test_searches_for_anything_are_answered(bob: Browser) -> None:
    for name in ("caller", "tool", "table", "outcome", "record"):
        for text in NOTHING:
            assert ((await bob.open(f"/audit?{name}={text}")).status, text) == (200, text)
    times = ("0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "2026-W01-1")
    for moment in times:
        assert (await bob.open(f"/audit?since={moment}")).status == 200
        assert (await bob.open(f"/audit?until={moment}")).status == 200
    for moment in ("x", "2026-13-01", "-0001-01-01", "9" * 300):
        assert (await bob.open(f"/audit?since={moment}")).status == 400


@pytest.mark.parametrize("before", ["0", "999999999", "9" * 12, "9" * 300, "-1", "x", "%00", "1.5", "٣"])
async def test_a_list_begins_somewhere_whatever_is_asked(bob: Browser, before: str) -> None:
    for path in ("/audit", "/changes", "/history"):
        assert (await bob.open(f"{path}?before={before}")).status == 200


async def test_a_form_that_cannot_be_read_does_nothing(bob: Browser) -> None:
    token = (await bob.open("/audit")).token
    for body in (b"\xff\xfe", b"token=%ff", b"&" * 60_000, f"token={token}&".encode() + b"a=1&" * 30, b"a;b"):
        headers = {"Origin": PUBLIC, "Content-Type": "application/x-www-form-urlencoded"}
        sent = await bob.http.post("/approvals/sign-out", content=body, headers=headers)
        assert (sent.status_code, body[:20]) == (403, body[:20])
    assert (await bob.open("")).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
async def test_another_method_is_refused_with_the_same_headers(bob: Browser, method: str) -> None:
    for path in ("", "/sign-in", "/audit/verify", "/style.css"):
        answer = await bob.http.request(method, f"/approvals{path}")
        assert answer.status_code == 405
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("name", ["__Host-crm-page", "__Host-crm-sign-in"])
@pytest.mark.parametrize("value", [b"", b"\xff", b'"\\377"', b"=;;;", b"x" * 20_000, b"gAAAA" * 40])
async def test_a_cookie_that_is_none_is_none(kept: House, name: str, value: bytes) -> None:
    browser = kept.browser()
    cookie = {"Cookie": name.encode() + b"=" + value}
    assert (await browser.http.get("/approvals", headers=cookie)).status_code == 303
    assert (await browser.http.get("/approvals/sign-in/callback", headers=cookie)).status_code == 400
    form = {"token": "x", "lab_token": TOKENS["bob"]}
    sent = await browser.http.post("/approvals/sign-in", data=form, headers={"Origin": PUBLIC, **cookie})
    assert sent.status_code == 400
