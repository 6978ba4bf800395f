"""The page for approvals on a server that acts on behalf of its callers: what people do there is theirs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import requests
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.sandbox.identity.identity_service import new_session
from tests.sign_in.hosted_sandbox import ask, choose, page_of, settings, team_process, token_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("trusted")]
SELLER, MANAGER, READER = "Dana Ortiz", "Kim Akers", "Casey Reader"


@pytest.fixture(scope="module")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def address(sandbox: Mapping[str, str], state_folder: Path) -> Iterator[str]:
    """The address of the server without its path."""
    page = {
        **page_of(sandbox),
        "DYNAMICS_PAGE_ROLES": "crm.approve=approve",
        "DYNAMICS_PAGE_UNDO": "true",
    }
    with team_process(sandbox, state_folder, **page) as found:
        yield found.removesuffix("/mcp")


class Browser:
    """Somebody at the page. ``asked`` are the scopes that the page asked the issuer for."""

    def __init__(self, address: str, ca_file: str, name: str) -> None:
        self._address = address
        self._http: requests.Session = new_session(ca_file)
        at_issuer = self._http.get(f"{address}/approvals")
        self.asked = parse_qs(urlsplit(at_issuer.url).query)["scope"][0].split()
        back = choose(self._http, at_issuer, name)
        self.shown = self._http.get(back.headers["location"]).text
        assert "Waiting" in self.shown, self.shown

    def open(self, path: str) -> str:
        return self._http.get(f"{self._address}/approvals{path}").text

    def send(self, path: str) -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.open("/audit"))
        assert found is not None
        origin = {"Origin": self._address}
        return self._http.post(
            f"{self._address}/approvals{path}", data={"token": found[1]}, headers=origin
        ).text


async def call(address: str, token: str, tool: str, **arguments: Any) -> dict[str, Any]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
    ):
        answer = await client.call_tool(tool, arguments)
        assert answer.structured_content is not None, answer.content
        return answer.structured_content


async def a_changed_lead(address: str, sandbox: Mapping[str, str]) -> tuple[str, str, str]:
    """A token of the seller, the id of a lead that the seller's assistant has changed, and the change's."""
    token = token_of(SELLER, sandbox, "crm.read", "crm.write")
    made = await call(address, token, "create_lead", lastname="Quill", subject="Pens")
    key: str = made["record"]["leadid"]
    changed = await call(address, token, "update_lead", leadid=key, subject="Pencils")
    return token, key, changed["change_id"]


async def test_an_approver_takes_a_change_back_under_their_own_rights(
    address: str, sandbox: Mapping[str, str]
) -> None:
    token, key, change = await a_changed_lead(address, sandbox)
    browser = Browser(address, sandbox["SSL_CERT_FILE"], MANAGER)
    client_id = sandbox["DYNAMICS_CLIENT_ID"]
    assert {f"{client_id}/crm.write", f"{client_id}/crm.approve"} <= set(browser.asked)
    assert "The change was taken back" in browser.send(f"/changes/{change}/undo")
    found = await ask(settings(sandbox), f"leads({key})?$select=subject&$expand=modifiedby($select=fullname)")
    assert found.json()["subject"] == "Pens"
    # Dataverse saw the approver, and not the seller or the application.
    assert found.json()["modifiedby"]["fullname"] == MANAGER
    told = await call(address, token, "list_changes", id=key)
    assert next(one for one in told["records"] if one["change_id"] == change)["undone_by"]


async def test_whom_dataverse_lets_only_read_takes_nothing_back(
    address: str, sandbox: Mapping[str, str]
) -> None:
    token, key, change = await a_changed_lead(address, sandbox)
    browser = Browser(address, sandbox["SSL_CERT_FILE"], READER)
    assert "lacks a privilege" in browser.send(f"/changes/{change}/undo")
    found = await call(address, token, "get_lead", leadid=key)
    assert found["record"]["subject"] == "Pencils"


async def test_signing_out_forgets_what_was_brought(
    address: str, sandbox: Mapping[str, str], state_folder: Path
) -> None:
    browser = Browser(address, sandbox["SSL_CERT_FILE"], MANAGER)
    before = kept(state_folder)
    browser.send("/sign-out")
    assert len(before - kept(state_folder)) == 1


def kept(state_folder: Path) -> set[str]:
    """The places of the tokens that the server keeps."""
    with closing(sqlite3.connect(state_folder / "dynamics-crm-mcp" / "state.db")) as connection:
        return {place for (place,) in connection.execute("SELECT place FROM tokens")}
