"""What is reached over the network: the environment, its certificate, clocks, sign-in, the issuer."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_server.cli import run
from crm_server.doctor import Status
from crm_server.doctor.context import Context
from crm_server.doctor.network import public_address
from crm_server.settings import Settings
from tests.authorization.issuer import Listening, listening_issuer
from tests.doctor.examining import examined, failures, on_sandbox
from tests.sign_in.hosted_sandbox import settings

pytestmark = pytest.mark.anyio

TENANT = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
PUBLIC = "https://crm-mcp.contoso.example"


@pytest.mark.usefixtures("trusted")
async def test_nothing_fails_with_the_settings_that_the_sandbox_prints(sandbox: Mapping[str, str]) -> None:
    outcomes = await examined(settings(sandbox))
    assert failures(outcomes) == []
    assert outcomes["environment"].facts["expires"] > f"{datetime.now(UTC):%Y-%m-%d}"
    assert abs(outcomes["clock"].facts["seconds"]) <= 3
    assert outcomes["who am i"].facts["user"] == "# Sandbox application"


async def test_a_certificate_that_is_not_trusted_is_told(sandbox: Mapping[str, str]) -> None:
    outcomes = await examined(settings(sandbox))
    assert failures(outcomes) == ["environment"]
    assert "SSL_CERT_FILE" in outcomes["environment"].todo
    assert outcomes["sign-in"].found == "because environment failed"


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_for_another_name_is_told(sandbox: Mapping[str, str]) -> None:
    """The sandbox's is for localhost, and not for another address of this machine."""
    port = sandbox["DYNAMICS_URL"].rpartition(":")[2]
    with _forwarding(int(port)) as other:
        outcomes = await examined(settings(sandbox, url=f"https://127.0.0.2:{other}"))
    assert "other names than 127.0.0.2" in outcomes["environment"].found


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_that_expires_soon_is_a_warning(sandbox: Mapping[str, str]) -> None:
    outcomes = await examined(settings(sandbox), ahead=timedelta(days=380))
    assert outcomes["environment"].status is Status.WARNING
    assert "expires on" in outcomes["environment"].found


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("ahead", "says"), [(90, "seconds ahead of"), (-90, "seconds behind that of")])
async def test_a_wrong_clock_is_told(sandbox: Mapping[str, str], ahead: int, says: str) -> None:
    outcomes = await examined(settings(sandbox), ahead=timedelta(seconds=ahead))
    assert failures(outcomes) == ["clock"]
    # The header knows whole seconds, and the sandbox renews it once in a second.
    assert abs(outcomes["clock"].facts["seconds"] - ahead) <= 3
    assert says in outcomes["clock"].found
    assert "tokens are refused" in outcomes["clock"].found


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("changed", "code", "todo"),
    [
        ({"client_secret": "canary-wrong"}, "AADSTS7000215", "DYNAMICS_CLIENT_SECRET"),
        ({"client_id": OTHER}, "AADSTS700016", "DYNAMICS_CLIENT_ID"),
        ({"tenant_id": OTHER}, None, "DYNAMICS_TENANT_ID"),
    ],
)
async def test_a_refused_sign_in_is_told_in_our_words_with_the_setting_to_change(
    sandbox: Mapping[str, str], changed: dict[str, str], code: str | None, todo: str
) -> None:
    outcomes = await examined(settings(sandbox, **changed))
    assert failures(outcomes) == ["sign-in"]
    assert outcomes["sign-in"].facts["code"] == code
    assert todo in outcomes["sign-in"].todo
    assert outcomes["privileges"].found == "because sign-in failed"


@pytest.mark.usefixtures("trusted")
async def test_on_behalf_of_skips_what_takes_a_caller_and_says_so(sandbox: Mapping[str, str]) -> None:
    outcomes = await examined(settings(sandbox, auth="on-behalf-of"))
    assert failures(outcomes) == []
    for name in ("sign-in", "who am i", "tables", "policy's names", "privileges", "search"):
        assert outcomes[name].status is Status.SKIPPED
        assert "takes a caller" in outcomes[name].found


@pytest.mark.usefixtures("trusted")
async def test_on_behalf_of_what_services_can_do_is_looked_at(sandbox: Mapping[str, str]) -> None:
    services = {OTHER: "Integration"}
    outcomes = await examined(settings(sandbox, auth="on-behalf-of", callers_services=services))
    assert "under which services work" in outcomes["sign-in"].found
    assert outcomes["who am i"].status is Status.OK
    assert outcomes["privileges"].status is not Status.SKIPPED


@pytest.mark.usefixtures("trusted")
async def test_on_behalf_of_a_wrong_secret_shows_before_a_caller_comes(sandbox: Mapping[str, str]) -> None:
    outcomes = await examined(settings(sandbox, auth="on-behalf-of", client_secret="wrong"))
    assert failures(outcomes) == ["sign-in"]


@pytest.mark.usefixtures("trusted")
async def test_a_person_who_never_signed_in_is_sent_to_login(sandbox: Mapping[str, str]) -> None:
    """And no browser opens for it."""
    outcomes = await examined(settings(sandbox, auth="interactive", client_secret=None))
    assert outcomes["sign-in"].todo == "Run: dynamics-crm-mcp login"


async def test_an_address_where_nothing_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outcomes = await examined(Settings(url=f"http://127.0.0.1:{port}", auth="none"))
    assert failures(outcomes) == ["environment"]
    assert outcomes["environment"].found == "nothing listens at 127.0.0.1"


async def test_a_name_that_is_not_known_is_told() -> None:
    outcomes = await examined(Settings(url="https://nowhere.invalid", auth="none"))
    assert outcomes["environment"].status is Status.SKIPPED
    assert failures(outcomes) == ["settings"]
    complete = Settings(url="https://nowhere.invalid", auth="token-command", token_command="true")
    outcomes = await examined(complete)
    assert failures(outcomes) == ["environment"]
    assert "nowhere.invalid is not known" in outcomes["environment"].found


async def test_a_private_address_is_told_before_anything_is_sent() -> None:
    chosen = Settings(url="https://10.255.255.1", auth="token-command", token_command="true")
    outcomes = await examined(chosen)
    assert failures(outcomes) == ["environment"]
    assert "DYNAMICS_PRIVATE_NETWORK" in outcomes["environment"].todo


@pytest.fixture
def issuer() -> Iterator[Listening]:
    """An issuer on this machine."""
    with listening_issuer() as found:
        yield found


def _team(address: str) -> Settings:
    return Settings(public_url=PUBLIC, callers_issuer=address, callers_audience=("api://crm-mcp",))


async def test_an_issuer_with_keys_is_well_and_its_clock_is_compared(issuer: Listening) -> None:
    outcomes = await on_sandbox(_team(issuer.address))
    assert failures(outcomes) == []
    assert outcomes["issuer"].status is Status.OK
    assert outcomes["clock"].found.endswith("that of the issuer")


async def test_an_issuer_that_is_away_is_told(issuer: Listening) -> None:
    issuer.is_down = True
    outcomes = await on_sandbox(_team(issuer.address))
    assert failures(outcomes) == ["issuer"]
    assert "DYNAMICS_CALLERS_ISSUER" in outcomes["issuer"].todo


async def test_an_issuer_without_keys_is_told(issuer: Listening) -> None:
    issuer.keys = []
    outcomes = await on_sandbox(_team(issuer.address))
    assert failures(outcomes) == ["issuer"]
    assert "jwks_uri" in outcomes["issuer"].todo


async def test_an_issuer_that_goes_by_another_name_is_told(issuer: Listening) -> None:
    outcomes = await on_sandbox(_team(issuer.address.replace("/tenant", "/other")))
    assert failures(outcomes) == ["issuer"]
    assert repr(issuer.address) in outcomes["issuer"].found


ENTRA = Settings(
    public_url=PUBLIC,
    callers_issuer=f"https://login.microsoftonline.com/{TENANT}/v2.0",
    callers_audience=("api://crm-mcp", OTHER),
    auth="on-behalf-of",
    tenant_id=TENANT,
    client_id=OTHER,
)


@pytest.mark.parametrize(
    ("changed", "todo"),
    [
        ({"callers_audience": ("api://crm-mcp",)}, "DYNAMICS_CALLERS_AUDIENCE"),
        ({"client_id": TENANT}, "DYNAMICS_CLIENT_ID"),
        ({"tenant_id": OTHER}, "DYNAMICS_TENANT_ID"),
        ({}, ""),
        ({"auth": "client-secret", "client_id": TENANT}, ""),
        ({"callers_issuer": "https://issuer.example", "callers_audience": ("api://crm-mcp",)}, ""),
    ],
)
async def test_what_of_entras_rules_the_settings_overlook_is_told(changed: dict[str, Any], todo: str) -> None:
    outcome = await public_address(Context(replace(ENTRA, **changed), lambda: datetime.now(UTC)))
    assert outcome.status is (Status.FAILED if todo else Status.OK)
    assert todo in outcome.todo


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_is_ever_shown(
    sandbox: Mapping[str, str],
    form: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Any,
) -> None:
    secrets = {
        "DYNAMICS_CLIENT_SECRET": "canary-secret",
        "DYNAMICS_CERTIFICATE_PASSWORD": "canary-password",
        "DYNAMICS_TOKEN_COMMAND": "print canary-command",
        "DYNAMICS_PAGE_CLIENT_SECRET": "canary-page",
        "DYNAMICS_STATE": "postgresql://crm:canary-state@127.0.0.1:1/crm",
    }
    (tmp_path / "key").write_text("ca" * 32)
    (tmp_path / "key").chmod(0o600)
    for name, value in {**sandbox, **secrets, "DYNAMICS_STATE_KEY": str(tmp_path / "key")}.items():
        monkeypatch.setenv(name, value)
    assert run(["doctor", *form]) == 1
    said = capfd.readouterr()
    assert "AADSTS7000215" in said.out
    assert "cannot be reached" in said.out
    assert "canary" not in said.out + said.err
    assert "ca" * 32 not in said.out + said.err


@pytest.mark.usefixtures("trusted")
def test_no_token_is_ever_shown(
    sandbox: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in sandbox.items():
        monkeypatch.setenv(name, value)
    assert run(["doctor", "--json"]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out.splitlines()[0])["status"] == "ok"
    # A JWT begins with the base64 of an opening brace.
    assert "eyJ" not in said.out + said.err
    assert sandbox["DYNAMICS_CLIENT_SECRET"] not in said.out + said.err


def _forwarding(port: int) -> Any:
    """127.0.0.2, which leads to a port of 127.0.0.1."""
    import threading
    from contextlib import contextmanager

    @contextmanager
    def forwarding() -> Iterator[int]:
        with socket.create_server(("127.0.0.2", 0)) as listener:

            def forward() -> None:
                with listener.accept()[0] as client, socket.create_connection(("127.0.0.1", port)) as server:
                    back = threading.Thread(target=_copy, args=(server, client))
                    back.start()
                    _copy(client, server)
                    back.join()

            thread = threading.Thread(target=forward)
            thread.start()
            try:
                yield listener.getsockname()[1]
            finally:
                thread.join(timeout=10)

    return forwarding()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
