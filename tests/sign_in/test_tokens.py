"""Tokens are kept, renewed by one at a time, and in no place where they could be seen."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from typing import Any

import anyio
import httpx
import pytest
import requests

from crm_server.settings import Settings, SettingsError
from crm_server.sign_in import MODES, auth_for
from crm_server.sign_in.advice import ADVICE
from crm_server.sign_in.tokens import EARLY_SECONDS, CachedTokens, bearer_auth, claims_of
from crm_tools.errors import SignInError

pytestmark = pytest.mark.anyio
SECRET = "canary-secret"
SETTINGS = Settings(
    url="https://contoso.crm.dynamics.com", tenant_id="contoso", client_id="client", client_secret=SECRET
)


class Entra:
    """Hands out numbered tokens, or always the same answer."""

    def __init__(self, **answer: object) -> None:
        self.answer = answer
        self.asked: list[tuple[bool, str | None]] = []

    def __call__(self, force: bool, claims: str | None) -> Mapping[str, Any]:
        self.asked.append((force, claims))
        return self.answer or {"access_token": f"token-{len(self.asked)}", "expires_in": 3600}


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    now = [0.0]
    entra = Entra()
    provider = CachedTokens(entra, clock=lambda: now[0])
    assert await provider.token() == "token-1"
    now[0] = 3600 - EARLY_SECONDS - 1
    assert await provider.token() == "token-1"
    now[0] = 3600 - EARLY_SECONDS
    assert await provider.token() == "token-2"


async def test_many_callers_at_once_share_one_renewal() -> None:
    entra = Entra()
    provider = CachedTokens(entra)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(provider.token)
    assert len(entra.asked) == 1
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(lambda: provider.token(force=True))
    assert len(entra.asked) == 2


async def test_while_one_renews_ahead_of_the_end_others_go_on_with_the_token_they_have() -> None:
    now, going_on = [0.0], threading.Event()
    begun = anyio.Event()

    def slow(_force: bool, _claims: str | None) -> Mapping[str, Any]:
        if now[0]:
            anyio.from_thread.run_sync(begun.set)
            going_on.wait(10)
        return {"access_token": f"token at {now[0]:g}", "expires_in": 3600}

    provider = CachedTokens(slow, clock=lambda: now[0])
    await provider.token()
    now[0] = 3400.0
    found: list[str] = []

    async def renew() -> None:
        found.append(await provider.token())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(renew)
        await begun.wait()
        assert await provider.token() == "token at 0"
        going_on.set()
    assert found == ["token at 3400"]


@pytest.mark.parametrize(("code", "advice"), [*ADVICE.items(), ("1234567", "administrator")])
async def test_a_refusal_of_entra_says_what_to_fix_in_our_own_words(code: str, advice: str) -> None:
    entra = Entra(error="invalid_client", error_description=f"AADSTS{code}: text with {SECRET} in it")
    with pytest.raises(SignInError) as caught:
        await CachedTokens(entra).token()
    assert advice in caught.value.message
    assert caught.value.crm_code == f"AADSTS{code}"
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    "fault", [requests.ConnectionError(SECRET), ValueError(SECRET), TimeoutError(SECRET)]
)
async def test_entra_out_of_reach_is_a_sign_in_error_without_the_secret(fault: Exception) -> None:
    def broken(_force: bool, _claims: str | None) -> Mapping[str, Any]:
        raise fault

    with pytest.raises(SignInError) as caught:
        await CachedTokens(broken).token()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_token_is_in_no_repr() -> None:
    provider = CachedTokens(Entra(access_token=SECRET, expires_in=3600))
    await provider.token()
    assert SECRET not in repr(provider)
    chosen = Settings(client_secret=SECRET, certificate_password=SECRET, token_command=SECRET)
    assert SECRET not in repr(chosen)


async def test_a_401_is_answered_with_one_new_token_and_then_believed() -> None:
    seen: list[str] = []

    def crm(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200 if "token-2" in seen[-1] and len(seen) < 3 else 401)

    provider = CachedTokens(Entra())
    async with httpx.AsyncClient(auth=bearer_auth(provider), transport=httpx.MockTransport(crm)) as client:
        assert (await client.get("https://crm.example")).status_code == 200
        assert seen == ["Bearer token-1", "Bearer token-2"]
        assert (await client.get("https://crm.example")).status_code == 401
        assert len(seen) == 4


CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
CHALLENGE = f'Bearer error="insufficient_claims", claims="{base64.b64encode(CLAIMS.encode()).decode()}"'


async def test_the_claims_that_a_challenge_asks_for_are_passed_on() -> None:
    entra = Entra()

    def crm(request: httpx.Request) -> httpx.Response:
        if "token-1" in request.headers["Authorization"]:
            return httpx.Response(401, headers={"WWW-Authenticate": CHALLENGE})
        return httpx.Response(200)

    provider = CachedTokens(entra)
    async with httpx.AsyncClient(auth=bearer_auth(provider), transport=httpx.MockTransport(crm)) as client:
        assert (await client.get("https://crm.example")).status_code == 200
    assert entra.asked == [(False, None), (True, CLAIMS)]


UNREADABLE = ["", "Bearer", 'Bearer claims="x"', CHALLENGE.replace("insufficient_claims", "other")]
UNREADABLE += ['insufficient_claims claims="/w=="', 'Bearer error="insufficient_claims", claims="a"']


@pytest.mark.parametrize("challenge", UNREADABLE)
def test_a_challenge_without_readable_claims_asks_for_none(challenge: str) -> None:
    assert claims_of(challenge) is None


URL = "https://x.crm.dynamics.com"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Settings(url=URL), "DYNAMICS_TENANT_ID, DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET"),
        (
            Settings(url=URL, auth="certificate"),
            "DYNAMICS_TENANT_ID, DYNAMICS_CLIENT_ID, DYNAMICS_CERTIFICATE",
        ),
        (
            Settings(url=URL, auth="workload-identity", tenant_id="t", client_id="c"),
            "AZURE_FEDERATED_TOKEN_FILE",
        ),
        (
            Settings(url=URL, auth="on-behalf-of", tenant_id="t", client_id="c"),
            "DYNAMICS_CLIENT_SECRET or DYNAMICS_CERTIFICATE",
        ),
        (Settings(url=URL, auth="token-command"), "DYNAMICS_TOKEN_COMMAND"),
        (Settings(url=URL, auth="client-secrte"), "client-secret"),
        (Settings(url=URL, auth="none"), "this machine"),
    ],
)
def test_incomplete_sign_in_settings_stop_the_start(settings: Settings, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        auth_for(settings)


@pytest.mark.parametrize("mode", [name for name in MODES if name != "none"])
def test_each_mode_makes_its_auth_without_signing_in(mode: str) -> None:
    settings = Settings(
        url=URL,
        auth=mode,
        tenant_id="t",
        client_id="c",
        client_secret=SECRET,
        certificate="no.pem",
        federated_token_file="none",
        token_command="nothing",
    )
    assert isinstance(auth_for(settings)(), httpx.Auth)
    assert auth_for(Settings(url="http://127.0.0.1:8322", auth="none"))() is None


async def test_requests_that_wait_for_a_sign_in_share_its_refusal_and_the_next_tries_again() -> None:
    entra = Entra(error="invalid_client", error_description="AADSTS7000215: no")
    provider = CachedTokens(entra)
    refused: list[SignInError] = []

    async def ask() -> None:
        with pytest.raises(SignInError) as caught:
            await provider.token()
        refused.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask)
    assert (len(refused), len(entra.asked)) == (4, 1)
    entra.answer = {}
    assert await provider.token() == "token-2"


async def test_requests_that_meet_the_same_challenge_at_once_are_signed_in_once() -> None:
    entra = Entra()
    provider = CachedTokens(entra)
    await provider.token()
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(lambda: provider.token(force=True, claims="{}"))
    assert entra.asked == [(False, None), (True, "{}")]
