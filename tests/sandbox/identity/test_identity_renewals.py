"""Tokens that follow a sign-in: renewed, for a device, on behalf of a person."""

from __future__ import annotations

import pytest

from crm_sandbox.identity import DEFAULT_CLIENT_ID, DEFAULT_PUBLIC_CLIENT_ID
from tests.sandbox.identity.identity_service import (
    ADA,
    BEN,
    form_of,
    refusal,
    signed_in,
)


def test_msal_refreshes_a_token_that_has_expired(service):
    app = service.confidential()
    first = signed_in(service, app)
    (account,) = app.get_accounts()
    service.clock.forward(minutes=61)
    second = app.acquire_token_silent_with_error([service.scope], account, force_refresh=True)
    assert second["access_token"] != first["access_token"]
    assert service.claims(second).object_id == ADA.object_id


def refresh(service, token, **form):
    public = {"client_id": DEFAULT_PUBLIC_CLIENT_ID, "client_secret": None}
    return service.ask_token(grant_type="refresh_token", refresh_token=token, **{**public, **form})


def test_a_refresh_token_renews_itself_and_stays_good(service):
    first = service.redeem(service.code()).json()["refresh_token"]
    second = refresh(service, first).json()["refresh_token"]
    assert first != second
    assert service.claims(refresh(service, second).json()).object_id == ADA.object_id
    assert refresh(service, first).status_code == 200


def test_a_refresh_token_gets_tokens_for_another_resource(service):
    token = service.redeem(service.code()).json()["refresh_token"]
    answer = refresh(service, token, scope=f"api://{DEFAULT_CLIENT_ID}/access_as_user").json()
    assert service.signer.read(answer["access_token"])["aud"] == DEFAULT_CLIENT_ID


def test_a_refresh_token_ends_after_ninety_idle_days(service):
    token = service.redeem(service.code()).json()["refresh_token"]
    service.clock.forward(days=90)
    assert refusal(refresh(service, token)) == (400, "invalid_grant", 700082)


@pytest.mark.parametrize(
    "form",
    [
        {"client_id": DEFAULT_CLIENT_ID, "client_secret": "sandbox-client-secret"},
        {"refresh_token": "unknown"},
    ],
)
def test_a_refresh_token_is_for_the_client_that_got_it(service, form):
    token = service.redeem(service.code()).json()["refresh_token"]
    sent = {"token": token, **form}
    sent["token"] = sent.pop("refresh_token", token)
    assert refusal(refresh(service, **sent)) == (400, "invalid_grant", 70000)


def test_msal_tells_that_a_refresh_token_has_ended(service):
    app = service.public()
    signed_in(service, app)
    (account,) = app.get_accounts()
    service.clock.forward(days=91)
    result = app.acquire_token_silent_with_error([service.scope], account, force_refresh=True)
    assert result["error"] == "invalid_grant"
    assert result["error_codes"] == [700082]


@pytest.mark.parametrize(
    ("name", "password", "expected"),
    [
        (ADA.user_principal_name, ADA.password, (400, "interaction_required", 50076)),
        (ADA.user_principal_name, "wrong", (400, "invalid_grant", 50126)),
        ("nobody@contoso.example", ADA.password, (400, "invalid_grant", 50126)),
        (None, ADA.password, (400, "invalid_request", 900144)),
    ],
)
def test_a_password_never_gets_a_token(service, name, password, expected):
    answer = service.ask_token(grant_type="password", username=name, password=password, scope=service.scope)
    assert refusal(answer) == expected


def test_msal_waits_for_a_device_code_to_be_approved(service):
    app = service.public()
    flow = app.initiate_device_flow([service.scope])
    assert flow["user_code"] in flow["message"]
    assert flow["expires_in"] == 900
    pending = app.acquire_token_by_device_flow(flow, exit_condition=lambda flow: True)
    assert pending["error"] == "authorization_pending"
    assert pending["error_codes"] == [70016]
    approve(service, flow, BEN)
    result = app.acquire_token_by_device_flow(flow, exit_condition=lambda flow: True)
    assert service.claims(result).object_id == BEN.object_id


def device_flow(service, **form):
    sent = {"client_id": DEFAULT_PUBLIC_CLIENT_ID, "scope": f"{service.scope} offline_access", **form}
    return service.session.post(f"{service.authority}/oauth2/v2.0/devicecode", data=sent)


def approve(service, flow, user, user_code=None):
    code = user_code or flow["user_code"].lower()
    page = service.session.get(flow["verification_uri"], params={"user_code": code})
    form = form_of(page)
    assert form.fields["user_code"] == code.upper()
    chosen = user.object_id if user else ""
    return service.session.post(page.url, data={**form.fields, "user": chosen})


def poll(service, flow, **form):
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    public = {"client_id": DEFAULT_PUBLIC_CLIENT_ID, "client_secret": None}
    sent = {**public, "device_code": flow["device_code"], **form}
    return service.ask_token(grant_type=grant, **sent)


def test_a_device_is_signed_in_once(service):
    flow = device_flow(service).json()
    assert approve(service, flow, ADA).status_code == 200
    assert "not known" in approve(service, flow, BEN).text
    assert service.claims(poll(service, flow).json()).object_id == ADA.object_id
    assert refusal(poll(service, flow)) == (400, "bad_verification_code", 70018)


def test_a_device_that_is_declined_is_told_so(service):
    flow = device_flow(service).json()
    assert "not signed in" in approve(service, flow, None).text
    assert refusal(poll(service, flow))[1] == "authorization_declined"


def test_a_device_code_ends_after_fifteen_minutes(service):
    flow = device_flow(service).json()
    service.clock.forward(minutes=15)
    assert "expired" in approve(service, flow, ADA).text
    assert refusal(poll(service, flow)) == (400, "expired_token", 70020)


def test_a_wrong_user_code_signs_no_device_in(service):
    flow = device_flow(service).json()
    answer = approve(service, flow, ADA, user_code="WRONG")
    assert (answer.status_code, "not known" in answer.text) == (400, True)
    assert refusal(poll(service, flow))[1] == "authorization_pending"


def test_an_unknown_person_signs_no_device_in(service):
    flow = device_flow(service).json()
    sent = {"user_code": flow["user_code"], "user": "somebody"}
    answer = service.session.post(flow["verification_uri"], data=sent)
    assert (answer.status_code, "AADSTS50034" in answer.text) == (400, True)
    assert refusal(poll(service, flow))[1] == "authorization_pending"


@pytest.mark.parametrize(
    ("form", "code"),
    [({"client_id": "x"}, 700016), ({"scope": ""}, 900144), ({"scope": "User.Read"}, 70011)],
)
def test_a_device_flow_needs_a_client_and_a_scope(service, form, code):
    assert refusal(device_flow(service, **form))[2] == code


def test_a_device_code_is_for_the_client_that_got_it(service):
    flow = device_flow(service).json()
    approve(service, flow, ADA)
    answer = poll(service, flow, client_id=DEFAULT_CLIENT_ID, client_secret="sandbox-client-secret")
    assert refusal(answer) == (400, "bad_verification_code", 70018)


def user_token_for_the_application(service):
    """The token with which somebody calls the confidential application itself."""
    scope = f"api://{DEFAULT_CLIENT_ID}/access_as_user"
    return service.redeem(service.code(scope=scope), scope=scope).json()["access_token"]


def on_behalf_of(service, assertion, **form):
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    sent = {"requested_token_use": "on_behalf_of", "scope": service.scope, "assertion": assertion, **form}
    return service.ask_token(grant_type=grant, **sent)


def test_msal_acts_on_behalf_of_a_user(service):
    assertion = user_token_for_the_application(service)
    result = service.confidential().acquire_token_on_behalf_of(assertion, [service.scope])
    claims = service.claims(result)
    assert claims.object_id == ADA.object_id
    assert (claims.application_id, claims.is_application) == (DEFAULT_CLIENT_ID, False)


def test_a_token_for_an_application_is_of_version_2(service):
    payload = service.signer.read(user_token_for_the_application(service))
    assert (payload["ver"], payload["azp"], payload["scp"]) == (
        "2.0",
        DEFAULT_PUBLIC_CLIENT_ID,
        "access_as_user",
    )
    assert payload["iss"] == f"{service.authority}/v2.0"


def test_a_token_for_somebody_else_is_no_assertion(service):
    other = service.redeem(service.code()).json()["access_token"]
    assert refusal(on_behalf_of(service, other)) == (400, "invalid_grant", 500131)


def test_a_token_of_an_application_is_no_assertion(service):
    scope = f"api://{DEFAULT_CLIENT_ID}/.default"
    own = service.ask_token(grant_type="client_credentials", scope=scope).json()["access_token"]
    assert refusal(on_behalf_of(service, own)) == (400, "invalid_grant", 7000114)


def test_an_expired_token_is_no_assertion(service):
    assertion = user_token_for_the_application(service)
    service.clock.forward(hours=1)
    assert refusal(on_behalf_of(service, assertion)) == (400, "invalid_grant", 500133)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"assertion": "nonsense"}, (400, "invalid_grant", 50013)),
        ({"assertion": None}, (400, "invalid_request", 900144)),
        ({"requested_token_use": None}, (400, "invalid_request", 900144)),
        ({"requested_token_use": "fun"}, (400, "invalid_request", 9002313)),
        ({"client_secret": None}, (401, "invalid_client", 7000218)),
    ],
)
def test_a_request_on_behalf_of_nobody_is_refused(service, form, expected):
    assert refusal(on_behalf_of(service, **{"assertion": "x", **form})) == expected
