"""The server's own sign-in against an authority on this machine: real tokens over real TLS."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from crm_sandbox.identity import DEFAULT_PUBLIC_CLIENT_ID
from crm_tools.errors import SignInError
from tests.interaction.connecting import environment
from tests.sandbox.identity.identity_service import REDIRECT_URI, form_of, new_session, redirected
from tests.sign_in.hosted_sandbox import ask, settings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("trusted")]


async def test_the_printed_settings_sign_in(sandbox: Mapping[str, str]) -> None:
    answer = await ask(settings(sandbox))
    assert answer.status_code == 200
    assert answer.json()["UserId"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_secret": "wrong"}, "AADSTS7000215"),
        ({"client_id": "00000000-0000-0000-0000-000000000001"}, "AADSTS700016"),
    ],
)
async def test_a_wrong_setting_is_told_with_what_to_change(
    sandbox: Mapping[str, str], changed: dict[str, str], code: str
) -> None:
    with pytest.raises(SignInError) as refused:
        await ask(settings(sandbox, **changed))
    assert refused.value.crm_code == code


async def test_without_a_token_the_organisation_answers_401(sandbox: Mapping[str, str]) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{sandbox['DYNAMICS_URL']}/api/data/v9.2/WhoAmI")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


async def test_serve_with_the_printed_settings_answers_tool_calls(sandbox: Mapping[str, str]) -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "crm_server", "serve"], env={**environment(), **sandbox}
    )
    async with Client(server) as client:
        answer = await client.call_tool("list_accounts", {"select": ["name"], "top": 3})
    assert not answer.is_error
    assert answer.structured_content is not None
    assert len(answer.structured_content["records"]) == 3


@pytest.fixture
def address(sandbox: Mapping[str, str]) -> Iterator[str]:
    """The address of a server that acts on behalf of its callers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_server", "serve", "--transport", "http", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), **sandbox, "DYNAMICS_AUTH": "on-behalf-of"},
    )
    assert process.stderr is not None
    try:
        yield process.stderr.readline().removeprefix("Ready at ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.parametrize("caller", ["Casey Reader", "somebody with a wrong token", None])
async def test_callers_over_http_act_with_their_own_rights(
    sandbox: Mapping[str, str], address: str, caller: str | None
) -> None:
    known = caller == "Casey Reader"
    token = _token_of(caller, sandbox) if caller and known else "x" * 40
    headers = {"Authorization": f"Bearer {token}"} if caller else {}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(address, http_client=http)) as client,
    ):
        read = await client.call_tool("list_accounts", {"select": ["name"], "top": 1})
        assert read.is_error is not known
        wrote = await client.call_tool("create_account", {"name": "By a reader"})
        assert wrote.is_error
        assert ("lacks a privilege" in str(wrote.content)) is known


@pytest.fixture
def team_address(sandbox: Mapping[str, str], tmp_path: Path) -> Iterator[str]:
    """The address of a server that knows its callers by their tokens, and acts on their behalf."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client_id, tenant = sandbox["DYNAMICS_CLIENT_ID"], sandbox["DYNAMICS_TENANT_ID"]
    team = {
        "DYNAMICS_AUTH": "on-behalf-of",
        "DYNAMICS_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DYNAMICS_CALLERS_ISSUER": f"{sandbox['DYNAMICS_URL']}/{tenant}/v2.0",
        "DYNAMICS_CALLERS_AUDIENCE": f"{client_id},api://{client_id}",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_server", "serve", "--transport", "http", "--port", str(port)],
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), **sandbox, **team, "XDG_STATE_HOME": str(tmp_path)},
    )
    assert process.stderr is not None
    try:
        yield process.stderr.readline().removeprefix("Ready at ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=10)


async def test_callers_of_a_team_are_told_by_their_tokens_and_act_with_their_own_rights(
    sandbox: Mapping[str, str], team_address: str
) -> None:
    users = {name: await _who_is(team_address, _token_of(name, sandbox, "crm.read")) for name in _PEOPLE}
    assert users == {name: name for name in _PEOPLE}


_PEOPLE = ("Casey Reader", "Dana Ortiz")


async def _who_is(address: str, token: str) -> str:
    """As whom Dataverse sees the caller, who cannot write: the token is not good for it."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
        Client(streamable_http_client(address, http_client=http)) as client,
    ):
        told = (await client.call_tool("whoami", {})).structured_content
        with pytest.raises(MCPError):
            await client.call_tool("create_account", {"name": "Never"})
    assert told is not None
    user: str = told["user"]
    return user


def _token_of(name: str, sandbox: Mapping[str, str], permission: str = "access_as_user") -> str:
    """The token with which somebody calls the application: from the sign-in page, as a browser would."""
    root, client_id = sandbox["DYNAMICS_URL"], sandbox["DYNAMICS_CLIENT_ID"]
    scope = f"api://{client_id}/{permission}"
    asked = {
        "client_id": DEFAULT_PUBLIC_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": scope,
    }
    authority = f"{root}/{sandbox['DYNAMICS_TENANT_ID']}/oauth2/v2.0"
    with new_session(sandbox["SSL_CERT_FILE"]) as session:
        page = session.get(f"{authority}/authorize", params=asked, allow_redirects=False)
        form = form_of(page)
        user = re.search(r'value="([0-9a-f-]{36})"[^>]*>[^<]*' + name, page.text)
        assert user is not None, page.text
        chosen = session.post(page.url, data={**form.fields, "user": user[1]}, allow_redirects=False)
        code = redirected(chosen)["code"]
        redeemed = {**asked, "grant_type": "authorization_code", "code": code}
        found: str = session.post(f"{authority}/token", data=redeemed).json()["access_token"]
        return found
