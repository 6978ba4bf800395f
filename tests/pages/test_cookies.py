"""What a browser keeps for the page: what each cookie is good for, how long, and how large it gets."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet

from tests.pages.house import TOKENS, Browser, House, a_house, callers_file
from tests.pages.issuer import Issuer
from tests.pages.test_signing_in import signed_in

pytestmark = pytest.mark.anyio
SESSION, ATTEMPT = "__Host-crm-page", "__Host-crm-sign-in"
PURPOSES = {SESSION: "page session", ATTEMPT: "page sign-in"}


class Seal:
    """Opens and seals as the server does for one of the two cookies."""

    def __init__(self, house: House, cookie: str) -> None:
        key = house.application.crm.state.key_for(PURPOSES[cookie])
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def opened(self, value: str | None) -> bytes:
        assert value is not None
        return self._fernet.decrypt(value.encode())

    def sealed(self, facts: bytes) -> str:
        return self._fernet.encrypt(facts).decode()


async def with_cookies(
    house: House, cookies: Mapping[str, str], form: Mapping[str, str] | None = None
) -> int:
    """The status of the first page, or of a pasted token, for a browser with these cookies."""
    browser = house.browser()
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    if form is None:
        return (await browser.open("", Cookie=sent)).status
    return (await browser.send("/sign-in", form, Cookie=sent)).status


async def test_a_session_is_one_under_its_own_key_only(house: House) -> None:
    browser = house.browser()
    await browser.sign_in("bob")
    facts = Seal(house, SESSION).opened(browser.cookie(SESSION))
    assert await with_cookies(house, {SESSION: Seal(house, SESSION).sealed(facts)}) == 200
    assert await with_cookies(house, {SESSION: Seal(house, ATTEMPT).sealed(facts)}) == 303


async def test_a_sign_in_under_way_is_one_under_its_own_key_only(house: House) -> None:
    browser = house.browser()
    form = {"token": (await browser.open("/sign-in")).token, "lab_token": TOKENS["bob"]}
    facts = Seal(house, ATTEMPT).opened(browser.cookie(ATTEMPT))
    assert await with_cookies(house, {ATTEMPT: Seal(house, ATTEMPT).sealed(facts)}, form) == 303
    assert await with_cookies(house, {ATTEMPT: Seal(house, SESSION).sealed(facts)}, form) == 400


async def test_neither_cookie_passes_for_the_other(house: House) -> None:
    browser = house.browser()
    form = {"token": (await browser.open("/sign-in")).token, "lab_token": TOKENS["bob"]}
    attempt = browser.cookie(ATTEMPT)
    assert attempt is not None
    await browser.sign_in("bob")
    session = browser.cookie(SESSION)
    assert session is not None
    assert await with_cookies(house, {SESSION: attempt}) == 303
    assert await with_cookies(house, {ATTEMPT: session}, form) == 400


@pytest.mark.parametrize("facts", [b"{}", b'{"visitor": {"name": "bob", "roles": [], "more": 1}}'])
async def test_a_session_of_another_version_is_none(facts: bytes, house: House) -> None:
    assert await with_cookies(house, {SESSION: Seal(house, SESSION).sealed(facts)}) == 303


@pytest.mark.parametrize("facts", [b"{}", b'{"state": "s", "born": 4000000000.0, "more": 1}'])
async def test_a_sign_in_of_another_version_begins_anew(facts: bytes, house: House) -> None:
    form = {"token": "s", "lab_token": TOKENS["bob"]}
    assert await with_cookies(house, {ATTEMPT: Seal(house, ATTEMPT).sealed(facts)}, form) == 400


async def test_a_sign_in_is_used_up_when_it_has_let_somebody_in(house: House) -> None:
    browser = house.browser()
    form = {"token": (await browser.open("/sign-in")).token, "lab_token": TOKENS["bob"]}
    assert (await browser.send("/sign-in", form)).status == 303
    assert browser.cookie(ATTEMPT) is None
    assert (await browser.send("/sign-in", form)).status == 400


async def test_somebody_in_hundreds_of_groups_has_a_cookie_that_browsers_keep(
    company: House, issuer: Issuer
) -> None:
    issuer.claims = {**issuer.claims, "groups": [str(UUID(int=number)) for number in range(200)]}
    browser = company.browser()
    await signed_in(browser)
    assert (await browser.open("")).status == 200
    assert len(browser.cookie(SESSION) or "") < 1500


async def test_on_this_machine_cookies_go_by_http(tmp_path: Path, sandbox: Any) -> None:
    public = "http://127.0.0.1:8321"
    async with a_house(sandbox, public_url=public, callers_file=callers_file(tmp_path)) as house:
        browser = Browser(house.app, public)
        entered = await browser.sign_in("bob")
        assert "secure" not in entered.response.headers["set-cookie"].casefold()
        assert (await browser.open("")).status == 200
