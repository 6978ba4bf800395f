"""People who sign in on the page: codes, their redemption, and the tokens that follow."""

from __future__ import annotations

import base64
import hashlib
import threading
from urllib.parse import parse_qsl

import pytest
import requests

from crm_sandbox.identity import DEFAULT_CLIENT_ID, DEFAULT_PUBLIC_CLIENT_ID, DEFAULT_TENANT_ID
from tests.sandbox.identity.identity_service import (
    ADA,
    BEN,
    REDIRECT_URI,
    form_of,
    new_session,
    redirected,
    refusal,
    signed_in,
)

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@pytest.mark.parametrize("kind", ["confidential", "public"])
def test_somebody_who_signs_in_gets_a_token_that_the_organisation_takes(service, kind):
    result = signed_in(service, getattr(service, kind)(), BEN)
    claims = service.claims(result)
    assert not claims.is_application
    assert (claims.object_id, claims.name) == (BEN.object_id, BEN.name)
    assert claims.user_principal_name == BEN.user_principal_name
    assert claims.scopes == ("user_impersonation",)
    assert claims.tenant_id == DEFAULT_TENANT_ID
    payload = service.signer.read(result["access_token"])
    assert payload["appidacr"] == ("1" if kind == "confidential" else "0")


def test_msal_knows_the_account_that_signed_in(service):
    app = service.public()
    result = signed_in(service, app)
    assert result["id_token_claims"]["oid"] == ADA.object_id
    assert result["id_token_claims"]["aud"] == DEFAULT_PUBLIC_CLIENT_ID
    (account,) = app.get_accounts()
    assert account["username"] == ADA.user_principal_name
    assert account["home_account_id"] == f"{ADA.object_id}.{DEFAULT_TENANT_ID}"
    cached = app.acquire_token_silent([service.scope], account)
    assert cached["access_token"] == result["access_token"]


def test_an_id_token_does_not_open_the_organisation(service):
    result = signed_in(service, service.public())
    answer = {"access_token": result["id_token"]}
    with pytest.raises(Exception, match="another audience"):
        service.claims(answer)


def test_msal_signs_in_through_a_browser(service, identity_host, monkeypatch):
    def browse(address):
        def somebody():
            with new_session(identity_host.ca_file) as session:
                page = session.get(address)
                chosen = {**form_of(page).fields, "user": ADA.object_id}
                answer = form_of(session.post(page.url, data=chosen))
            requests.post(answer.action, data=answer.fields, timeout=10)

        person = threading.Thread(target=somebody)
        people.append(person)
        person.start()
        return True

    people = []
    monkeypatch.setattr("webbrowser.open", browse)
    result = service.public().acquire_token_interactive([service.scope], timeout=10)
    for person in people:
        person.join(timeout=10)
    assert service.claims(result).object_id == ADA.object_id


def test_the_page_lists_everybody_and_escapes_their_names(service):
    page = service.authorize()
    assert form_of(page).choices == [ADA.object_id, BEN.object_id, ""]
    assert "Ada &lt;Admin&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_login_hint_puts_that_user_first(service):
    page = service.authorize(login_hint="BEN@contoso.example")
    assert form_of(page).choices[0] == BEN.object_id


def test_a_choice_redirects_with_code_and_state(service):
    answer = redirected(service.choose(service.authorize(), ADA))
    assert set(answer) == {"code", "state"}
    assert answer["state"] == "s 1"


def test_a_redirect_uri_may_have_a_query(service):
    page = service.authorize(redirect_uri=f"{REDIRECT_URI}?from=crm")
    assert set(redirected(service.choose(page, ADA))) == {"from", "code", "state"}


def test_an_answer_can_be_in_the_fragment(service):
    answer = service.choose(service.authorize(response_mode="fragment"), ADA)
    address, _, fragment = answer.headers["location"].partition("#")
    assert address == REDIRECT_URI
    assert {"code", "state"} == set(dict(parse_qsl(fragment)))


def test_somebody_who_cancels_is_told_to_the_client(service):
    answer = redirected(service.choose(service.authorize(), None))
    assert answer["error"] == "access_denied"
    assert answer["error_description"].startswith("AADSTS65004")


def test_a_choice_of_nobody_known_is_told_to_the_client(service):
    page = service.authorize()
    form = {**form_of(page).fields, "user": "somebody"}
    answer = service.session.post(page.url, data=form, allow_redirects=False)
    assert redirected(answer)["error_description"].startswith("AADSTS50034")


@pytest.mark.parametrize(
    ("query", "error", "code"),
    [
        ({"response_type": None}, "invalid_request", 900144),
        ({"response_type": "token"}, "unsupported_response_type", 70005),
        ({"response_mode": "carrier_pigeon"}, "invalid_request", 70007),
        ({"scope": None}, "invalid_request", 900144),
        ({"scope": "User.Read"}, "invalid_scope", 70011),
        ({"scope": "profile offline_access"}, "invalid_scope", 700023),
        ({"scope": "https://other.example/.default"}, "invalid_resource", 500011),
        ({"scope": "{root}/.default https://other.example/.default"}, "invalid_scope", 700022),
        ({"scope": "{root}/Everything.Do"}, "invalid_scope", 650053),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request", 50149),
        ({"code_challenge": CHALLENGE}, "invalid_request", 50149),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request", 501491),
        ({"code_challenge_method": "S256"}, "invalid_request", 501491),
        ({"prompt": "none"}, "login_required", 50058),
    ],
)
def test_a_request_that_cannot_be_met_is_told_to_the_client(service, query, error, code):
    asked = {name: value and value.format(root=service.root) for name, value in query.items()}
    answer = redirected(service.authorize(**asked))
    assert answer["error"] == error
    assert answer["error_description"].startswith(f"AADSTS{code}: ")
    assert answer["state"] == "s 1"


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/back",
        "http://localhost.evil.example/",
        "http://localhost@evil.example/",
        "http://localhost:80@evil.example/",
        "http://evil.example\\@localhost/",
        "http://localhost\\@evil.example/",
        "http://localhost:port/",
        "http://localhost/ path",
        "http://localhost/\r\nSet-Cookie: a=b",
        "http://localhost/#fragment",
        "http://localhost/\u00e9",
        "javascript:alert(1)//localhost",
        "//localhost/",
        "localhost",
        "http://127.0.0.2/",
    ],
)
def test_nobody_is_sent_anywhere_but_to_this_machine(service, redirect_uri):
    answer = service.authorize(redirect_uri=redirect_uri)
    assert answer.status_code == 400
    assert "AADSTS50011" in answer.text
    assert "location" not in answer.headers


@pytest.mark.parametrize("root", ["http://localhost", "http://127.0.0.1:8400/", "http://[::1]:1/a?b=c@d"])
def test_every_loopback_address_is_a_redirect_uri(service, root):
    assert form_of(service.authorize(redirect_uri=root)).choices


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"redirect_uri": None}, 900971),
        ({"client_id": None}, 900144),
        ({"client_id": "<b>nobody</b>"}, 700016),
    ],
)
def test_a_request_that_names_no_client_is_shown_to_the_person(service, query, code):
    answer = service.authorize(**query)
    assert answer.status_code == 400
    assert f"AADSTS{code}" in answer.text
    assert "<b>" not in answer.text


def test_a_session_signs_in_silently_until_it_is_logged_out(service):
    service.code(ADA)
    answer = redirected(service.authorize(prompt="none", login_hint="ADA@contoso.example"))
    tokens = service.redeem(answer["code"]).json()
    assert service.claims(tokens).object_id == ADA.object_id
    other = redirected(service.authorize(prompt="none", login_hint=BEN.user_principal_name))
    assert other["error"] == "login_required"
    out = service.session.get(
        f"{service.authority}/oauth2/v2.0/logout",
        params={"post_logout_redirect_uri": REDIRECT_URI, "state": "bye"},
        allow_redirects=False,
    )
    assert redirected(out) == {"state": "bye"}
    assert redirected(service.authorize(prompt="none"))["error"] == "login_required"


def test_a_logout_leads_nowhere_but_to_this_machine(service):
    address = f"{service.authority}/oauth2/v2.0/logout"
    answer = service.session.get(address, params={"post_logout_redirect_uri": "https://evil.example"})
    assert answer.status_code == 200
    assert "signed out" in answer.text


def test_a_code_counts_once(service):
    code = service.code()
    assert service.redeem(code).status_code == 200
    assert refusal(service.redeem(code)) == (400, "invalid_grant", 54005)


def test_a_code_ends_after_ten_minutes(service):
    code = service.code()
    service.clock.forward(minutes=10)
    assert refusal(service.redeem(code)) == (400, "invalid_grant", 70008)


def test_a_refused_redemption_does_not_use_the_code_up(service):
    code = service.code()
    assert service.redeem(code, redirect_uri="http://localhost/other").status_code == 400
    assert service.redeem(code).status_code == 200


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"redirect_uri": "http://localhost/other"}, 500112),
        ({"redirect_uri": None}, 500112),
        ({"client_id": DEFAULT_CLIENT_ID, "client_secret": "sandbox-client-secret"}, 70000),
        ({"code": "unknown"}, 70000),
        ({"code_verifier": None}, 50148),
        ({"code_verifier": "w" * 43}, 501481),
    ],
)
def test_a_code_is_redeemed_by_whom_it_was_given_to(service, form, code):
    sent = {"code": service.code(**PKCE), "code_verifier": VERIFIER, **form}
    assert refusal(service.redeem(**sent)) == (400, "invalid_grant", code)


def test_a_code_with_its_verifier_is_redeemed(service):
    assert service.redeem(service.code(**PKCE), code_verifier=VERIFIER).status_code == 200


def test_a_code_without_a_scope_is_redeemed_for_the_scope_of_the_sign_in(service):
    answer = service.redeem(service.code(), scope=None).json()
    assert service.claims(answer).scopes == ("user_impersonation",)


def test_a_confidential_application_redeems_a_code_with_its_secret_only(service):
    code = service.code(client_id=DEFAULT_CLIENT_ID)
    answer = service.redeem(code, client_id=DEFAULT_CLIENT_ID)
    assert refusal(answer) == (401, "invalid_client", 7000218)


def test_tokens_of_other_kinds_come_only_if_they_are_asked_for(service):
    answer = service.redeem(service.code(), scope=service.scope).json()
    assert {"id_token", "refresh_token", "client_info"}.isdisjoint(answer)


def test_who_only_signs_in_gets_an_id_token_and_nothing_for_the_organisation(service):
    answer = service.redeem(service.code(scope="openid profile"), scope=None).json()
    assert service.signer.read(answer["id_token"])["oid"] == ADA.object_id
    assert answer["scope"] == "openid profile"
    with pytest.raises(Exception, match="another audience"):
        service.claims(answer)


def test_the_nonce_of_the_request_is_in_the_id_token(service):
    answer = service.redeem(service.code(nonce="n-1")).json()
    assert service.signer.read(answer["id_token"])["nonce"] == "n-1"
