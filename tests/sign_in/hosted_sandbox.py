"""A sandbox with sign-in as a process of its own, and the server's sign-in at it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import requests

from crm_sandbox.identity import DEFAULT_PUBLIC_CLIENT_ID
from crm_server.settings import Settings
from crm_server.sign_in import auth_for
from tests.interaction.connecting import environment
from tests.sandbox.identity.identity_service import REDIRECT_URI, form_of, new_session, redirected

API = "/api/data/v9.2"


@contextmanager
def sandbox_process(folder: Path) -> Iterator[Mapping[str, str]]:
    """The settings that a sandbox with sign-in prints. Its certificates are in the folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_server", "sandbox", "--port", "0", "--tls", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    try:
        lines = [process.stderr.readline() for _ in range(3)]
        yield dict(word.split("=", 1) for word in lines[2].split() if "=" in word)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def settings(sandbox: Mapping[str, str], **changed: Any) -> Settings:
    """The printed settings, some of them changed."""
    given = {
        name.removeprefix("DYNAMICS_").lower(): value
        for name, value in sandbox.items()
        if name.startswith("DYNAMICS_")
    }
    return Settings(**{**given, **changed})


async def ask(chosen: Settings, path: str = "WhoAmI", auth: httpx.Auth | None = None) -> httpx.Response:
    """What the organisation answers to whoever the settings sign in; ``auth`` goes on with a sign-in."""
    async with httpx.AsyncClient(auth=auth or auth_for(chosen)(), base_url=f"{chosen.url}{API}/") as client:
        return await client.get(path)


async def name_of(chosen: Settings, auth: httpx.Auth | None = None) -> str:
    """The name of the user as whom the settings sign in."""
    me = await ask(chosen, auth=auth)
    assert me.status_code == 200, me.text
    row = await ask(chosen, f"systemusers({me.json()['UserId']})?$select=fullname", auth)
    name: str = row.json()["fullname"]
    return name


@contextmanager
def team_process(sandbox: Mapping[str, str], folder: Path, **more: str) -> Iterator[str]:
    """The address of a server that knows its callers by their tokens, and acts on their behalf."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client_id, tenant = sandbox["DYNAMICS_CLIENT_ID"], sandbox["DYNAMICS_TENANT_ID"]
    team = {
        "DYNAMICS_AUTH": "on-behalf-of",
        "DYNAMICS_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DYNAMICS_CALLERS_ISSUER": f"{sandbox['DYNAMICS_URL']}/{tenant}/v2.0",
        "DYNAMICS_CALLERS_AUDIENCE": f"{client_id},api://{client_id}",
        **more,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_server", "serve", "--transport", "http", "--port", str(port)],
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), **sandbox, **team, "XDG_STATE_HOME": str(folder)},
    )
    assert process.stderr is not None
    try:
        yield process.stderr.readline().removeprefix("Ready at ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=10)


def page_of(sandbox: Mapping[str, str]) -> dict[str, str]:
    """Settings with which the page for approvals signs in as the server's own application."""
    return {
        "DYNAMICS_PAGE_CLIENT_ID": sandbox["DYNAMICS_CLIENT_ID"],
        "DYNAMICS_PAGE_CLIENT_SECRET": sandbox["DYNAMICS_CLIENT_SECRET"],
    }


def token_of(name: str, sandbox: Mapping[str, str], *permissions: str) -> str:
    """The token with which somebody calls the application: from the sign-in page, as a browser would."""
    root, client_id = sandbox["DYNAMICS_URL"], sandbox["DYNAMICS_CLIENT_ID"]
    wanted = permissions or ("access_as_user",)
    asked = {
        "client_id": DEFAULT_PUBLIC_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": " ".join(f"api://{client_id}/{permission}" for permission in wanted),
    }
    authority = f"{root}/{sandbox['DYNAMICS_TENANT_ID']}/oauth2/v2.0"
    with new_session(sandbox["SSL_CERT_FILE"]) as session:
        page = session.get(f"{authority}/authorize", params=asked, allow_redirects=False)
        code = redirected(choose(session, page, name))["code"]
        redeemed = {**asked, "grant_type": "authorization_code", "code": code}
        found: str = session.post(f"{authority}/token", data=redeemed).json()["access_token"]
        return found


def choose(session: requests.Session, page: requests.Response, name: str) -> requests.Response:
    """Press somebody's button on the sign-in page; where that leads."""
    user = re.search(r'value="([0-9a-f-]{36})"[^>]*>[^<]*' + name, page.text)
    assert user is not None, page.text
    fields = {**form_of(page).fields, "user": user[1]}
    return session.post(page.url, data=fields, allow_redirects=False)
