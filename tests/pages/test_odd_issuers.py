"""An issuer that is not what it was set up to be: nobody is led there, and nothing is shown to it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tests.pages.house import House, a_house
from tests.pages.issuer import Issuer, listening, settings_for
from tests.pages.test_signing_in import signed_in, to_the_issuer

pytestmark = pytest.mark.anyio
SESSION = "__Host-crm-page"


@dataclass
class OddIssuer(Issuer):
    """One that ``moved`` leads away for its tokens."""

    moved: bool = False

    async def token(self, request: Request) -> Response:
        if self.moved and not request.query_params:
            return RedirectResponse("/token?moved=yes", 307)
        return await super().token(request)


@pytest.fixture(scope="module")
def running() -> Iterator[OddIssuer]:
    listener = socket.create_server(("127.0.0.1", 0))
    made = OddIssuer(f"http://127.0.0.1:{listener.getsockname()[1]}")
    with listening(made.app(), listener):
        yield made


@pytest.fixture
def odd(running: OddIssuer) -> OddIssuer:
    running.claims = {"sub": "bob", "name": "Bob Approver", "roles": ["CRM.Approver"]}
    running.described, running.broken, running.moved = {}, {}, False
    running.spoken_to.clear()
    return running


@pytest.fixture
async def company(odd: OddIssuer, sandbox: Any) -> AsyncIterator[House]:
    async with a_house(sandbox, **settings_for(odd.address)) as made:
        yield made


async def test_an_issuer_that_is_as_it_was_set_up_signs_people_in(company: House, odd: OddIssuer) -> None:
    assert (await signed_in(company.browser())).status == 303
    assert len(odd.spoken_to) == 1


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://issuer.example"},
        {"authorization_endpoint": "http://issuer.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://issuer.example/token"},
        {"token_endpoint": "http://127.0.0.1.issuer.example/token"},
    ],
    ids=str,
)
async def test_nobody_is_led_to_another_issuer_or_without_https(
    described: dict[str, str], company: House, odd: OddIssuer
) -> None:
    odd.described = described
    assert (await company.browser().open("/sign-in")).status == 503


async def test_code_and_secret_are_shown_nowhere_else(company: House, odd: OddIssuer) -> None:
    odd.moved = True
    assert (await signed_in(company.browser())).status == 400
    assert odd.spoken_to == []


async def test_a_token_for_the_server_is_no_sign_in_to_the_page(company: House, odd: OddIssuer) -> None:
    odd.broken = {"aud": "api://crm"}
    browser = company.browser()
    assert (await signed_in(browser)).status == 400
    assert browser.cookie(SESSION) is None


async def test_where_there_is_an_issuer_no_token_is_taken_from_a_form(company: House, odd: OddIssuer) -> None:
    browser = company.browser()
    state = parse_qs(urlsplit(await to_the_issuer(browser)).query)["state"][0]
    token = odd.signed({**odd.claims, "aud": "api://crm", "iss": odd.address}, odd.key)
    assert (await browser.send("/sign-in", {"token": state, "lab_token": token})).status == 404
    assert browser.cookie(SESSION) is None


async def test_a_name_that_people_go_by_is_one_short_plain_line(company: House, odd: OddIssuer) -> None:
    plan = await company.waiting_plan()
    odd.claims = {**odd.claims, "name": "Bob\r\n\u202e\x1b[31m" + "b" * 900}
    browser = company.browser()
    await signed_in(browser)
    await browser.decide(plan, "approved")
    (event,) = await company.events("plan approved")
    assert event["by"].startswith("Bob ")
    assert event["by"].isprintable()
    assert len(event["by"]) < 150
