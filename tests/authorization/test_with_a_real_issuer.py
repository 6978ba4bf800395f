"""From the first 401 to an answer: tokens of oidc-provider, and a client that finds the way by itself."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)

from tests.authorization.serving import Served, call, modern, served
from tests.interaction.connecting import ERAS, Era

REDIRECT = "http://127.0.0.1:39999/callback"
SECRET = "a-secret-of-the-tests"


@dataclass
class Team:
    """A server for a team, and its issuer's address."""

    server: Served
    issuer: str
    url: str


@pytest.fixture(scope="module")
def team(oidc_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    public = f"http://127.0.0.1:{port}"
    node = oidc_modules / "node_modules" / ".bin" / "node"
    command = [node, oidc_modules / "oidc_provider.mjs", f"{public}/mcp", REDIRECT, SECRET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as provider:
        assert provider.stdout is not None
        try:
            issuer = provider.stdout.readline().strip()
            settings = {
                "callers_issuer": issuer,
                "callers_audience": f"{public}/mcp",
                "callers_services": "workflow=Integration",
                "public_url": public,
            }
            folder = tmp_path_factory.mktemp("team")
            with served(folder, "--port", str(port), **settings) as server:
                yield Team(server, issuer, f"{public}/mcp")
        finally:
            provider.terminate()


class Remembered:
    """What the client was given: it is registered already, and gets tokens."""

    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return OAuthClientInformationFull(
            client_id="assistant", redirect_uris=[REDIRECT], token_endpoint_auth_method="none"
        )

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        raise AssertionError(f"{client_info.client_id} need not be registered")


class Person:
    """Somebody who signs in on the issuer's pages, and agrees to what is asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.came_back_with: AuthorizationCodeResult | None = None
        self.asked: dict[str, list[str]] = {}

    async def sign_in(self, address: str) -> None:
        self.asked = parse_qs(urlsplit(address).query)
        async with httpx.AsyncClient() as browser:
            answer = await browser.get(address)
            while not answer.headers.get("Location", "").startswith(REDIRECT):
                if answer.is_redirect:
                    answer = await browser.get(urljoin(str(answer.url), answer.headers["Location"]))
                    continue
                answer.raise_for_status()
                action = re.search(r'action="([^"]+)"', answer.text)
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                assert action is not None
                assert prompt is not None
                filled = {"prompt": prompt[1], "login": self.name, "password": "any"}
                answer = await browser.post(urljoin(str(answer.url), action[1]), data=filled)
        came = parse_qs(urlsplit(answer.headers["Location"]).query)
        self.came_back_with = AuthorizationCodeResult(
            code=came["code"][0], state=came["state"][0], iss=came["iss"][0]
        )

    async def came_back(self) -> AuthorizationCodeResult:
        assert self.came_back_with is not None
        return self.came_back_with


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_knows_only_the_address_signs_its_person_in_and_works(
    era: Era, team: Team
) -> None:
    ann = Person("ann")
    sign_in = OAuthClientProvider(
        team.url,
        OAuthClientMetadata(redirect_uris=[REDIRECT], token_endpoint_auth_method="none"),
        Remembered(),
        redirect_handler=ann.sign_in,
        callback_handler=ann.came_back,
    )
    async with (
        httpx2.AsyncClient(auth=sign_in, timeout=30) as http,
        Client(streamable_http_client(team.url, http_client=http), mode=era) as client,
    ):
        told = (await client.call_tool("whoami", {})).structured_content
        made = await client.call_tool("create_lead", {"lastname": "Lund"})

    assert told is not None
    assert told["caller"] == f"ann@{urlsplit(team.issuer).hostname}"
    assert told["roles"] == ["Salesperson"]
    assert not made.is_error, made.content
    assert ann.asked["scope"] == ["crm.read crm.write"]
    assert ann.asked["resource"] == [team.url]
    assert ann.asked["code_challenge_method"] == ["S256"]


def test_a_service_calls_in_its_own_name_with_its_fixed_role_and_what_it_was_given(team: Team) -> None:
    host = urlsplit(team.url).netloc
    grant = {"grant_type": "client_credentials", "scope": "crm.read", "resource": team.url}
    answer = httpx.post(f"{team.issuer}/token", data=grant, auth=("workflow", SECRET))
    token = answer.json()["access_token"]

    told = team.server.post(call("whoami"), token, Host=host, **modern("whoami")).json()["result"]
    refused = team.server.post(call("create_lead", lastname="X"), token, Host=host, **modern("create_lead"))

    assert told["structuredContent"]["roles"] == ["Integration"]
    assert told["structuredContent"]["caller"] == "service:workflow"
    assert refused.status_code == 403
