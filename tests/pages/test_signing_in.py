"""Signing in by an issuer: what is asked of it, what is believed, who is let in, and where it leads."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import httpx
import pytest

from crm_server.authorization import rules
from crm_server.authorization.keys import SigningKeys
from crm_server.authorization.resource import Resource
from crm_server.authorization.rules import Rules
from crm_server.authorization.tokens import JwtTokens
from crm_server.pages.configured import client_of
from crm_server.pages.sealing import Attempt
from crm_server.pages.signing_in import Client, IssuerSignIn, IssuerUnreachableError
from crm_server.pages.visitors import Admission
from crm_server.settings import Settings, SettingsError, read_settings
from crm_server.web.configured import rules_of
from tests.pages.house import PUBLIC, Browser, House, Page, a_house, callers_file
from tests.pages.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, settings_for

pytestmark = pytest.mark.anyio


async def to_the_issuer(browser: Browser, wanted: str = "/approvals") -> str:
    """The address of the answer with which the issuer sends the browser back."""
    page = await browser.open(f"/sign-in?{urlencode({'next': wanted})}")
    assert page.status == 303, page.text
    async with httpx.AsyncClient() as http:
        answer = await http.get(page.response.headers["location"])
    return answer.headers["location"]


async def signed_in(browser: Browser, wanted: str = "/approvals") -> Page:
    back = await to_the_issuer(browser, wanted)
    return Page(await browser.http.get(back))


async def test_an_approver_comes_back_to_the_page_that_was_asked_for(company: House) -> None:
    browser = company.browser()
    asked = await browser.open("/audit?tool=delete_lead")
    assert asked.status == 303
    back = Page(await browser.http.get(asked.response.headers["location"]))
    async with httpx.AsyncClient() as http:
        answer = await http.get(back.response.headers["location"])
    entered = await browser.http.get(answer.headers["location"])
    assert entered.headers["location"] == "/approvals/audit?tool=delete_lead"
    page = await browser.open("/audit?tool=delete_lead")
    assert page.status == 200
    assert "Bob Approver" in page.text


async def test_the_issuer_is_asked_for_a_code_with_state_nonce_and_challenge(
    company: House, issuer: Issuer
) -> None:
    await signed_in(company.browser())
    await signed_in(company.browser())
    first, second = issuer.asked
    assert first["response_type"] == "code"
    assert first["client_id"] == CLIENT_ID
    assert first["redirect_uri"] == f"{PUBLIC}/approvals/sign-in/callback"
    assert first["scope"] == "openid profile"
    assert first["code_challenge_method"] == "S256"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_basic"]], ids=lambda one: one[0])
async def test_the_page_shows_its_secret_as_the_issuer_wants_it(
    methods: list[str], sandbox: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer, "methods", methods)
    async with a_house(sandbox, **_settings(issuer)) as house:
        assert (await signed_in(house.browser())).status == 303
    (spoken,) = issuer.spoken_to
    in_form = methods == ["client_secret_post"]
    assert (spoken.get("client_secret") == CLIENT_SECRET) == in_form
    shown = f"{quote_plus(CLIENT_ID)}:{quote_plus(CLIENT_SECRET)}"
    basic = f"Basic {base64.b64encode(shown.encode()).decode()}"
    assert spoken["authorization"] == (None if in_form else basic)


def _settings(issuer: Issuer, **more: Any) -> dict[str, Any]:
    return settings_for(issuer.address, **more)


@pytest.mark.parametrize(
    "broken",
    [
        {"aud": "another application"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"aud": [CLIENT_ID, "another"]},
        {"nonce": "of another sign-in"},
        {"nonce": "half a character: \ud800"},
        {"nonce": ["a list"]},
        {"sub": "bob\u202e", "oid": None},
        {"roles": {"CRM.Approver": True}},
        {"_claim_names": {"groups": "elsewhere"}},
        {"iss": "https://issuer.example"},
        {"exp": 1_000_000_000},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
async def test_an_id_token_that_is_not_for_this_sign_in_signs_nobody_in(
    broken: dict[str, Any], company: House, issuer: Issuer
) -> None:
    issuer.broken = broken
    browser = company.browser()
    assert (await signed_in(browser)).status == 400
    assert (await browser.open("")).status == 303


async def test_an_id_token_of_another_key_signs_nobody_in(company: House, issuer: Issuer) -> None:
    issuer.forged = True
    assert (await signed_in(company.browser())).status == 400


async def test_an_answer_to_another_sign_in_is_not_taken(company: House) -> None:
    browser = company.browser()
    back = urlsplit(await to_the_issuer(browser))
    facts = {name: values[0] for name, values in parse_qs(back.query).items()}
    for wrong in ({"state": "x"}, {"iss": "https://issuer.example"}, {"code": "none"}, {"error": "denied"}):
        query = urlencode({**facts, **wrong})
        assert (await browser.open(f"/sign-in/callback?{query}")).status == 400
    assert (await browser.open("")).status == 303


async def test_an_issuer_that_always_names_itself_has_not_sent_an_answer_without_its_name(
    sandbox: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer, "names_itself", True)
    async with a_house(sandbox, **_settings(issuer)) as house:
        browser = house.browser()
        back = urlsplit(await to_the_issuer(browser))
        facts = {name: values[0] for name, values in parse_qs(back.query).items()}
        without = urlencode({name: value for name, value in facts.items() if name != "iss"})
        assert (await browser.open(f"/sign-in/callback?{without}")).status == 400
        assert not issuer.spoken_to
        assert (await browser.open(f"/sign-in/callback?{urlencode(facts)}")).status == 303


async def test_a_code_is_taken_once(company: House) -> None:
    browser = company.browser()
    back = await to_the_issuer(browser)
    attempt = browser.cookie("__Host-crm-sign-in")
    assert Page(await browser.http.get(back)).status == 303
    assert Page(await browser.http.get(back)).status == 400
    again = await company.browser().http.get(back, headers={"Cookie": f"__Host-crm-sign-in={attempt}"})
    assert again.status_code == 400


async def test_a_code_of_somebody_elses_browser_is_not_taken(company: House) -> None:
    mallory, victim = company.browser(), company.browser()
    back = await to_the_issuer(mallory)
    assert Page(await victim.http.get(back)).status == 400
    await to_the_issuer(victim)
    assert Page(await victim.http.get(back)).status == 400
    assert victim.cookie("__Host-crm-page") is None


async def test_a_sign_in_that_takes_too_long_begins_anew(company: House) -> None:
    browser = company.browser()
    back = await to_the_issuer(browser)
    company.later(minutes=11)
    assert Page(await browser.http.get(back)).status == 400


async def test_somebody_without_a_role_is_told_so_and_sees_nothing(company: House, issuer: Issuer) -> None:
    issuer.claims = {"sub": "mia", "name": "Mia", "roles": ["Salesperson"]}
    browser = company.browser()
    page = await signed_in(browser)
    assert page.status == 403
    assert "You may not see this page" in page.text
    assert browser.cookie("__Host-crm-page") is None


async def test_an_auditor_looks_and_does_not_decide(company: House, issuer: Issuer) -> None:
    issuer.claims = {"sub": "eve", "groups": ["CRM.Auditor"]}
    plan = await company.waiting_plan()
    browser = company.browser()
    await signed_in(browser)
    page = await browser.open(f"/plans/{plan}")
    assert "another role is needed" in page.text
    assert (
        await browser.send(f"/plans/{plan}/decision", {"token": page.token, "decision": "approved"})
    ).status == 403


async def test_an_approver_is_known_as_the_caller_of_their_own_plans(company: House, issuer: Issuer) -> None:
    name = "bob@127.0.0.1"
    own, other = await company.waiting_plan(name), await company.waiting_plan("ann@127.0.0.1")
    browser = company.browser()
    await signed_in(browser)
    assert "You asked for this change yourself" in (await browser.open(f"/plans/{own}")).text
    assert (await browser.decide(other, "approved")).status == 303
    (event,) = await company.events("plan approved")
    assert event["by"] == f"Bob Approver ({name})"


async def test_own_plans_are_approved_where_a_setting_lets_them(sandbox: Any, issuer: Issuer) -> None:
    async with a_house(sandbox, **_settings(issuer, approve_own=True)) as house:
        plan = await house.waiting_plan("bob@127.0.0.1")
        browser = house.browser()
        await signed_in(browser)
        assert (await browser.decide(plan, "approved")).status == 303
        assert len(await house.events("plan approved")) == 1


@pytest.mark.parametrize(("scopes", "status"), [("crm.approve", 303), ("crm.read", 403)])
async def test_a_scope_can_be_what_lets_approvers_in(
    scopes: str, status: int, sandbox: Any, issuer: Issuer
) -> None:
    issuer.claims, issuer.scopes = {"sub": "bob"}, scopes
    async with a_house(sandbox, **_settings(issuer, page_roles={"crm.approve": "approve"})) as house:
        assert (await signed_in(house.browser())).status == status
    assert issuer.asked[0]["scope"] == "openid profile crm.approve"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/approvals//../..//evil.example",
        "/approvals@evil.example",
        "/approvals.evil.example",
        "/approvals\r\nSet-Cookie: x=y",
        "javascript:alert(1)",
        "/mcp",
    ],
)
async def test_a_sign_in_leads_to_this_page_and_nowhere_else(elsewhere: str, company: House) -> None:
    assert (await signed_in(company.browser(), elsewhere)).response.headers["location"] == "/approvals"


async def test_an_issuer_that_is_away_is_said_to_be(sandbox: Any, issuer: Issuer) -> None:
    away = _settings(issuer, callers_issuer="http://127.0.0.1:9")
    async with a_house(sandbox, **away) as house:
        page = await house.browser().open("/sign-in")
    assert page.status == 503
    assert "The sign-in service does not answer" in page.text


async def test_an_issuer_that_is_away_is_not_asked_by_each_who_comes() -> None:
    asked: list[str] = []
    moments = [0.0]

    async def fetch(address: str) -> bytes:
        asked.append(address)
        raise OSError("away")

    at = rules.Issuer("https://issuer.example")
    sign_in = IssuerSignIn(
        at,
        Client(CLIENT_ID, None, PUBLIC),
        JwtTokens(Rules(at, (CLIENT_ID,)), SigningKeys(at, fetch, lambda: moments[-1])),
        JwtTokens(Rules(at, (CLIENT_ID,)), SigningKeys(at, fetch, lambda: moments[-1])),
        Admission({}),
        None,
        fetch,
        lambda: moments[-1],
    )
    for moment, times in ((0.0, 1), (10.0, 1), (31.0, 2)):
        moments.append(moment)
        with pytest.raises(IssuerUnreachableError):
            await sign_in.begin(Attempt("s", "n", "v", "/approvals", 0.0))
        assert len(asked) == times


@pytest.mark.parametrize("text", ["CRM.Approver", "=approve", "CRM.Approver=decide", ","])
def test_roles_of_the_page_say_what_they_may(text: str) -> None:
    with pytest.raises(SettingsError, match="DYNAMICS_PAGE_ROLES is a role"):
        read_settings({"DYNAMICS_PAGE_ROLES": text}, ())


def test_settings_of_the_page_are_read() -> None:
    environ = {"DYNAMICS_PAGE_ROLES": "CRM.Lead=approve, Audit team=see", "DYNAMICS_APPROVE_ON_PAGE": "true"}
    settings = read_settings(environ, ())
    assert settings.page_roles == {"CRM.Lead": "approve", "Audit team": "see"}
    assert (settings.approve_on_page, settings.approve_own) == (True, False)


async def test_a_lab_lets_in_by_a_callers_token(house: House) -> None:
    for who, status in (("ann", 403), ("bob", 303), ("eve", 303)):
        assert (await house.browser().sign_in(who)).status == status


async def test_a_wrong_token_of_a_lab_lets_nobody_in(house: House) -> None:
    browser = house.browser()
    form = {"token": (await browser.open("/sign-in")).token, "lab_token": "guessed"}
    assert (await browser.send("/sign-in", form)).status == 400
    assert browser.cookie("__Host-crm-page") is None


async def test_without_its_settings_there_is_no_page(sandbox: Any, issuer: Issuer) -> None:
    settings = {**_settings(issuer), "page_client_id": None, "page_client_secret": None}
    async with a_house(sandbox, **settings) as house:
        assert (await house.browser().open("")).status == 404


async def test_a_page_that_is_not_there_cannot_be_where_changes_are_approved(sandbox: Any) -> None:
    with pytest.raises(SettingsError, match="DYNAMICS_PAGE_CLIENT_ID"):
        async with a_house(sandbox, approve_on_page=True):
            pass


async def test_a_server_below_a_path_links_below_it(tmp_path: Path, sandbox: Any) -> None:
    public = f"{PUBLIC}/crm"
    async with a_house(sandbox, public_url=public, callers_file=callers_file(tmp_path)) as house:
        # A proxy takes the path away.
        browser = Browser(house.app, PUBLIC)
        assert (await browser.sign_in("bob")).response.headers["location"] == "/crm/approvals"
        assert 'href="/crm/approvals/audit"' in (await browser.open("")).text


async def _changed_by_ann(house: House) -> str:
    changed = await house.call("update_lead", leadid=await house.new_lead(), subject="Pencils")
    return str(changed["change_id"])


async def test_with_the_setting_the_page_asks_for_writing_and_takes_back_with_what_it_was_given(
    sandbox: Any, issuer: Issuer
) -> None:
    issuer.scopes = "crm.read crm.write"
    async with a_house(sandbox, **_settings(issuer, page_undo=True, auth="on-behalf-of")) as house:
        browser = house.browser()
        await signed_in(browser)
        assert issuer.asked[0]["scope"] == "openid profile crm.write"
        first, second = await _changed_by_ann(house), await _changed_by_ann(house)
        token = (await browser.open(f"/changes/{first}")).token
        undone = await browser.send(f"/changes/{first}/undo", {"token": token})
        assert "The change was taken back" in undone.text
        assert (await house.events("write begun"))[-1]["caller"] == "bob@127.0.0.1"
        state = house.application.crm.state
        await state.run(lambda connection, _: connection.exec_driver_sql("DELETE FROM tokens"))
        refused = await browser.send(f"/changes/{second}/undo", {"token": token})
        assert (refused.status, "Sign out and in again" in refused.text) == (403, True)


async def test_an_access_token_of_somebody_else_is_not_kept(sandbox: Any, issuer: Issuer) -> None:
    issuer.scopes, issuer.broken = "crm.write", {"sub": "eve"}
    async with a_house(sandbox, **_settings(issuer, page_undo=True, auth="on-behalf-of")) as house:
        browser = house.browser()
        await signed_in(browser)
        change = await _changed_by_ann(house)
        token = (await browser.open(f"/changes/{change}")).token
        assert (await browser.send(f"/changes/{change}/undo", {"token": token})).status == 403


async def test_without_the_scope_nothing_is_taken_back(sandbox: Any, issuer: Issuer) -> None:
    issuer.scopes = "crm.read"
    async with a_house(sandbox, **_settings(issuer, page_undo=True)) as house:
        browser = house.browser()
        await signed_in(browser)
        page = await browser.open(f"/changes/{await _changed_by_ann(house)}")
        assert "the scope crm.write" in page.text


@pytest.mark.parametrize(
    ("client_id", "asked"),
    [
        # An application asks Entra ID for itself by its id (AADSTS90009), and for others by their URI.
        ("11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-555555555555/crm.write"),
        ("99999999-2222-4333-8444-555555555555", "api://crm/crm.write"),
    ],
)
def test_entra_is_asked_for_scopes_by_whose_they_are(client_id: str, asked: str) -> None:
    settings = Settings(
        public_url=PUBLIC,
        callers_issuer="https://login.microsoftonline.com/TENANT/v2.0",
        callers_audience=("api://crm", "11111111-2222-4333-8444-555555555555"),
        page_client_id=client_id,
        page_undo=True,
    )
    assert client_of(settings, Resource(PUBLIC, rules_of(settings))).scopes == (asked,)
