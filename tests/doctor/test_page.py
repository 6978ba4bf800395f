"""The page for approvals: who may approve on it, and whether issuers of three kinds sign people in to it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from crm_sandbox.identity import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_PUBLIC_CLIENT_ID,
    DEFAULT_TENANT_ID,
)
from crm_sandbox.identity.errors import EntraError
from crm_server.doctor import Outcome, Status
from crm_server.doctor.printing import as_text
from crm_server.settings import Settings
from tests.doctor.examining import examined, failures, on_sandbox
from tests.pages.house import callers_file
from tests.pages.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, an_issuer
from tests.sandbox.identity.identity_service import Service

pytestmark = pytest.mark.anyio

PUBLIC = "https://crm-mcp.contoso.example"
CALLBACK = f"{PUBLIC}/approvals/sign-in/callback"
OTHER = "99999999-2222-4333-8444-555555555555"


async def looked_at(settings: Settings) -> tuple[Outcome, Outcome]:
    """What is said of the page and of its sign-in; nothing else of what is checked is waited for."""
    outcomes = await examined(settings, until="page's sign-in")
    return outcomes["page"], outcomes["page's sign-in"]


def lab(tmp_path: Path, **more: Any) -> Settings:
    """Bob may approve, and Eve may see the page."""
    return Settings(public_url=PUBLIC, callers_file=callers_file(tmp_path), **more)


async def test_without_a_page_it_is_said_that_there_is_none() -> None:
    for outcome in await looked_at(Settings()):
        assert outcome.status is Status.SKIPPED
        assert "DYNAMICS_PAGE_CLIENT_ID is not set" in outcome.found


async def test_in_a_lab_those_are_named_who_may_approve_and_who_may_see(tmp_path: Path) -> None:
    page, sign_in = await looked_at(lab(tmp_path))
    assert page.status is Status.OK
    assert page.found == f"{PUBLIC}/approvals, where callers sign in by their token"
    where = "there, or by the caller where their client asks"
    assert page.lines == (
        "may approve: bob, cid, fay",
        "may only see: dot, eve",
        f"changes are approved {where}; not what an approver's own assistant asked for",
    )
    assert page.facts["who"] == {"approve": ["bob", "cid", "fay"], "see": ["dot", "eve"]}
    assert sign_in.status is Status.SKIPPED


async def test_in_a_lab_it_is_told_that_nobody_may_approve(tmp_path: Path) -> None:
    settings = lab(tmp_path)
    file = settings.callers_file
    assert file is not None
    file.write_text(file.read_text().replace(', "crm.approve"', ""))
    page, _ = await looked_at(settings)
    assert page.status is Status.WARNING
    assert "crm.approve" in page.todo


async def test_in_a_lab_an_application_for_the_page_is_told_to_be_of_no_use(tmp_path: Path) -> None:
    page, _ = await looked_at(lab(tmp_path, page_client_id=CLIENT_ID))
    assert page.status is Status.WARNING
    assert page.todo == "Remove DYNAMICS_PAGE_CLIENT_ID."


async def test_a_secret_without_its_application_is_told(tmp_path: Path) -> None:
    page, sign_in = await looked_at(Settings(page_client_secret="canary"))
    assert page.status is Status.FAILED
    assert "DYNAMICS_PAGE_CLIENT_ID" in page.todo
    assert sign_in.found == "because page failed"


async def test_approving_on_a_page_that_is_not_there_is_told() -> None:
    outcomes = await on_sandbox(Settings(approve_on_page=True))
    assert failures(outcomes) == ["callers"]
    assert "DYNAMICS_PAGE_CLIENT_ID" in outcomes["callers"].todo


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with an_issuer() as made:
        made.redirects = {CALLBACK}
        yield made


def at(issuer: Issuer, **changed: Any) -> Settings:
    return Settings(
        **{
            "public_url": PUBLIC,
            "callers_issuer": issuer.address,
            "callers_audience": ("api://crm",),
            "page_client_id": CLIENT_ID,
            "page_client_secret": CLIENT_SECRET,
            **changed,
        }
    )


async def test_an_issuer_that_knows_the_page_is_well(issuer: Issuer) -> None:
    page, sign_in = await looked_at(at(issuer, approve_own=True, approve_on_page=True))
    assert (page.status, sign_in.status) == (Status.OK, Status.OK)
    assert page.lines == (
        f"redirect address to register (platform Web): {CALLBACK}",
        "may approve: the role or group CRM.Approver",
        "may only see: the role or group CRM.Auditor",
        "changes are approved only there; also what an approver's own assistant asked for",
    )
    assert CALLBACK in as_text("page", page)
    assert sign_in.found == "the issuer takes the page's id and secret, and leads back to it"


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_basic"]], ids=lambda one: one[0])
async def test_the_secret_is_shown_as_in_a_sign_in(issuer: Issuer, methods: list[str]) -> None:
    issuer.methods = methods
    _, sign_in = await looked_at(at(issuer))
    assert sign_in.status is Status.OK
    _, sign_in = await looked_at(at(issuer, page_client_secret="wrong"))
    assert sign_in.status is Status.FAILED


async def test_an_issuer_that_knows_a_page_without_a_secret_is_well(issuer: Issuer) -> None:
    issuer.secret = None
    _, sign_in = await looked_at(at(issuer, page_client_secret=None))
    assert sign_in.found == "the issuer knows the page, and leads back to it"


@pytest.mark.parametrize(
    ("changed", "todo"),
    [
        ({"page_client_secret": "canary-wrong"}, "DYNAMICS_PAGE_CLIENT_SECRET to those of the page's"),
        ({"page_client_id": "another"}, "Set DYNAMICS_PAGE_CLIENT_ID"),
        ({"page_client_secret": None}, "Set DYNAMICS_PAGE_CLIENT_SECRET to its secret"),
        (
            {"public_url": "https://other.contoso.example"},
            "Register https://other.contoso.example/approvals/",
        ),
    ],
)
async def test_what_the_issuer_does_not_know_of_the_page_is_told(
    issuer: Issuer, changed: dict[str, Any], todo: str
) -> None:
    _, sign_in = await looked_at(at(issuer, **changed))
    assert sign_in.status is Status.FAILED
    assert todo in sign_in.todo
    assert "canary" not in as_text("page's sign-in", sign_in)


@pytest.mark.parametrize(
    ("described", "status", "todo"),
    [
        ({"code_challenge_methods_supported": ["plain"]}, Status.FAILED, "Switch it on"),
        ({}, Status.WARNING, "Switch it on at the issuer, if it can be."),
        ({"response_types_supported": ["id_token"]}, Status.FAILED, "remove DYNAMICS_PAGE_CLIENT_ID"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, Status.FAILED, "public application"),
        ({"response_types_supported": 5}, Status.OK, ""),
        ({"token_endpoint_auth_methods_supported": ["client_secret_basic", 5]}, Status.OK, ""),
        ({"code_challenge_methods_supported": "S256"}, Status.WARNING, "if it can be"),
        ({"authorization_endpoint": None}, Status.FAILED, "authorization code flow"),
        ({"token_endpoint": "http://issuer.example/token"}, Status.FAILED, "authorization code flow"),
    ],
)
async def test_what_the_issuer_cannot_do_is_told(
    issuer: Issuer, described: dict[str, Any], status: Status, todo: str
) -> None:
    issuer.described = {"code_challenge_methods_supported": ["S256"], **described} if described else {}
    _, sign_in = await looked_at(at(issuer))
    assert sign_in.status is status
    assert todo in sign_in.todo


async def test_a_page_on_which_nobody_may_approve_is_told(issuer: Issuer) -> None:
    page, _ = await looked_at(at(issuer, page_roles={"CRM.Auditor": "see"}))
    assert page.status is Status.WARNING
    assert "=approve" in page.todo


async def test_a_token_endpoint_that_is_away_is_told(issuer: Issuer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    issuer.described["token_endpoint"] = f"http://127.0.0.1:{port}/token"
    _, sign_in = await looked_at(at(issuer))
    assert sign_in.status is Status.FAILED
    assert sign_in.found == "nothing listens at 127.0.0.1"


def answering(issuer: Issuer, monkeypatch: pytest.MonkeyPatch, name: str, answer: Response) -> None:
    async def given(_request: Any) -> Response:
        return answer

    monkeypatch.setattr(issuer, name, given)


@pytest.mark.parametrize(
    ("name", "answer", "status", "says"),
    [
        ("token", PlainTextResponse("[]"), Status.WARNING, "cannot be told without a person"),
        ("token", PlainTextResponse("down", 503), Status.FAILED, "status 503"),
        ("authorize", PlainTextResponse("Who are you?"), Status.WARNING, "cannot be told without a person"),
        ("authorize", RedirectResponse("https://other.example"), Status.WARNING, "cannot be told"),
        ("authorize", PlainTextResponse("down", 503), Status.FAILED, "status 503"),
        ("authorize", RedirectResponse(f"{CALLBACK}?error=invalid_scope"), Status.FAILED, "its scopes"),
        ("authorize", RedirectResponse(f"{CALLBACK}?error=unauthorized_client"), Status.FAILED, "refuses"),
        ("authorize", RedirectResponse(f"{CALLBACK}?error=server_error"), Status.WARNING, "cannot be told"),
        ("authorize", RedirectResponse(f"{CALLBACK}.evil.example?code=x"), Status.WARNING, "cannot be told"),
        ("authorize", RedirectResponse(f"{CALLBACK}?code=x"), Status.OK, "leads back"),
    ],
)
async def test_what_an_issuer_answers_is_taken_for_no_more_than_it_says(
    name: str, answer: Response, status: Status, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer("")
    answering(issuer, monkeypatch, name, answer)
    with an_issuer(issuer):
        _, sign_in = await looked_at(at(issuer))
    assert (sign_in.status, says in sign_in.found) == (status, True), sign_in


@pytest.fixture
def entra(tenant: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The sandbox's tenant, which answers as Entra ID does; it leads back to this machine only."""
    monkeypatch.setenv("SSL_CERT_FILE", tenant.session.verify)
    return tenant


def of_entra(entra: Service, **changed: Any) -> Settings:
    return Settings(
        **{
            "public_url": "http://localhost:8321",
            "callers_issuer": f"{entra.authority}/v2.0",
            "callers_audience": (DEFAULT_CLIENT_ID,),
            "page_client_id": DEFAULT_CLIENT_ID,
            "page_client_secret": DEFAULT_CLIENT_SECRET,
            **changed,
        }
    )


async def test_entra_with_the_settings_of_its_application_is_well(entra: Service) -> None:
    _, sign_in = await looked_at(of_entra(entra))
    assert sign_in.status is Status.OK, sign_in
    public = of_entra(entra, page_client_id=DEFAULT_PUBLIC_CLIENT_ID, page_client_secret=None)
    _, sign_in = await looked_at(public)
    assert sign_in.status is Status.OK, sign_in


@pytest.mark.parametrize(
    ("changed", "code", "todo"),
    [
        ({"page_client_id": OTHER}, "AADSTS700016", "DYNAMICS_PAGE_CLIENT_ID"),
        ({"page_client_secret": "wrong"}, "AADSTS7000215", "DYNAMICS_PAGE_CLIENT_SECRET"),
        ({"page_client_secret": None}, "AADSTS7000218", "DYNAMICS_PAGE_CLIENT_SECRET"),
        ({"page_client_id": DEFAULT_PUBLIC_CLIENT_ID}, "AADSTS700025", "platform Web"),
    ],
)
async def test_entras_refusals_are_told_in_our_words_with_the_setting_to_change(
    entra: Service, changed: dict[str, Any], code: str, todo: str
) -> None:
    _, sign_in = await looked_at(of_entra(entra, **changed))
    assert sign_in.status is Status.FAILED
    assert sign_in.facts["code"] == code
    assert todo in sign_in.todo
    assert str(DEFAULT_TENANT_ID) not in as_text("page's sign-in", sign_in)


async def test_a_secret_that_has_expired_is_told(entra: Service) -> None:
    entra.app.fail_next(EntraError(7000222, "invalid_client", "The provided client secret keys are expired."))
    _, sign_in = await looked_at(of_entra(entra))
    assert "has expired" in sign_in.found


@pytest.mark.parametrize(("secret", "status"), [(DEFAULT_CLIENT_SECRET, Status.OK), ("wrong", Status.FAILED)])
async def test_where_entra_finds_the_made_up_code_malformed_the_secret_is_tried_by_itself(
    entra: Service, secret: str, status: Status
) -> None:
    entra.app.fail_next(EntraError(9002313, "invalid_grant", "Invalid request. Request is malformed."))
    _, sign_in = await looked_at(of_entra(entra, page_client_secret=secret))
    assert sign_in.status is status, sign_in


async def test_an_address_that_entra_does_not_lead_back_to_is_told(entra: Service) -> None:
    _, sign_in = await looked_at(of_entra(entra, public_url=PUBLIC))
    assert sign_in.status is Status.FAILED
    assert f"Register {CALLBACK}" in sign_in.todo


@pytest.fixture
def oidc_provider(oidc_modules: Path) -> Iterator[Issuer]:
    """An issuer of another house, that knows a page without a secret and a service with one."""
    node = oidc_modules / "node_modules" / ".bin" / "node"
    command = [node, oidc_modules / "oidc_provider.mjs", f"{PUBLIC}/mcp", CALLBACK, "secret of the service"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as provider:
        assert provider.stdout is not None
        try:
            yield Issuer(provider.stdout.readline().strip())
        finally:
            provider.terminate()


async def test_an_issuer_of_another_house_is_looked_at_alike(oidc_provider: Issuer) -> None:
    known = at(oidc_provider, page_client_id="assistant", page_client_secret=None)
    assert (await looked_at(known))[1].status is Status.OK
    for changed, todo in (
        ({"page_client_id": "nobody"}, "DYNAMICS_PAGE_CLIENT_ID"),
        ({"public_url": "https://other.example"}, "Register https://other.example"),
        ({"page_client_id": "workflow", "page_client_secret": "wrong"}, "DYNAMICS_PAGE_CLIENT_SECRET"),
        ({"page_client_id": "workflow", "page_client_secret": "secret of the service"}, "Register"),
    ):
        _, sign_in = await looked_at(replace(known, **changed))
        assert (sign_in.status, todo in sign_in.todo) == (Status.FAILED, True), sign_in
