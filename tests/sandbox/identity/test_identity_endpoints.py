"""Discovery, keys, failures on demand, and requests that no client of good will sends."""

from __future__ import annotations

import json

import anyio
import jwt
import pytest
import requests

from crm_sandbox.identity import (
    DEFAULT_CLIENT_ID,
    DEFAULT_TENANT_ID,
    consent_required,
    multifactor_required,
    service_unavailable,
    sign_in_too_old,
)
from tests.sandbox.identity.identity_service import refusal


def test_the_discovery_document_names_endpoints_that_are_served(service):
    document = service.session.get(f"{service.authority}/v2.0/.well-known/openid-configuration").json()
    assert document["issuer"] == f"{service.authority}/v2.0"
    named = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(named) == 5
    for address in named:
        assert service.app.serves(address.removeprefix(service.root))


def test_the_discovery_document_of_version_1_has_the_issuer_of_version_1(service):
    document = service.session.get(f"{service.authority}/.well-known/openid-configuration").json()
    assert document["issuer"] == f"{service.authority}/"


def test_the_discovery_document_of_all_tenants_leaves_the_tenant_open(service):
    address = f"{service.root}/organizations/v2.0/.well-known/openid-configuration"
    document = service.session.get(address).json()
    assert document["issuer"] == f"{service.root}/{{tenantid}}/v2.0"
    assert document["token_endpoint"] == f"{service.root}/organizations/oauth2/v2.0/token"


@pytest.mark.parametrize(
    "path", ["v2.0/.well-known/openid-configuration", ".well-known/openid-configuration"]
)
def test_an_unknown_tenant_has_no_discovery_document(service, path):
    answer = service.session.get(f"{service.root}/fabrikam.example/{path}")
    assert refusal(answer) == (400, "invalid_tenant", 90002)


def test_msal_finds_the_tenant_through_instance_discovery(service):
    app = service.confidential(instance_discovery=f"{service.root}/common/discovery/instance")
    result = app.acquire_token_for_client([service.scope])
    assert service.claims(result).application_id == DEFAULT_CLIENT_ID


@pytest.mark.parametrize(
    ("asked", "error", "code"),
    [
        (None, "invalid_request", 900144),
        ("https://evil.example/t/oauth2/v2.0/authorize", "invalid_instance", 50049),
        ("https://localhost/fabrikam/oauth2/v2.0/authorize", "invalid_tenant", 90002),
        ("https://[bad", "invalid_request", 50050),
    ],
)
def test_another_instance_is_not_known(service, asked, error, code):
    address = f"{service.root}/common/discovery/instance"
    answer = service.session.get(address, params={"authorization_endpoint": asked})
    assert refusal(answer) == (400, error, code)


def test_the_published_keys_check_the_tokens(service):
    token = service.ask_token(grant_type="client_credentials", scope=service.scope).json()["access_token"]
    published = service.session.get(f"{service.authority}/discovery/v2.0/keys").json()["keys"]
    (key,) = [key for key in published if key["kid"] == jwt.get_unverified_header(token)["kid"]]
    payload = jwt.decode(token, jwt.PyJWK(key), audience=service.root)
    assert payload["tid"] == DEFAULT_TENANT_ID
    assert "d" not in key


@pytest.mark.parametrize(
    ("failure", "expected", "suberror"),
    [
        (multifactor_required(), (400, "interaction_required", 50076), "basic_action"),
        (consent_required(DEFAULT_CLIENT_ID), (400, "invalid_grant", 65001), "consent_required"),
        (sign_in_too_old(), (400, "invalid_grant", 70043), "bad_token"),
    ],
)
def test_the_next_token_can_be_made_to_fail_once(service, failure, expected, suberror):
    service.app.fail_next(failure)
    form = {"grant_type": "client_credentials", "scope": service.scope}
    answer = service.ask_token(**form)
    assert refusal(answer) == expected
    assert answer.json()["suberror"] == suberror
    assert service.ask_token(**form).status_code == 200


def test_msal_gives_a_claims_challenge_back_as_it_is(service):
    service.app.fail_next(multifactor_required("c25"))
    result = service.confidential().acquire_token_for_client([service.scope])
    assert result["error"] == "interaction_required"
    challenge = json.loads(result["claims"])
    assert challenge == {"access_token": {"acrs": {"essential": True, "value": "c25"}}}
    again = service.confidential().acquire_token_for_client(
        [service.scope], claims_challenge=result["claims"]
    )
    assert "access_token" in again


def test_failures_are_answered_in_the_order_they_were_asked_for(service):
    service.app.fail_next(service_unavailable(retry_after=7))
    service.app.fail_next(sign_in_too_old())
    form = {"grant_type": "client_credentials", "scope": service.scope}
    first, second, third = (service.ask_token(**form) for _ in range(3))
    assert refusal(first) == (503, "temporarily_unavailable", 90033)
    assert first.headers["retry-after"] == "7"
    assert refusal(second)[2] == 70043
    assert third.status_code == 200


def test_an_error_carries_the_correlation_id_of_the_request(service):
    sent = "6b1f0c9e-52d7-4f30-8a6b-d21e7c04f5a9"
    answer = service.session.post(service.token_address, headers={"client-request-id": sent})
    assert answer.json()["correlation_id"] == sent
    assert answer.headers["x-ms-request-id"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_token_endpoint_takes_posts_only(service, method):
    answer = service.session.request(method, service.token_address)
    assert refusal(answer) == (400, "invalid_request", 900561)


def test_a_parameter_that_comes_twice_is_refused(service):
    answer = service.session.post(service.token_address, data=[("client_id", "a"), ("client_id", "b")])
    assert refusal(answer) == (400, "invalid_request", 9000411)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"client_id=\xff", 9002313),
        (b"&".join(b"a%d=1" % number for number in range(200)), 9002313),
        (b"a=" + b"x" * 100_000, 9002313),
        (b"", 900144),
    ],
)
def test_a_body_that_is_no_form_is_refused(service, body, code):
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer = service.session.post(service.token_address, data=body, headers=headers)
    assert refusal(answer) == (400, "invalid_request", code)


def test_json_is_no_form(service):
    answer = service.session.post(service.token_address, json={"client_id": DEFAULT_CLIENT_ID})
    assert refusal(answer) == (400, "invalid_request", 900144)


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Bearer x"])
def test_an_authorization_header_that_is_no_secret_is_not_read(service, header):
    answer = service.session.post(service.token_address, headers={"Authorization": header}, data={"a": "b"})
    assert refusal(answer) == (400, "invalid_request", 900144)


def test_nothing_with_a_token_in_it_is_kept_by_caches(service):
    answer = service.ask_token(grant_type="client_credentials", scope=service.scope)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/", "/api/data/v9.2/accounts", "/oauth2/v2.0/token", "/a/b/oauth2/v2.0/token", "/x/oauth2/token"],
)
def test_other_paths_are_not_served(service, path):
    assert not service.app.serves(path)
    assert service.session.get(service.root + path).status_code == 404


def test_the_certificate_is_trusted_through_its_authority_only(service):
    with requests.Session() as session, pytest.raises(requests.exceptions.SSLError):
        session.get(service.root, timeout=10)


def test_a_client_that_goes_away_is_answered_nothing(service):
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/{DEFAULT_TENANT_ID}/oauth2/v2.0/token",
        "query_string": b"",
        "headers": [],
    }
    assert talk(service.app, scope, {"type": "http.disconnect"}) == ["asked"]


def test_the_lifespan_protocol_needs_nothing(service):
    assert talk(service.app, {"type": "lifespan"}, {"type": "lifespan.startup"}) == []


def talk(app, scope, message):
    """What an application does with its server, which has the same message for it each time."""
    done = []

    async def receive():
        done.append("asked")
        return message

    async def send(message):
        done.append(message)

    anyio.run(app, scope, receive, send)
    return done
