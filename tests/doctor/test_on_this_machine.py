"""What is on this machine: settings, callers, policy, state, files."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from crm_server.app import configured_state
from crm_server.cli import run
from crm_server.doctor import Outcome, Status
from crm_server.settings import Settings
from tests.doctor.examining import examined, failures, on_sandbox
from tests.state.postgresql import WITH_PASSWORD, PostgreSQL

pytestmark = pytest.mark.anyio

ISSUER = "https://issuer.invalid/tenant"
TEAM = Settings(
    public_url="https://crm-mcp.contoso.example",
    callers_issuer=ISSUER,
    callers_audience=("api://crm-mcp",),
)


async def test_nothing_fails_on_the_sandbox_as_it_is() -> None:
    outcomes = await on_sandbox()
    assert failures(outcomes) == []
    assert outcomes["who am i"].facts["user"] == "Alex Baker"
    assert outcomes["who am i"].facts["roles"] == ["System Administrator"]
    assert outcomes["search"].facts == {"search": True}


def test_the_command_ends_with_0_and_says_how_many_are_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--sandbox"]) == 0
    said = capsys.readouterr().out
    assert "ok       who am i         Alex Baker in Contoso Sales (sandbox)" in said
    assert "skipped  files" in said
    assert said.rstrip().endswith("11 ok, 7 skipped")


def test_json_has_one_object_a_line_for_each_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--sandbox", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["check"] for line in lines][:3] == ["settings", "callers", "policy"]
    assert {line["status"] for line in lines} == {"ok", "skipped"}
    rights = next(line["facts"]["rights"] for line in lines if line["check"] == "privileges")
    assert rights["account"]["delete"] == {"policy": "confirm", "dataverse": "all"}


@pytest.mark.parametrize("as_json", [True, False])
def test_settings_that_cannot_be_read_end_with_2(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYNAMICS_POLCY", "read-only")
    assert run(["doctor", "--sandbox", *(["--json"] if as_json else [])]) == 2
    said = capsys.readouterr().out
    assert "Did you mean DYNAMICS_POLICY?" in said
    if as_json:
        assert json.loads(said)["status"] == "failed"


def test_a_failure_ends_with_1_and_what_it_would_have_led_to_is_skipped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "-> Set DYNAMICS_URL" in said
    assert "skipped  privileges       because settings failed" in said


async def test_a_sign_in_that_is_not_complete_names_what_is_missing() -> None:
    outcome = (await examined(Settings(url="https://contoso.crm.dynamics.com")))["settings"]
    assert outcome.status is Status.FAILED
    assert outcome.todo.startswith("DYNAMICS_AUTH=client-secret also needs DYNAMICS_TENANT_ID, ")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"callers_audience": ()}, "DYNAMICS_CALLERS_AUDIENCE"),
        ({"public_url": None}, "DYNAMICS_PUBLIC_URL"),
        ({"callers_tenants": frozenset({"t"})}, "DYNAMICS_CALLERS_TENANTS"),
        ({"callers_file": Path("callers.toml")}, "not both"),
        ({"callers_issuer": None, "callers_file": Path("none-such.toml")}, "none-such.toml"),
    ],
)
async def test_settings_of_callers_that_do_not_go_together_fail(
    changed: dict[str, object], says: str
) -> None:
    outcome = (await on_sandbox(replace(TEAM, **changed)))["callers"]  # type: ignore[arg-type]
    assert outcome.status is Status.FAILED
    assert says in outcome.todo


async def test_callers_under_the_servers_own_rights_are_a_warning() -> None:
    """They are told apart, and Dataverse cannot tell them apart."""
    outcomes = await examined(replace(TEAM, url="https://nowhere.invalid", auth="none"))
    assert outcomes["callers"].status is Status.WARNING
    assert "on-behalf-of" in outcomes["callers"].todo


async def test_a_policy_that_names_an_unknown_column_fails_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('name = "own"\n\n[hidden]\naccount = ["revenu"]\n')
    outcomes = await on_sandbox(Settings(policy=str(file)))
    assert failures(outcomes) == ["policy"]
    assert f"{file}, line " in outcomes["policy"].found
    assert outcomes["privileges"].found == "because policy failed"
    assert outcomes["search"].status is Status.OK


async def _used_state(settings: Settings) -> None:
    """A state that a server has written an event to."""
    state = configured_state(settings, lambda: datetime.now(UTC))
    state.note({"kind": "call", "caller": "ann", "tool": "get_account"})
    await state.run(lambda _connection, _keys: None)
    state.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a state in a file."""
    return Settings(state=f"sqlite:///{tmp_path / 'crm.db'}", state_key=str(tmp_path / "crm.key"))


async def _state(settings: Settings) -> Outcome:
    return (await on_sandbox(settings))["state"]


async def test_a_state_in_use_can_be_written_and_is_left_as_it_was(settings: Settings) -> None:
    await _used_state(settings)
    outcome = await _state(settings)
    assert outcome.status is Status.OK
    assert outcome.facts["version"].isdecimal()
    state = configured_state(settings, lambda: datetime.now(UTC))
    names = await state.run(
        lambda connection, _: connection.exec_driver_sql("SELECT name FROM facts").scalars().all()
    )
    state.close()
    assert sorted(names) == ["audit_head", "audit_signer", "oldest taking", "version"]


async def test_a_state_in_postgresql_is_told_without_its_password(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    url = postgresql.database().replace("://crm@", "://crm:canary@")
    settings = Settings(state=url, state_key=str(tmp_path / "crm.key"))
    outcome = await _state(settings)
    assert outcome.status is Status.WARNING
    assert f"openssl rand -hex 32 > {tmp_path / 'crm.key'}" in outcome.todo
    assert not (tmp_path / "crm.key").exists()
    await _used_state(settings)
    outcome = await _state(settings)
    assert outcome.status is Status.OK
    name = urlsplit(url).path.lstrip("/")
    assert f"the database {name} at " in outcome.found
    assert "canary" not in str(outcome)
    (tmp_path / "crm.key").unlink()
    assert "another key" in (await _state(settings)).found


@pytest.mark.parametrize(
    ("changed", "found", "todo"),
    [
        (("/", "/nowhere"), "a database that is not there", "createdb"),
        (("://crm@", "://nobody@"), "a user that is not there", "createuser"),
        (("://crm@", f"://{WITH_PASSWORD}@"), "refuses the sign-in", "PGPASSWORD"),
        (("://crm@", f"://{WITH_PASSWORD}:wrong@"), "refuses the sign-in", "PGPASSWORD"),
        (("127.0.0.1", "127.0.0.3"), "cannot be reached", "Start PostgreSQL"),
    ],
)
async def test_what_keeps_postgresql_from_being_used_is_told(
    changed: tuple[str, str], found: str, todo: str, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    before, after = changed
    address = f"{postgresql.address}/postgres"
    url = f"{postgresql.address}{after}" if before == "/" else address.replace(before, after)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {WITH_PASSWORD}")
        connection.execute(f"CREATE ROLE {WITH_PASSWORD} LOGIN PASSWORD 'right'")
    outcome = await _state(Settings(state=url, state_key=str(tmp_path / "crm.key")))
    assert outcome.status is Status.FAILED
    assert found in outcome.found
    assert todo in outcome.todo


async def test_a_state_that_is_not_there_yet_is_not_made(settings: Settings, tmp_path: Path) -> None:
    assert (await _state(settings)).status is Status.OK
    assert not (tmp_path / "crm.db").exists()
    assert not (tmp_path / "crm.key").exists()


async def test_a_state_in_memory_is_a_warning() -> None:
    assert (await _state(Settings(state="sqlite://"))).status is Status.WARNING


@pytest.mark.skipif(os.name == "nt", reason="modes of files are another matter there")
async def test_a_key_file_that_others_may_read_fails(settings: Settings, tmp_path: Path) -> None:
    await _used_state(settings)
    (tmp_path / "crm.key").chmod(0o644)
    outcome = await _state(settings)
    assert outcome.status is Status.FAILED
    assert "mode 0644" in outcome.found
    assert f"chmod 600 {tmp_path / 'crm.key'}" in outcome.todo


async def test_another_key_than_the_audit_was_signed_with_fails(settings: Settings, tmp_path: Path) -> None:
    await _used_state(settings)
    (tmp_path / "crm.key").write_text(secrets.token_hex(32))
    outcome = await _state(settings)
    assert outcome.status is Status.FAILED
    assert "DYNAMICS_STATE_KEY" in outcome.todo


async def test_a_lost_key_fails_and_no_new_one_is_made_in_its_place(
    settings: Settings, tmp_path: Path
) -> None:
    await _used_state(settings)
    (tmp_path / "crm.key").unlink()
    assert (await _state(settings)).status is Status.FAILED
    assert not (tmp_path / "crm.key").exists()


async def test_a_damaged_state_fails(settings: Settings, tmp_path: Path) -> None:
    await _used_state(settings)
    _damage(tmp_path)
    outcome = await _state(settings)
    assert outcome.status is Status.FAILED
    assert "damaged" in outcome.found
    assert "backup" in outcome.todo


def _damage(folder: Path) -> None:
    for beside in folder.glob("crm.db-*"):
        beside.unlink()
    (folder / "crm.db").write_bytes(b"no database" * 1000)


async def test_a_state_of_a_newer_version_fails(settings: Settings) -> None:
    await _used_state(settings)
    state = configured_state(settings, lambda: datetime.now(UTC))
    await state.run(
        lambda connection, _: connection.exec_driver_sql(
            "UPDATE facts SET value = '999' WHERE name IN ('version', 'oldest taking')"
        )
    )
    state.close()
    outcome = await _state(settings)
    assert outcome.status is Status.FAILED
    assert "newest version" in outcome.todo


async def test_a_place_where_no_state_can_be_made_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = await _state(Settings(state=f"sqlite:///{tmp_path / 'file' / 'crm.db'}"))
    assert outcome.status is Status.FAILED
    assert "DYNAMICS_STATE" in outcome.todo


async def test_the_folder_for_files_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    outcome = (await on_sandbox(Settings(files=tmp_path)))["files"]
    assert outcome.status is Status.OK
    assert os.listdir(tmp_path) == []


async def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.touch()
    outcome = (await on_sandbox(Settings(files=folder)))["files"]
    assert outcome.status is Status.FAILED
    assert "DYNAMICS_FILES" in outcome.todo


async def test_many_tools_are_a_warning() -> None:
    few = (await on_sandbox(Settings(toolsets=("compact",))))["tools"]
    usual = (await on_sandbox())["tools"]
    assert few.facts["tokens"] < usual.facts["tokens"]
    assert usual.status is Status.OK


@pytest.mark.parametrize("name", ["ann", "a_b-3"])
def test_a_new_token_lets_its_caller_in_and_is_not_among_the_lines(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from crm_server.authorization.lab import read_lab

    assert run(["callers", "token", name]) == 0
    said = capsys.readouterr()
    token = said.err.splitlines()[0].rpartition(" ")[2]
    assert token not in said.out
    (tmp_path / "callers.toml").write_text(said.out)
    read_lab(tmp_path / "callers.toml")

    import anyio

    async def who() -> str:
        return (await read_lab(tmp_path / "callers.toml").caller_of(token)).name

    assert anyio.run(who) == name


@pytest.mark.parametrize("name", ["", "ann]\n[bob", "ann.b", 'a"b', "é", "a" * 65])
def test_a_name_that_would_not_stand_as_it_is_gets_no_token(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["callers", "token", name]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "A caller's name has letters" in said.err
