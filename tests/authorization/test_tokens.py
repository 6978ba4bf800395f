"""Which tokens are callers' and which are refused, also while the issuer's keys change or are away."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives import serialization

from crm_server.authorization.keys import AGAIN_SECONDS, FRESH_SECONDS, KEPT_SECONDS, SigningKeys
from crm_server.authorization.rules import TENANT as EACH_TENANT
from crm_server.authorization.rules import Issuer, Rules
from crm_server.authorization.tokens import JwtTokens, NotReadyError, TokenRefusedError
from crm_server.sign_in.callers import Caller
from tests.authorization.issuer import ANN, AUDIENCE, TENANT, claims, public, rsa_key, signed

pytestmark = pytest.mark.anyio
ENTRA = f"https://login.microsoftonline.com/{TENANT}/v2.0"
OLD_ENTRA = f"https://sts.windows.net/{TENANT}/"
OTHER_TENANT = "99999999-2222-4333-8444-555555555555"
SERVICE = "5e5e5e5e-0000-4000-8000-000000000001"


class Desk:
    """Tokens checked by the keys of an issuer that can be changed, silenced and counted."""

    def __init__(self, **rules: Any) -> None:
        self.now = 1000.0
        self.published = ["first", "curve"]
        self.is_down = False
        self.fetched = 0
        issuer = rules.pop("issuer", Issuer(ENTRA))
        audiences = rules.pop("audiences", (AUDIENCE,))
        self.rules = Rules(issuer, audiences, **rules)
        self.keys = SigningKeys(issuer, self._fetch, lambda: self.now)
        self.tokens = JwtTokens(self.rules, self.keys)

    async def _fetch(self, address: str) -> bytes:
        await anyio.lowlevel.checkpoint()
        if self.is_down:
            raise OSError("away")
        if address.endswith("openid-configuration"):
            said = {"issuer": self.rules.issuer.address, "jwks_uri": "https://login.example/keys"}
            return json.dumps(said).encode()
        self.fetched += 1
        return json.dumps({"keys": [public(name) for name in self.published]}).encode()

    async def caller(self, token: str) -> Caller:
        return await self.tokens.caller_of(token)

    async def why_refused(self, token: str) -> str:
        with pytest.raises(TokenRefusedError) as caught:
            await self.caller(token)
        return str(caught.value)


async def test_a_good_token_tells_who_calls_in_which_roles_and_for_what() -> None:
    caller = await Desk().caller(signed(ENTRA, roles=["Salesperson"], groups=["g-1"]))

    assert caller.name == f"{ANN}@{TENANT}"
    assert caller.roles == {"Salesperson", "g-1"}
    assert caller.scopes == {"crm.read", "crm.write"}
    assert caller.client == "the-client"
    assert caller.token is not None


@pytest.mark.parametrize("key", ["first", "curve"])
async def test_keys_of_both_kinds_sign(key: str) -> None:
    assert (await Desk().caller(signed(ENTRA, key=key))).name.startswith(ANN)


async def test_tokens_of_both_versions_of_entra_are_taken() -> None:
    assert await Desk().caller(signed(OLD_ENTRA, appid="the-client", azp=None))


async def test_the_audience_may_be_the_uri_or_the_id_of_the_application() -> None:
    desk = Desk(audiences=(AUDIENCE, "the-id"))
    assert await desk.caller(signed(ENTRA, aud="the-id"))
    assert await desk.caller(signed(ENTRA, aud=["elsewhere", AUDIENCE]))


async def test_another_issuers_callers_are_named_by_subject_and_scopes_stand_in_scope() -> None:
    desk = Desk(issuer=Issuer("https://id.example"))
    caller = await desk.caller(
        signed("https://id.example", oid=None, tid=None, scp=None, scope="openid crm.read")
    )
    assert caller.name == "ann-of-this-application@id.example"
    assert caller.scopes == {"crm.read"}


async def test_a_claim_of_choice_names_callers_and_its_absence_is_no_name() -> None:
    desk = Desk(name_claim="preferred_username")
    assert (
        await desk.caller(signed(ENTRA, preferred_username="Ann@Fabrikam.example"))
    ).name == "ann@fabrikam.example"
    assert "names callers" in await desk.why_refused(signed(ENTRA))


async def test_two_people_who_share_a_chosen_name_are_two_when_somebody_acts_for_them() -> None:
    desk = Desk(name_claim="preferred_username")
    one = await desk.caller(signed(ENTRA, preferred_username="ann"))
    other = await desk.caller(signed(ENTRA, preferred_username="Ann", oid=SERVICE))
    assert one.name == other.name
    assert one.subject != other.subject


async def test_a_service_has_the_role_of_the_settings_and_nobody_to_act_for() -> None:
    desk = Desk(services={SERVICE: "Integration"})
    own = {"scp": None, "idtyp": "app", "azp": SERVICE, "roles": ["crm.read", "Global Administrator"]}
    caller = await desk.caller(signed(ENTRA, **own))
    assert (caller.name, caller.roles) == (f"service:{SERVICE}", {"Integration"})
    assert (caller.scopes, caller.token) == ({"crm.read"}, None)
    assert "services" in await desk.why_refused(signed(ENTRA, **{**own, "azp": "another"}))


async def test_many_tenants_are_let_in_by_name_only() -> None:
    desk = Desk(issuer=Issuer(f"https://login.microsoftonline.com/{EACH_TENANT}/v2.0", frozenset({TENANT})))
    assert await desk.caller(signed(ENTRA))
    other = f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"
    assert "tenant" in await desk.why_refused(signed(other, tid=OTHER_TENANT))
    assert "another issuer" in await desk.why_refused(signed(other, tid=TENANT))
    assert "tenant" in await desk.why_refused(signed(ENTRA, tid=None))


def unsigned(algorithm: str = "none", **changes: Any) -> str:
    parts = [{"alg": algorithm, "typ": "JWT", "kid": "first"}, claims(ENTRA, **changes)]
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + "."
    )


def with_confused_key() -> str:
    """Signed with the public key as if it were a shared secret."""
    encoding, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    secret = rsa_key("first").public_key().public_bytes(encoding, kind)
    signed_part = unsigned("HS256").removesuffix(".")
    digest = hmac.new(secret, signed_part.encode(), hashlib.sha256).digest()
    return f"{signed_part}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def tampered() -> str:
    head, body, signature = signed(ENTRA).split(".")
    changed = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed["oid"] = "bbbbbbbb-0000-4000-8000-000000000002"
    body = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


BAD: dict[str, tuple[Any, str]] = {
    "expired": (lambda: signed(ENTRA, exp=1_700_000_000), "expired"),
    "without an end": (lambda: signed(ENTRA, exp=None), "claim"),
    "not valid yet": (lambda: signed(ENTRA, nbf=4_000_000_000, exp=4_000_000_600), "not valid yet"),
    "of another audience": (lambda: signed(ENTRA, aud="https://graph.microsoft.com"), "audience"),
    "without an audience": (lambda: signed(ENTRA, aud=None), "claim"),
    "of another issuer": (lambda: signed("https://evil.example"), "issuer"),
    "of another tenant": (
        lambda: signed(f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0", tid=OTHER_TENANT),
        "issuer",
    ),
    "without an issuer": (lambda: signed(ENTRA, iss=None), "claim"),
    "without a subject": (lambda: signed(ENTRA, sub=None), "claim"),
    "without a signature": (unsigned, "algorithm"),
    "with a signature left out": (lambda: signed(ENTRA).rpartition(".")[0] + ".", "signature"),
    "claiming an algorithm without a signature": (lambda: unsigned("RS256"), "signature"),
    "signed by a public key as a secret": (with_confused_key, "algorithm"),
    "changed after it was signed": (tampered, "signature"),
    "signed by an unknown key": (lambda: signed(ENTRA, key="foreign"), "key"),
    "signed by a foreign key under a known name": (
        lambda: signed(ENTRA, key="foreign", headers={"kid": "first"}),
        "signature",
    ),
    "bringing its own key": (
        lambda: signed(ENTRA, key="foreign", headers={"kid": "first", "jwk": public("foreign")}),
        "signature",
    ),
    "naming where its key is": (
        lambda: signed(ENTRA, key="foreign", headers={"kid": "x", "jku": "https://evil.example/keys"}),
        "key",
    ),
    "without the name of its key": (lambda: signed(ENTRA, headers={"kid": None}), "id of its key"),
    "with a path for a key": (lambda: signed(ENTRA, headers={"kid": "../../dev/null"}), "key"),
    "with an extension that is not known": (
        lambda: signed(ENTRA, headers={"crit": ["exp-2"], "exp-2": 1}),
        "",
    ),
    "huge": (lambda: signed(ENTRA, padding="x" * 20_000), "longer"),
    "no token": (lambda: "abc.def.ghi", "no signed JWT"),
    "one part": (lambda: "a" * 200, "no signed JWT"),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_token_is_refused_that_is(kind: str) -> None:
    make, reason = BAD[kind]
    assert reason in await Desk().why_refused(make())


async def test_a_clock_that_is_a_little_off_does_no_harm() -> None:
    assert await Desk().caller(signed(ENTRA, exp=int(time.time()) - 30))


async def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    desk = Desk()
    await desk.caller(signed(ENTRA))
    desk.now += AGAIN_SECONDS
    desk.published = ["second"]
    assert await desk.caller(signed(ENTRA, key="second"))
    assert "key" in await desk.why_refused(signed(ENTRA))


async def test_made_up_keys_do_not_make_the_issuer_be_asked_without_end() -> None:
    desk = Desk()
    for number in range(50):
        await desk.why_refused(signed(ENTRA, headers={"kid": f"made-up-{number}"}))
    assert desk.fetched == 1


async def test_a_hundred_callers_at_once_fetch_the_keys_once() -> None:
    desk, token = Desk(), signed(ENTRA)
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(desk.caller, token)
    assert desk.fetched == 1


async def test_known_keys_serve_while_the_issuer_is_away_until_they_are_too_old() -> None:
    desk = Desk()
    await desk.caller(signed(ENTRA))
    desk.is_down = True
    desk.now += FRESH_SECONDS + 1
    assert await desk.caller(signed(ENTRA))
    desk.now += KEPT_SECONDS
    with pytest.raises(NotReadyError):
        await desk.caller(signed(ENTRA))
    desk.is_down = False
    desk.now += AGAIN_SECONDS
    assert await desk.caller(signed(ENTRA))


async def test_without_any_key_nobody_is_let_in_and_nobody_is_called_a_liar() -> None:
    desk = Desk()
    desk.is_down = True
    with pytest.raises(NotReadyError):
        await desk.caller(signed(ENTRA))
    assert not desk.keys.usable
