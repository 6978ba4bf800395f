"""The server's own sign-in against an authority on this machine: real tokens over real TLS."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from crm_tools.errors import SignInError
from tests.interaction.connecting import environment
from tests.sandbox.identity.identity_service import new_session
from tests.sign_in.hosted_sandbox import ask, choose, page_of, settings, team_process, token_of

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
    token = token_of(caller, sandbox) if caller and known else "x" * 40
    headers = {"Authorization": f"Bearer {token}"} if caller else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
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
    with team_process(sandbox, tmp_path, **page_of(sandbox)) as address:
        yield address


async def test_callers_of_a_team_are_told_by_their_tokens_and_act_with_their_own_rights(
    sandbox: Mapping[str, str], team_address: str
) -> None:
    users = {name: await _who_is(team_address, token_of(name, sandbox, "crm.read")) for name in _PEOPLE}
    assert users == {name: name for name in _PEOPLE}


_PEOPLE = ("Casey Reader", "Dana Ortiz")


async def _who_is(address: str, token: str) -> str:
    """As whom Dataverse sees the caller, who cannot write: the token is not good for it."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(address, http_client=http)) as client,
    ):
        told = (await client.call_tool("whoami", {})).structured_content
        with pytest.raises(MCPError):
            await client.call_tool("create_account", {"name": "Never"})
    assert told is not None
    user: str = told["user"]
    return user


@pytest.mark.parametrize(
    ("name", "sees"),
    [("Alex Baker", "No change waits for approval"), ("Casey Reader", "You may not see this page")],
)
def test_administrators_sign_in_to_the_page_for_approvals(
    name: str, sees: str, team_address: str, sandbox: Mapping[str, str]
) -> None:
    page = team_address.replace("/mcp", "/approvals")
    with new_session(sandbox["SSL_CERT_FILE"]) as browser:
        signing_in = browser.get(page)
        assert urlsplit(signing_in.url).path.endswith("/authorize")
        shown = browser.get(choose(browser, signing_in, name).headers["location"])
    assert shown.url.startswith(page)
    assert sees in shown.text
