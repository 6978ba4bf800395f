"""Every way to sign in that the sandbox has, by what a user would set, against a sandbox process."""

from __future__ import annotations

import re
import shlex
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest
import requests

from crm_sandbox.identity import (
    DEFAULT_IDENTITY_HEADER,
    DEFAULT_MANAGED_IDENTITY_CLIENT_ID,
    DEFAULT_PUBLIC_CLIENT_ID,
)
from crm_server.sign_in import auth_for
from crm_tools.errors import SignInError
from tests.sandbox.identity.identity_service import form_of, new_session
from tests.sandbox.identity.test_identity_managed import VARIABLES
from tests.sign_in.hosted_sandbox import ask, name_of, settings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("trusted")]


async def test_an_application_with_a_secret(sandbox):
    assert await name_of(settings(sandbox)) == "# Sandbox application"


async def test_an_application_with_the_certificate_of_the_folder(sandbox, sandbox_folder):
    file = str(sandbox_folder / "client.pem")
    chosen = settings(sandbox, auth="certificate", certificate=file, client_secret=None)
    assert await name_of(chosen) == "# Sandbox application"


@pytest.mark.parametrize("form", ["app service", "instance metadata"])
@pytest.mark.parametrize("client_id", [None, DEFAULT_MANAGED_IDENTITY_CLIENT_ID])
async def test_a_managed_identity(sandbox, monkeypatch, form, client_id):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    if form == "app service":
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{sandbox['DYNAMICS_URL']}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", DEFAULT_IDENTITY_HEADER)
    else:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", sandbox["DYNAMICS_URL"])
    chosen = settings(sandbox, auth="managed-identity", client_id=client_id)
    assert await name_of(chosen) == "# Managed identity"


@pytest.fixture
def at_a_desk(sandbox, monkeypatch, tmp_path):
    """The settings of a person, whose tokens are kept in a folder of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))

    def make(auth):
        return settings(sandbox, auth=auth, client_id=DEFAULT_PUBLIC_CLIENT_ID, client_secret=None)

    return make


def chosen_on(page, name):
    """The form of a page, filled in by somebody who presses the button of a name."""
    user = re.search(r'value="([0-9a-f-]{36})">' + name, page.text)
    assert user is not None, page.text
    return {**form_of(page).fields, "user": user[1]}


@pytest.fixture
def browser(sandbox, monkeypatch):
    """Somebody who is Dana on the page that a browser opens; lists the addresses that were opened."""
    opened, people = [], []

    def browse(address, **_options):
        def somebody():
            with new_session(sandbox["SSL_CERT_FILE"]) as session:
                page = session.get(address)
                answer = form_of(session.post(page.url, data=chosen_on(page, "Dana Ortiz")))
            requests.post(answer.action, data=answer.fields, timeout=10)

        opened.append(address)
        people.append(threading.Thread(target=somebody))
        people[-1].start()
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    yield opened
    for person in people:
        person.join(timeout=10)


async def test_a_person_in_the_browser_once_for_many_starts(at_a_desk, browser):
    chosen = at_a_desk("interactive")
    assert await name_of(chosen) == "Dana Ortiz"
    assert await name_of(chosen) == "Dana Ortiz"
    assert len(browser) == 1


@pytest.fixture
def impatient(monkeypatch):
    """For msal the pauses between its questions pass at once."""
    now = [time.time()]

    def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr("msal.oauth2cli.oauth2.time", SimpleNamespace(time=lambda: now[0], sleep=sleep))


@pytest.mark.usefixtures("impatient")
async def test_a_person_with_a_code_on_another_device(sandbox, at_a_desk):
    chosen = at_a_desk("device-code")
    auth = auth_for(chosen)()
    with pytest.raises(SignInError) as told:
        await ask(chosen, auth=auth)
    address, code = re.search(r"open (\S+) and enter the code (\w+)", told.value.message).groups()
    with new_session(sandbox["SSL_CERT_FILE"]) as session:
        page = session.get(address, params={"user_code": code})
        assert "Signed in" in session.post(address, data=chosen_on(page, "Casey Reader")).text
    assert await _once_signed_in(chosen, auth) == "Casey Reader"
    assert await name_of(chosen) == "Casey Reader"


async def _once_signed_in(chosen, auth):
    """Call again until the sign-in is known, as the message says."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            return await name_of(chosen, auth)
        except SignInError:
            continue
    raise AssertionError("nobody was signed in")


async def test_a_program_that_prints_a_token(sandbox, tmp_path):
    program = tmp_path / "get_token.py"
    program.write_text(
        "import sys, requests\n"
        "address, scope, client_id, secret = sys.argv[1:]\n"
        "form = {'grant_type': 'client_credentials', 'scope': scope}\n"
        "print(requests.post(address, data=form, auth=(client_id, secret)).json()['access_token'])\n"
    )
    root = sandbox["DYNAMICS_URL"]
    words = [
        sys.executable,
        str(program),
        f"{root}/{sandbox['DYNAMICS_TENANT_ID']}/oauth2/v2.0/token",
        f"{root}/.default",
        sandbox["DYNAMICS_CLIENT_ID"],
        sandbox["DYNAMICS_CLIENT_SECRET"],
    ]
    chosen = settings(sandbox, auth="token-command", token_command=shlex.join(words))
    assert await name_of(chosen) == "# Sandbox application"


async def test_a_tenant_is_told_in_general_for_a_person(sandbox, at_a_desk, browser):
    general = replace(at_a_desk("interactive"), tenant_id=None)
    assert await name_of(general) == "Dana Ortiz"
    assert "/organizations/" in browser[0]


async def test_an_authority_that_is_not_trusted_is_told_at_sign_in(sandbox, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(SignInError, match="cannot be reached"):
        await ask(settings(sandbox))


async def test_an_organisation_that_is_not_trusted_gets_no_request(sandbox, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await ask(settings(sandbox))
