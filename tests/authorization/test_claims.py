"""Tokens that an issuer has signed and that say something odd: what is not understood is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.authorization.issuer import ANN, TENANT, claims, put_together, signed
from tests.authorization.test_tokens import ENTRA, SERVICE, Desk

pytestmark = pytest.mark.anyio
HEADER = {"alg": "RS256", "kid": "first", "typ": "JWT"}
NOBODY = {"oid": None, "tid": None}
"""Changes that leave the subject to name the caller."""


def saying(text: str) -> str:
    """A good token with one more claim, written as it is."""
    return put_together(HEADER, json.dumps(claims(ENTRA))[:-1].encode() + b", " + text.encode() + b"}")


OF_ANOTHER_KIND: dict[str, Any] = {
    "exp": ["4000000000", True, 4_000_000_000_000, -1],
    "nbf": ["0", False],
    "iat": ["0", True],
    "scp": [5, True, {"crm.read": 1}, ["crm.read", 5], ["crm.read", ["crm.write"]]],
    "roles": [5, {"Salesperson": 1}, [["Salesperson"]], "Not Salesperson"],
    "groups": [5, {"a": "b"}, [5], "one two"],
    "oid": [5, [ANN], {"id": ANN}],
    "tid": [5, [TENANT]],
    "azp": [5, ["the-client"], {"id": "the-client"}],
    "idtyp": [5, ["app"]],
}
CASES = [(name, value) for name, values in OF_ANOTHER_KIND.items() for value in values]


@pytest.mark.parametrize(("name", "value"), CASES, ids=lambda one: str(one)[:24])
async def test_a_claim_of_another_kind_is_not_guessed_at(name: str, value: Any) -> None:
    token = put_together(HEADER, {**claims(ENTRA), name: value})
    reason = await Desk().why_refused(token)
    assert f"claim {name} of another kind" in reason or reason == "expired"


@pytest.mark.parametrize(
    "text",
    [
        '"exp": NaN',
        '"exp": Infinity',
        '"exp": 1e400',
        f'"exp": {"9" * 4000}',
        f'"exp": {"9" * 5000}',
        '"exp": []',
        f'"deep": {"[" * 3000}{"]" * 3000}',
        '"iss": ["https://login.microsoftonline.com"]',
        '"iss": 5',
        '"iss": "https://evil.example"',
        '"aud": {"api://crm-mcp": 1}',
        '"aud": ["api://crm-mcp", 5]',
        '"aud": [["api://crm-mcp"]]',
        '"sub": 5',
        '"sub": []',
        '"jti": 5',
    ],
    ids=lambda text: text[:24],
)
async def test_what_stands_twice_or_is_no_value_is_refused(text: str) -> None:
    assert await Desk().why_refused(saying(text))


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": ["RS256"]},
        {"alg": {"RS256": 1}},
        {"alg": None},
        {"alg": "rs256"},
        {"kid": 5},
        {"kid": ["first"]},
        {"kid": "\ud800"},
        {"kid": "first\0"},
        {"kid": "' or '1'='1"},
        {"typ": "logout+jwt"},
        {"typ": "secevent+jwt"},
        {"typ": 5},
        {"crit": []},
        {"crit": "exp"},
        {"crit": ["b64"], "b64": False},
        {"cty": "JWT", "zip": "DEF", "crit": ["zip"]},
    ],
    ids=str,
)
async def test_a_head_of_another_kind_is_refused(changes: dict[str, Any]) -> None:
    assert await Desk().why_refused(put_together({**HEADER, **changes}, claims(ENTRA)))


@pytest.mark.parametrize("parts", [([], {}), (HEADER, []), (HEADER, "text"), (b"{", {}), (HEADER, b"\xff")])
async def test_parts_that_are_no_objects_are_no_token(parts: tuple[Any, Any]) -> None:
    assert await Desk().why_refused(put_together(*parts)) == "no signed JWT"


async def test_a_token_in_a_token_and_an_encrypted_one_are_none() -> None:
    inner = put_together({**HEADER, "cty": "JWT"}, signed(ENTRA).encode())
    assert await Desk().why_refused(inner) == "no signed JWT"
    assert await Desk().why_refused(signed(ENTRA) + ".aaaa.aaaa") == "no signed JWT"


@pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "JWT", "jwt"])
async def test_types_of_access_tokens_are_taken(kind: str) -> None:
    assert await Desk().caller(put_together({**HEADER, "typ": kind}, claims(ENTRA)))


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "PS384"])
async def test_a_key_that_is_for_no_algorithm_of_its_own_signs_by_each_of_its_kind(algorithm: str) -> None:
    token = put_together({**HEADER, "alg": algorithm}, claims(ENTRA), algorithm=algorithm)
    assert await Desk().caller(token)


@pytest.mark.parametrize("bound", [{"jkt": "thumbprint"}, {"x5t#S256": "thumbprint"}, {}])
async def test_a_token_that_is_bound_to_a_key_is_no_bearers(bound: dict[str, str]) -> None:
    assert "bound to a key" in await Desk().why_refused(signed(ENTRA, cnf=bound))


@pytest.mark.parametrize(
    "subject",
    ["", "  ", " ann", "ann ", "a\nb", "a\x1b[31mb", "a\0b", "a\u202eb", "a\u200bb", "a\u2028b", "a\ud800"],
    ids=ascii,
)
async def test_a_name_that_hides_something_is_none(subject: str) -> None:
    assert "with a name" in await Desk().why_refused(signed(ENTRA, sub=subject, **NOBODY))
    if subject.strip():
        assert "with a name" in await Desk().why_refused(signed(ENTRA, oid=subject))


async def test_a_name_that_is_longer_than_names_are_is_none() -> None:
    assert "with a name" in await Desk().why_refused(signed(ENTRA, sub="a" * 300, **NOBODY))


@pytest.mark.parametrize("name", ["service:workflow", "SERVICE:workflow", "ann\u202e@x", "a" * 300])
async def test_nobody_chooses_the_name_of_a_service_or_one_that_hides_something(name: str) -> None:
    desk = Desk(name_claim="preferred_username", services={"workflow": "Integration"})
    assert "with a name" in await desk.why_refused(signed(ENTRA, preferred_username=name))
    assert "with a name" in await Desk().why_refused(signed(ENTRA, sub=f"service:{name}", **NOBODY))


async def test_letters_of_all_the_world_are_a_name() -> None:
    caller = await Desk().caller(signed(ENTRA, sub="Jürgen 久美子", **NOBODY))
    assert caller.name == "Jürgen 久美子@login.microsoftonline.com"


@pytest.mark.parametrize(
    "overage", [{"_claim_names": {"groups": "src1"}, "_claim_sources": {}}, {"hasgroups": True}]
)
async def test_somebody_whose_groups_are_left_out_is_not_taken_for_one_without(overage: Any) -> None:
    assert "more groups" in await Desk().why_refused(signed(ENTRA, **overage))


async def test_a_role_is_one_name_and_not_its_words() -> None:
    caller = await Desk().caller(signed(ENTRA, roles=["Sales Manager", "Buyer"], groups="g-1"))
    assert caller.roles == {"Sales Manager", "Buyer", "g-1"}


SERVICES: dict[str, dict[str, Any]] = {
    "Entra ID": {"idtyp": "app", "azp": SERVICE, "sub": "x", "scp": None},
    "Entra ID without idtyp": {"azp": SERVICE, "sub": ANN, "scp": None},
    "Entra ID of old": {"appid": SERVICE, "azp": None, "sub": ANN, "scp": None},
    "RFC 9068": {
        "client_id": SERVICE,
        "azp": None,
        "sub": SERVICE,
        "scp": None,
        "scope": "crm.read",
        **NOBODY,
    },
    "Okta": {"cid": SERVICE, "azp": None, "sub": SERVICE, "scp": ["crm.read"], **NOBODY},
    "Auth0": {"azp": SERVICE, "sub": f"{SERVICE}@clients", "gty": "client-credentials", **NOBODY},
    "Auth0 by RFC 9068": {"client_id": SERVICE, "azp": None, "sub": f"{SERVICE}@clients", **NOBODY},
    "Keycloak": {
        "azp": SERVICE,
        "client_id": SERVICE,
        "sub": "an-account",
        "preferred_username": "service-account-workflow",
        **NOBODY,
    },
}


@pytest.mark.parametrize("issuer", SERVICES)
async def test_an_application_that_calls_for_itself_never_passes_for_a_person(issuer: str) -> None:
    token = signed(ENTRA, **SERVICES[issuer])
    assert "not among the services" in await Desk().why_refused(token)
    caller = await Desk(services={SERVICE: "Integration"}).caller(token)
    assert (caller.name, caller.roles, caller.token) == (f"service:{SERVICE}", {"Integration"}, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"idtyp": "app", "azp": None},
        {"idtyp": "app", "azp": ""},
        {"idtyp": "device"},
        {"idtyp": ""},
        {"preferred_username": "service-account-workflow", "azp": SERVICE},
    ],
    ids=str,
)
async def test_what_is_neither_clearly_a_person_nor_a_known_service_is_refused(changes: Any) -> None:
    assert await Desk(services={SERVICE: "Integration"}).why_refused(signed(ENTRA, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"azp": SERVICE},
        {"azp": SERVICE, "idtyp": "user", "sub": ANN},
        {"azp": SERVICE, "acct": 1, "idp": "https://sts.windows.net/another/", "sub": "guest"},
    ],
    ids=["through a service", "said to be a user", "guest"],
)
async def test_a_person_never_passes_for_a_service(changes: Any) -> None:
    caller = await Desk(services={SERVICE: "Integration"}).caller(signed(ENTRA, **changes))
    assert (caller.name, caller.roles) == (f"{ANN}@{TENANT}", frozenset())
