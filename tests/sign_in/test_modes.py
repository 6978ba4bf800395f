"""Every way to sign in gets a token that the organisation takes: msal as it is, over real TLS."""

from __future__ import annotations

import json
import stat
import sys
import threading
import time

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from crm_sandbox.identity import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_IDENTITY_HEADER,
    DEFAULT_MANAGED_IDENTITY_CLIENT_ID,
    DEFAULT_PUBLIC_CLIENT_ID,
    DEFAULT_TENANT_ID,
)
from crm_server.settings import Settings
from crm_server.sign_in import provider_for
from crm_server.sign_in.callers import Caller, called_by, of_headers
from crm_server.sign_in.clouds import CLOUDS, authority_of, cloud_of
from crm_server.sign_in.people import Person, WithCode, in_browser
from crm_server.sign_in.storage import forget, token_cache, token_file
from crm_server.sign_in.tokens import CachedTokens
from crm_tools.errors import SignInError
from tests.sandbox.identity.identity_service import ADA, BEN, form_of, new_session
from tests.sandbox.identity.test_identity_applications import federated
from tests.sandbox.identity.test_identity_managed import VARIABLES
from tests.sandbox.identity.test_identity_renewals import user_token_for_the_application

pytestmark = pytest.mark.anyio


def settings(tenant, auth, **changed):
    given = {"client_id": DEFAULT_CLIENT_ID, **changed}
    return Settings(url=tenant.root, authority=tenant.root, tenant_id=DEFAULT_TENANT_ID, auth=auth, **given)


def provider(tenant, auth, **changed):
    return provider_for(settings(tenant, auth, **changed))()


async def claims(tenant, provider):
    return tenant.claims({"access_token": await provider.token()})


async def test_an_application_with_a_secret(tenant):
    found = await claims(tenant, provider(tenant, "client-secret", client_secret=DEFAULT_CLIENT_SECRET))
    assert (found.application_id, found.is_application) == (DEFAULT_CLIENT_ID, True)


def written(tmp_path, certificate, password=None):
    """The certificate of an application as PEM and as PFX."""
    private, public, _ = certificate
    key = load_pem_private_key(private.encode(), None)
    protection = BestAvailableEncryption(password.encode()) if password else None
    pem = private
    if protection is not None:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection).decode()
    (tmp_path / "app.pem").write_text(pem + public)
    stored = pkcs12.serialize_key_and_certificates(
        b"app",
        key,
        x509.load_pem_x509_certificate(public.encode()),
        None,
        protection or BestAvailableEncryption(b"x"),
    )
    (tmp_path / "app.pfx").write_bytes(stored)
    return {"pem": str(tmp_path / "app.pem"), "pfx": str(tmp_path / "app.pfx")}


@pytest.mark.parametrize("password", [None, "pass phrase"])
@pytest.mark.parametrize("kind", ["pem", "pfx"])
async def test_an_application_with_a_certificate(tenant, client_certificate, tmp_path, kind, password):
    tenant.change(certificates=(client_certificate[1],), secret=None)
    files = written(tmp_path, client_certificate, password)
    known = password or ("x" if kind == "pfx" else None)
    chosen = provider(tenant, "certificate", certificate=files[kind], certificate_password=known)
    assert (await claims(tenant, chosen)).application_id == DEFAULT_CLIENT_ID


@pytest.mark.parametrize("kind", ["pem", "pfx"])
async def test_a_wrong_password_of_a_certificate_is_told(tenant, client_certificate, tmp_path, kind):
    file = written(tmp_path, client_certificate, "right")[kind]
    with pytest.raises(SignInError, match="DYNAMICS_CERTIFICATE_PASSWORD"):
        await provider(tenant, "certificate", certificate=file, certificate_password="wrong").token()


async def test_a_certificate_that_is_not_there_or_none_is_told(tenant, tmp_path):
    (tmp_path / "text.pem").write_text("nothing")
    for name, says in (("gone.pem", "cannot be read"), ("text.pem", "PEM file")):
        with pytest.raises(SignInError, match=says):
            await provider(tenant, "certificate", certificate=str(tmp_path / name)).token()


async def test_a_certificate_that_is_not_registered_is_refused_with_what_to_do(
    tenant, client_certificate, tmp_path
):
    file = written(tmp_path, client_certificate)["pem"]
    with pytest.raises(SignInError, match="Upload its public part") as refused:
        await provider(tenant, "certificate", certificate=file).token()
    assert refused.value.crm_code == "AADSTS700027"


async def test_a_workload_whose_token_the_platform_replaces(tenant, client_certificate, tmp_path):
    file = tmp_path / "token"
    chosen = provider(tenant, "workload-identity", federated_token_file=str(file))
    with pytest.raises(SignInError, match="AZURE_FEDERATED_TOKEN_FILE"):
        await chosen.token()
    file.write_text(federated(tenant, client_certificate))
    assert (await claims(tenant, chosen)).is_application
    file.write_text(federated(tenant, client_certificate, exp=int(time.time()) - 600))
    with pytest.raises(SignInError):
        await chosen.token(force=True)
    file.write_text(federated(tenant, client_certificate))
    await chosen.token(force=True)


@pytest.mark.parametrize("client_id", [None, DEFAULT_MANAGED_IDENTITY_CLIENT_ID])
async def test_a_managed_identity(tenant, monkeypatch, client_id):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{tenant.root}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", DEFAULT_IDENTITY_HEADER)
    found = await claims(tenant, provider(tenant, "managed-identity", client_id=client_id))
    assert found.application_id == DEFAULT_MANAGED_IDENTITY_CLIENT_ID


@pytest.fixture
def browser(tenant, tenant_host, monkeypatch):
    """Somebody who chooses Ada on the page that a browser opens; lists the addresses that were opened."""
    opened, people = [], []

    def browse(address, **_options):
        def somebody():
            with new_session(tenant_host.ca_file) as session:
                page = session.get(address)
                chosen = {**form_of(page).fields, "user": ADA.object_id}
                answer = form_of(session.post(page.url, data=chosen))
            requests.post(answer.action, data=answer.fields, timeout=10)

        opened.append(address)
        people.append(threading.Thread(target=somebody))
        people[-1].start()
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    yield opened
    for person in people:
        person.join(timeout=10)


def person(tenant, sign_in, cache):
    chosen = settings(tenant, "interactive", client_id=DEFAULT_PUBLIC_CLIENT_ID)
    return CachedTokens(Person(chosen, sign_in, cache=lambda: token_cache(cache)).acquire)


async def test_a_person_signs_in_in_the_browser_once_for_many_starts(tenant, browser, tmp_path):
    cache = tmp_path / "tokens.bin"
    first = person(tenant, in_browser, cache)
    assert (await claims(tenant, first)).object_id == ADA.object_id
    again = person(tenant, in_browser, cache)
    assert (await claims(tenant, again)).object_id == ADA.object_id
    assert len(browser) == 1
    await again.token(force=True)
    assert len(browser) == 1
    assert forget(cache)
    assert not forget(cache)
    await claims(tenant, person(tenant, in_browser, cache))
    assert len(browser) == 2


async def test_a_machine_without_a_browser_is_told_of_the_other_way(tenant, monkeypatch, tmp_path):
    def fails(*_arguments, **_options):
        raise OSError("no display")

    monkeypatch.setattr("msal.PublicClientApplication.acquire_token_interactive", fails)
    with pytest.raises(SignInError, match="device-code"):
        await person(tenant, in_browser, tmp_path / "tokens.bin").token()


async def test_a_person_signs_in_with_a_code_while_calls_are_answered(tenant, tmp_path):
    waiting = WithCode()
    chosen = person(tenant, waiting, tmp_path / "tokens.bin")
    with pytest.raises(SignInError) as told:
        await chosen.token()
    assert tenant.root in told.value.message
    with pytest.raises(SignInError) as same:
        await chosen.token()
    assert same.value.message == told.value.message
    code = told.value.message.split("the code ")[1].split(".")[0]
    page = tenant.session.get(f"{tenant.root}/devicelogin", params={"user_code": code})
    tenant.choose(page, BEN)
    waiting.thread.join(timeout=20)
    assert (await claims(tenant, chosen)).object_id == BEN.object_id


async def test_tokens_are_in_a_file_that_only_its_owner_reads(tenant, browser, tmp_path):
    cache = tmp_path / "state" / "tokens.bin"
    cache.parent.mkdir()
    cache.write_text("{}")
    cache.chmod(0o644)
    await person(tenant, in_browser, cache).token()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"XDG_STATE_HOME": "/state"}, "/state/dynamics-crm-mcp/tokens.bin"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/dynamics-crm-mcp/tokens.bin"),
    ],
)
def test_tokens_are_where_a_system_keeps_such_things(platform, environ, expected):
    assert token_file(environ, platform).as_posix() == expected


async def test_each_caller_acts_with_their_own_rights(tenant):
    chosen = provider(tenant, "on-behalf-of", client_secret=DEFAULT_CLIENT_SECRET)
    with pytest.raises(SignInError, match="caller"):
        await chosen.token()
    with called_by(of_headers({"authorization": f"Bearer {user_token_for_the_application(tenant)}"})):
        found = await claims(tenant, chosen)
        first = await chosen.token()
    assert (found.object_id, found.is_application) == (ADA.object_id, False)
    for other in ("Bearer something-else-entirely", "Basic something-else-entirely", "Bearer short", ""):
        with called_by(of_headers({"authorization": other})), pytest.raises(SignInError):
            await chosen.token()
    assert "something-else" not in repr(chosen.__dict__)
    assert first not in repr(chosen.__dict__)


async def test_a_service_works_under_the_rights_of_the_application(tenant):
    chosen = provider(tenant, "on-behalf-of", client_secret=DEFAULT_CLIENT_SECRET)
    with called_by(Caller("service:workflow", is_service=True)):
        found = await claims(tenant, chosen)
        assert (found.application_id, found.is_application) == (DEFAULT_CLIENT_ID, True)
        assert await chosen.token() == await chosen.token()
    # A caller without a token is no service, and gets nothing that others have got.
    with called_by(Caller("service:workflow")), pytest.raises(SignInError, match="without a token"):
        await chosen.token()


async def test_callers_tokens_are_exchanged_with_the_platforms_token_for_the_application(
    tenant, client_certificate, tmp_path
):
    file = tmp_path / "token"
    chosen = provider(tenant, "on-behalf-of", federated_token_file=str(file))
    file.write_text(federated(tenant, client_certificate))
    with called_by(of_headers({"authorization": f"Bearer {user_token_for_the_application(tenant)}"})):
        assert (await claims(tenant, chosen)).object_id == ADA.object_id


TOKEN = "header.payload.signature-0123456789"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program of a name on PATH that prints a text and ends with a code; gives the calls it got."""

    def install(name, text, code=0):
        log = tmp_path / f"{name}.log"
        script = tmp_path / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\nopen({str(log)!r}, 'a').write(repr(sys.argv[1:]) + '\\n')\n"
            f"sys.stdout.write({text!r})\nsys.stderr.write('canary-secret')\nsys.exit({code})\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return lambda: log.read_text().splitlines() if log.exists() else []

    return install


async def test_the_account_of_the_azure_cli(tenant, program):
    calls = program("az", json.dumps({"accessToken": TOKEN, "expires_on": int(time.time()) + 3600}))
    chosen = provider(tenant, "azure-cli")
    assert await chosen.token() == TOKEN
    assert await chosen.token() == TOKEN
    (call,) = calls()
    assert f"'--resource', '{tenant.root}'" in call
    assert f"'--tenant', '{DEFAULT_TENANT_ID}'" in call


async def test_an_azure_cli_that_is_missing_or_signed_out_is_told(tenant, program, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(SignInError, match="not installed"):
        await provider(tenant, "azure-cli").token()
    program("az", "", code=1)
    with pytest.raises(SignInError, match="az login") as told:
        await provider(tenant, "azure-cli").token()
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(
    "text", [TOKEN, f"{TOKEN}\n", json.dumps({"access_token": TOKEN, "expires_in": 3600})]
)
async def test_a_program_that_prints_a_token(tenant, program, text):
    calls = program("get-token", text)
    assert await provider(tenant, "token-command", token_command="get-token --for 'the crm'").token() == TOKEN
    assert calls() == ["['--for', 'the crm']"]


@pytest.mark.parametrize(
    ("text", "code"), [("", 0), ("no token", 0), ('{"token": 1}', 0), ("{", 0), (TOKEN, 1)]
)
async def test_a_program_that_prints_something_else_is_told_and_not_shown(tenant, program, text, code):
    program("get-token", text, code)
    with pytest.raises(SignInError) as told:
        await provider(tenant, "token-command", token_command="get-token").token()
    assert "canary" not in str(told.value)
    assert TOKEN not in str(told.value)


async def test_a_program_that_is_not_there_is_told(tenant):
    with pytest.raises(SignInError, match="DYNAMICS_TOKEN_COMMAND"):
        await provider(tenant, "token-command", token_command="no-such-program").token()


@pytest.mark.parametrize(
    ("host", "cloud"),
    [
        ("contoso.crm.dynamics.com", "public"),
        ("contoso.crm4.dynamics.com", "public"),
        ("contoso.crm9.dynamics.com", "gcc"),
        ("contoso.crm.microsoftdynamics.us", "gcc-high"),
        ("contoso.crm.appsplatform.us", "dod"),
        ("contoso.crm.dynamics.cn", "china"),
        ("crm.contoso.example", "public"),
        ("dynamics.cn.contoso.example", "public"),
    ],
)
def test_the_cloud_is_told_by_the_address(host, cloud):
    assert cloud_of(Settings(url=f"https://{host}")).name == cloud


def test_the_cloud_and_the_authority_can_be_set():
    for cloud in CLOUDS:
        assert authority_of(Settings(url="https://crm.contoso.example", cloud=cloud.name)) == cloud.authority
    chosen = Settings(url="https://x.crm.dynamics.cn", authority="https://login.example")
    assert authority_of(chosen) == "https://login.example"
