"""Signing in with a client secret: one refresh at a time, and no secret anywhere it can be seen."""

from __future__ import annotations

import anyio
import httpx
import pytest
import requests

from crm_server.dataverse.auth import MODES, ClientSecret, auth_for, bearer_auth
from crm_server.settings import Settings, SettingsError
from crm_tools.errors import SignInError

pytestmark = pytest.mark.anyio
SECRET = "canary-secret"
SETTINGS = Settings(
    url="https://contoso.crm.dynamics.com", tenant_id="contoso", client_id="client", client_secret=SECRET
)


class Entra:
    """In the place of msal's application: hands out numbered tokens."""

    def __init__(self, **answer: object) -> None:
        self.answer = answer
        self.scopes: list[list[str]] = []

    def acquire_token_for_client(self, scopes: list[str]) -> dict[str, object]:
        self.scopes.append(scopes)
        return self.answer or {"access_token": f"token-{len(self.scopes)}", "expires_in": 3600}


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    now = [0.0]
    entra = Entra()
    provider = ClientSecret(SETTINGS, lambda: entra, clock=lambda: now[0])
    assert await provider.token() == "token-1"
    now[0] = 3299.0
    assert await provider.token() == "token-1"
    now[0] = 3300.0
    assert await provider.token() == "token-2"
    assert entra.scopes == [["https://contoso.crm.dynamics.com/.default"]] * 2


async def test_many_callers_at_once_share_one_refresh() -> None:
    entra = Entra()
    provider = ClientSecret(SETTINGS, lambda: entra)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(provider.token)
    assert len(entra.scopes) == 1
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(lambda: provider.token(force=True))
    assert len(entra.scopes) == 2


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AADSTS7000215", "DYNAMICS_CLIENT_SECRET"),
        ("AADSTS7000222", "expired"),
        ("AADSTS700016", "DYNAMICS_CLIENT_ID"),
        ("AADSTS90002", "DYNAMICS_TENANT_ID"),
        ("AADSTS500011", "DYNAMICS_URL"),
        ("AADSTS1234567", "administrator"),
    ],
)
async def test_a_refusal_of_entra_says_what_to_fix_in_our_own_words(code: str, says: str) -> None:
    entra = Entra(error="invalid_client", error_description=f"{code}: text with {SECRET} in it")
    with pytest.raises(SignInError) as caught:
        await ClientSecret(SETTINGS, lambda: entra).token()
    assert says in caught.value.message
    assert caught.value.crm_code == code
    assert SECRET not in caught.value.message


@pytest.mark.parametrize("fault", [requests.ConnectionError(SECRET), ValueError(SECRET)])
async def test_entra_out_of_reach_is_a_sign_in_error_without_the_secret(fault: Exception) -> None:
    def broken() -> object:
        raise fault

    with pytest.raises(SignInError) as caught:
        await ClientSecret(SETTINGS, broken).token()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_secret_is_in_no_repr() -> None:
    assert SECRET not in repr(ClientSecret(SETTINGS))
    assert SECRET not in repr(SETTINGS)


async def test_a_401_is_answered_with_one_new_token_and_then_believed() -> None:
    entra = Entra()
    seen: list[str] = []

    def crm(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200 if "token-2" in seen[-1] and len(seen) < 3 else 401)

    provider = ClientSecret(SETTINGS, lambda: entra)
    async with httpx.AsyncClient(auth=bearer_auth(provider), transport=httpx.MockTransport(crm)) as client:
        assert (await client.get("https://crm.example")).status_code == 200
        assert seen == ["Bearer token-1", "Bearer token-2"]
        assert (await client.get("https://crm.example")).status_code == 401
        assert len(seen) == 4


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            Settings(url="https://x.crm.dynamics.com"),
            "DYNAMICS_TENANT_ID, DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET",
        ),
        (Settings(url="https://x.crm.dynamics.com", auth="client-secrte"), "client-secret"),
        (Settings(url="https://x.crm.dynamics.com", auth="none"), "this machine"),
    ],
)
async def test_incomplete_sign_in_settings_stop_the_start(settings: Settings, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        auth_for(settings)


async def test_each_mode_makes_its_auth() -> None:
    assert isinstance(auth_for(SETTINGS)(), httpx.Auth)
    assert auth_for(Settings(url="http://127.0.0.1:8322", auth="none"))() is None
    assert set(MODES) == {"client-secret", "none"}
