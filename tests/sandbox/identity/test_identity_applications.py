"""Applications that sign in as themselves: by secret, by certificate, by a token from elsewhere."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crm_sandbox.identity import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_PUBLIC_CLIENT_ID,
    FederatedCredential,
)
from tests.sandbox.identity.identity_service import refusal, told_code

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ISSUER, SUBJECT = "https://kubernetes.example/", "system:serviceaccount:crm:server"


def test_a_secret_gets_a_token_that_the_organisation_takes(service):
    result = service.confidential().acquire_token_for_client([service.scope])
    claims = service.claims(result)
    assert claims.is_application
    assert claims.application_id == DEFAULT_CLIENT_ID
    assert claims.object_id == service.directory.applications[0].object_id
    assert claims.user_principal_name is None
    assert result["expires_in"] == 3600
    payload = service.signer.read(result["access_token"])
    assert (payload["ver"], payload["idtyp"], payload["appidacr"]) == ("1.0", "app", "1")
    assert "scp" not in payload


def test_roles_of_an_application_are_in_its_tokens(service):
    service.change(roles=("Crm.Read", "Crm.Write"))
    result = service.confidential().acquire_token_for_client([service.scope])
    assert service.claims(result).roles == ("Crm.Read", "Crm.Write")


@pytest.mark.parametrize("end", ["", "/"])
def test_the_audience_has_a_trailing_slash_if_the_scope_has_two(service, end):
    result = service.confidential().acquire_token_for_client([f"{service.root}{end}/.default"])
    assert service.claims(result).audience == service.root + end


def test_a_secret_in_the_authorization_header_counts(service):
    answer = service.session.post(
        service.token_address,
        data={"grant_type": "client_credentials", "scope": service.scope},
        auth=(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET),
    )
    assert service.claims(answer.json()).application_id == DEFAULT_CLIENT_ID


def test_a_wrong_secret_is_refused(service):
    result = service.confidential("wrong").acquire_token_for_client([service.scope])
    assert (result["error"], told_code(result)) == ("invalid_client", 7000215)


def test_an_unknown_application_is_refused(service):
    answer = service.ask_token(
        client_id="00000000-0000-4000-8000-000000000000",
        grant_type="client_credentials",
        scope=service.scope,
    )
    assert refusal(answer) == (400, "unauthorized_client", 700016)


def test_an_unknown_tenant_is_refused(service):
    address = service.token_address.replace(service.directory.tenant.id, "fabrikam.example")
    assert refusal(service.session.post(address)) == (400, "invalid_request", 90002)


@pytest.mark.parametrize(
    ("scope", "error", "code"),
    [
        (None, "invalid_request", 900144),
        ("https://other.example/.default", "invalid_resource", 500011),
        ("{root}/user_impersonation", "invalid_scope", 1002012),
        ("{root}/.default openid", "invalid_scope", 70011),
    ],
)
def test_a_scope_that_an_application_cannot_ask_for_is_refused(service, scope, error, code):
    asked = scope and scope.format(root=service.root)
    answer = service.ask_token(grant_type="client_credentials", scope=asked)
    assert refusal(answer) == (400, error, code)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_id": None}, (400, "invalid_request", 900144)),
        ({"client_secret": None}, (401, "invalid_client", 7000218)),
        ({"grant_type": None}, (400, "invalid_request", 900144)),
        ({"grant_type": "urn:none"}, (400, "unsupported_grant_type", 70003)),
        ({"client_id": DEFAULT_PUBLIC_CLIENT_ID}, (401, "invalid_client", 700025)),
        ({"client_secret": None, "client_assertion": "x"}, (400, "invalid_request", 900144)),
    ],
)
def test_a_form_that_lacks_something_is_refused(service, form, expected):
    complete = {"grant_type": "client_credentials", "scope": service.scope}
    assert refusal(service.ask_token(**{**complete, **form})) == expected


def test_an_application_needs_a_tenant_to_sign_in_to(service):
    address = service.token_address.replace(service.directory.tenant.id, "common")
    answer = service.session.post(address, data={"grant_type": "client_credentials"})
    assert refusal(answer) == (400, "invalid_request", 50059)


def test_a_certificate_with_a_sha1_thumbprint_signs_in(service, client_certificate):
    private, public, thumbprint = client_certificate
    service.change(certificates=(public,))
    app = service.confidential({"private_key": private, "thumbprint": thumbprint})
    result = app.acquire_token_for_client([service.scope])
    assert service.signer.read(result["access_token"])["appidacr"] == "2"


def test_a_certificate_with_a_sha256_thumbprint_signs_in(service, client_certificate):
    private, public, _ = client_certificate
    service.change(certificates=(public,))
    app = service.confidential({"private_key": private, "public_certificate": public})
    assert service.claims(app.acquire_token_for_client([service.scope])).is_application


def test_a_certificate_that_is_not_registered_is_refused(service, client_certificate):
    private, public, _ = client_certificate
    app = service.confidential({"private_key": private, "public_certificate": public})
    result = app.acquire_token_for_client([service.scope])
    assert (result["error"], told_code(result)) == ("invalid_client", 700027)


def asserted(service, assertion, **form):
    return service.ask_token(
        grant_type="client_credentials",
        scope=service.scope,
        client_secret=None,
        client_assertion_type=ASSERTION_TYPE,
        client_assertion=assertion,
        **form,
    )


def own_assertion(service, certificate, algorithm="PS256", key=None, **claims):
    private, public, _ = certificate
    service.change(certificates=(public,))
    now = int(time.time())
    payload = {
        "aud": service.token_address,
        "iss": DEFAULT_CLIENT_ID,
        "sub": DEFAULT_CLIENT_ID,
        "nbf": now - 60,
        "exp": now + 600,
        **claims,
    }
    headers = {"x5t#S256": thumbprint_sha256(public)}
    return jwt.encode(payload, key or private, algorithm, headers=headers)


def thumbprint_sha256(public):
    certificate = x509.load_pem_x509_certificate(public.encode())
    return urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).decode()


def test_an_assertion_that_a_client_made_itself_counts(service, client_certificate):
    assert asserted(service, own_assertion(service, client_certificate)).status_code == 200


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "https://elsewhere.example/token"}, 700023),
        ({"aud": ["a", {}]}, 700023),
        ({"iss": DEFAULT_PUBLIC_CLIENT_ID}, 700021),
        ({"sub": DEFAULT_PUBLIC_CLIENT_ID}, 700021),
        ({"exp": 1}, 700024),
        ({"nbf": 4_000_000_000}, 700024),
        ({"exp": "soon"}, 50027),
    ],
)
def test_an_assertion_with_a_wrong_claim_is_refused(service, client_certificate, claims, code):
    answer = asserted(service, own_assertion(service, client_certificate, **claims))
    assert refusal(answer) == (401, "invalid_client", code)


def test_an_assertion_of_another_signer_is_refused(service, client_certificate, stranger):
    answer = asserted(service, own_assertion(service, client_certificate, key=stranger))
    assert refusal(answer) == (401, "invalid_client", 700027)


@pytest.mark.parametrize("algorithm", ["HS256", "RS384"])
def test_an_assertion_of_another_algorithm_is_refused(service, client_certificate, algorithm):
    key = "k" * 32 if algorithm == "HS256" else None
    answer = asserted(service, own_assertion(service, client_certificate, algorithm, key))
    assert refusal(answer) == (401, "invalid_client", 50027)


@pytest.mark.parametrize("assertion", ["x", "a.b.c", "e30.e30.e30", "e30.W10.e30", "."])
def test_an_assertion_that_is_no_token_is_refused(service, assertion):
    assert refusal(asserted(service, assertion))[:2] == (401, "invalid_client")


def federated(service, certificate, key=None, **claims):
    private, public, _ = certificate
    service.change(
        federated_credentials=(FederatedCredential(ISSUER, SUBJECT, public_key_of(public)),), secret=None
    )
    payload = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": "api://AzureADTokenExchange",
        "exp": int(time.time()) + 600,
        **claims,
    }
    return jwt.encode(payload, key or private, "RS256", headers={"kid": "cluster"})


def public_key_of(certificate):
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_token_of_a_trusted_issuer_stands_for_a_secret(service, client_certificate):
    token = federated(service, client_certificate)
    app = service.confidential({"client_assertion": lambda: token})
    assert service.claims(app.acquire_token_for_client([service.scope])).is_application


def test_an_audience_in_a_list_counts(service, client_certificate):
    token = federated(service, client_certificate, aud=["api://AzureADTokenExchange"])
    assert asserted(service, token).status_code == 200


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://other.example/"}, 700211),
        ({"sub": "system:serviceaccount:other:server"}, 700213),
        ({"aud": "api://other"}, 700212),
        ({"exp": 1}, 700024),
    ],
)
def test_a_federated_token_with_a_wrong_claim_is_refused(service, client_certificate, claims, code):
    answer = asserted(service, federated(service, client_certificate, **claims))
    assert refusal(answer) == (401, "invalid_client", code)


def test_a_federated_token_of_another_signer_is_refused(service, client_certificate, stranger):
    token = federated(service, client_certificate, key=stranger)
    assert refusal(asserted(service, token)) == (401, "invalid_client", 700027)
