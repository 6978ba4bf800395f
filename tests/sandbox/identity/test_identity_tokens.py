"""Tokens as an organisation checks them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from crm_sandbox.identity import (
    DEFAULT_TENANT_ID,
    IdentityApp,
    KeyRing,
    Signer,
    Tenant,
    Unauthorized,
    default_directory,
)
from crm_sandbox.identity.tokens import Audience, Client, ClientProof, Fault
from tests.sandbox.identity.identity_service import ADA

ROOT = "https://login.sandbox.example"
ORGANISATION = "https://org.sandbox.example"
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHALLENGE = (
    f"Bearer authorization_uri={ROOT}/{DEFAULT_TENANT_ID}/oauth2/authorize, resource_id={ORGANISATION}/"
)
KEYS = KeyRing()
DIRECTORY = default_directory([ADA])
CLIENT = Client(DIRECTORY.applications[0], ClientProof.SECRET)


def signer_at(moment=NOW, directory=DIRECTORY, root=ROOT, keys=KEYS):
    return Signer(directory, lambda: moment, root, keys)


def token_of(signer, audience=ORGANISATION):
    return signer.user_token(ADA, CLIENT, Audience(audience, "1.0"), ["user_impersonation"], HOUR)


TOKEN = token_of(signer_at())
# What a token says is not judged before its signature is.
NOT_OURS = {Fault.MALFORMED, Fault.UNKNOWN_SIGNER}


def fault_of(signer, authorization, audience=ORGANISATION):
    with pytest.raises(Unauthorized) as raised:
        signer.verify(authorization, audience)
    assert raised.value.challenge == CHALLENGE
    return raised.value.fault


def test_a_token_says_who_asks():
    claims = signer_at().verify(f"Bearer {TOKEN}", ORGANISATION)
    assert (claims.object_id, claims.name) == (ADA.object_id, ADA.name)
    assert claims.user_principal_name == ADA.user_principal_name
    assert claims.application_id == CLIENT.application.client_id
    assert not claims.is_application
    assert claims.expires_at == NOW + HOUR


@pytest.mark.parametrize("issued_for", [ORGANISATION, f"{ORGANISATION}/"])
@pytest.mark.parametrize("asked_by", [ORGANISATION, f"{ORGANISATION}/"])
def test_a_trailing_slash_makes_no_other_audience(issued_for, asked_by):
    token = token_of(signer_at(), issued_for)
    assert signer_at().verify(f"bearer {token}", asked_by).audience == issued_for


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic eDp5", TOKEN])
def test_a_request_without_a_bearer_token_is_told_where_to_get_one(authorization):
    assert fault_of(signer_at(), authorization) in (Fault.MISSING, Fault.MALFORMED)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b",
        "a.b.c.d",
        f"{TOKEN} ",
        f" {TOKEN}",
        f"{TOKEN}=",
        f"{TOKEN}\n",
        TOKEN + "A",
        "e30.e30.e30",
    ],
)
def test_a_malformed_token_is_refused(token):
    assert fault_of(signer_at(), f"Bearer {token}") in NOT_OURS


def test_a_token_counts_for_its_time_only():
    assert fault_of(signer_at(NOW + HOUR), f"Bearer {TOKEN}") is Fault.EXPIRED
    assert fault_of(signer_at(NOW - timedelta(seconds=1)), f"Bearer {TOKEN}") is Fault.NOT_YET_VALID
    last = NOW + HOUR - timedelta(microseconds=1)
    assert signer_at(last).verify(f"Bearer {TOKEN}", ORGANISATION)


@pytest.mark.parametrize("audience", ["https://other.example", f"{ORGANISATION}//", f"{ORGANISATION}/x"])
def test_a_token_for_another_organisation_is_refused(audience):
    token = token_of(signer_at(), audience)
    assert fault_of(signer_at(), f"Bearer {token}") is Fault.WRONG_AUDIENCE


def test_a_token_of_another_tenant_is_refused_though_it_shares_the_keys():
    tenant = Tenant("00000000-1111-4222-8333-444444444444")
    token = token_of(signer_at(directory=replace(DIRECTORY, tenant=tenant)))
    assert fault_of(signer_at(), f"Bearer {token}") is Fault.WRONG_ISSUER


def test_a_token_of_another_service_is_refused():
    token = token_of(signer_at(root="https://elsewhere.example"))
    assert fault_of(signer_at(), f"Bearer {token}") is Fault.WRONG_ISSUER


def test_a_token_signed_by_a_stranger_is_refused(stranger):
    payload = jwt.decode(TOKEN, options={"verify_signature": False})
    headers = jwt.get_unverified_header(TOKEN)
    forged = jwt.encode(payload, stranger, "RS256", headers=headers)
    assert fault_of(signer_at(), f"Bearer {forged}") is Fault.UNKNOWN_SIGNER
    named = jwt.encode(payload, stranger, "RS256", headers={"kid": "mine"})
    assert fault_of(signer_at(), f"Bearer {named}") is Fault.UNKNOWN_SIGNER


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_of_another_algorithm_is_refused(algorithm):
    header, payload, signature = TOKEN.split(".")
    changed = {**jwt.get_unverified_header(TOKEN), "alg": algorithm}
    header = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    assert fault_of(signer_at(), f"Bearer {header}.{payload}.{signature}") is Fault.UNKNOWN_SIGNER


def test_a_rolled_key_is_known_until_the_next_roll():
    signer = signer_at(keys=KeyRing())
    first = token_of(signer)
    signer.rotate()
    second = token_of(signer)
    kids = [jwt.get_unverified_header(token)["kid"] for token in (second, first)]
    assert [key["kid"] for key in signer.key_set()["keys"]] == kids
    assert signer.verify(f"Bearer {first}", ORGANISATION)
    signer.rotate()
    assert fault_of(signer, f"Bearer {first}") is Fault.UNKNOWN_SIGNER
    assert signer.verify(f"Bearer {second}", ORGANISATION)


def test_keys_are_published_before_the_first_token():
    assert len(signer_at(keys=KeyRing()).key_set()["keys"]) == 1


def test_secrets_and_passwords_are_not_printed():
    shown = repr(DIRECTORY)
    for secret in (ADA.password, CLIENT.application.secret, DIRECTORY.identity_header):
        assert secret not in shown


def test_an_application_serves_its_paths_before_it_answers():
    app = IdentityApp(DIRECTORY, signer_at(), lambda: NOW)
    assert app.serves(f"/{DEFAULT_TENANT_ID}/oauth2/v2.0/token")


characters = st.sampled_from("ABCXYZabcxyz0189-_.=+/ \n\x00\u00e9!")


@given(position=st.integers(0, len(TOKEN) - 1), new=characters)
@example(position=len(TOKEN) - 1, new="A")
def test_no_token_with_a_changed_character_counts(position, new):
    assume(new != TOKEN[position])
    mutated = TOKEN[:position] + new + TOKEN[position + 1 :]
    assert fault_of(signer_at(), f"Bearer {mutated}") in NOT_OURS


@given(last=st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
def test_no_other_spelling_of_a_signature_counts(last):
    assume(last != TOKEN[-1])
    assert fault_of(signer_at(), f"Bearer {TOKEN[:-1]}{last}") in NOT_OURS


@given(position=st.integers(0, len(TOKEN)), new=st.text(characters, min_size=1, max_size=3))
def test_no_token_with_something_put_in_counts(position, new):
    assert fault_of(signer_at(), f"Bearer {TOKEN[:position]}{new}{TOKEN[position:]}") in NOT_OURS


@given(start=st.integers(0, len(TOKEN) - 1), length=st.integers(1, 40))
def test_no_token_with_something_cut_out_counts(start, length):
    assert fault_of(signer_at(), f"Bearer {TOKEN[:start]}{TOKEN[start + length :]}") in NOT_OURS


@given(authorization=st.text(max_size=200))
def test_no_text_makes_the_check_fall_over(authorization):
    for sent in (authorization, f"Bearer {authorization}", f"Bearer {authorization}.{authorization}.AA"):
        assert fault_of(signer_at(), sent) in {Fault.MISSING, *NOT_OURS}
