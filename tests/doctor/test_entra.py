"""The printed registration, run in bash with a stand-in for the Azure CLI that notes what it is told."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crm_server.cli import run

TENANT = "11111111-2222-4333-8444-555555555555"
APPLICATION = "aaaaaaaa-0000-4000-8000-00000000000a"
CLIENT = "cccccccc-0000-4000-8000-00000000000c"
URL = "https://crm-mcp.contoso.example"
URI = f"api://{TENANT}/crm-mcp.contoso.example"
HOSTILE = (
    """x'; touch "$PWD/owned"; `touch owned` $(touch owned) \\ "END_OF_JSON" % @/etc/passwd \u00e4 --query"""
)

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the script is one for bash")

# Writes down its arguments, and the file that one of them names; remembers what it made.
_AZ = r"""#!/usr/bin/env bash
number="$(ls "$KEPT" | wc -l)"
printf '%s\0' "$@" > "$KEPT/$(printf %03d "$number").arguments"
for word in "$@"; do
  case "$word" in @*) cp "${word#@}" "$KEPT/$(printf %03d "$number").body" ;; esac
done
case "$1 $2 $3 $4" in
  'account show '*) echo "${SIGNED_IN_TO:-TENANT}" ;;
  'cloud show --query endpoints.microsoftGraphResourceId') echo 'https://graph.microsoft.com/' ;;
  'cloud show --query endpoints.activeDirectory') echo 'https://login.microsoftonline.com' ;;
  'ad app list '*) cat "$MADE/application" 2>/dev/null ;;
  'rest --method POST '*) echo APPLICATION | tee "$MADE/application" ;;
  'ad sp show '*) test -e "$MADE/principal" ;;
  'ad sp create '*) touch "$MADE/principal" ;;
  'ad app credential list') cat "$MADE/secret" 2>/dev/null ;;
  'ad app credential reset') echo key-id > "$MADE/secret"; echo 'the-secret' ;;
  'ad app federated-credential list') cat "$MADE/federated" 2>/dev/null ;;
  'ad app federated-credential create') echo federated-id > "$MADE/federated" ;;
esac
true
"""
_FAILING = "'ad sp show '*) test -e \"$MADE/principal\" ;;"


@dataclass
class Ran:
    """What a run told the Azure CLI: its arguments, and the body that went with them."""

    calls: list[tuple[list[str], Any]]
    code: int
    out: str
    err: str

    def of(self, *words: str) -> list[tuple[list[str], Any]]:
        """The calls that begin with these words."""
        return [call for call in self.calls if call[0][: len(words)] == list(words)]

    @property
    def application(self) -> Any:
        """The application as it was described."""
        return self.of("rest", "--method", "PATCH")[0][1]

    @property
    def settings(self) -> dict[str, str]:
        """The settings that were printed at the end."""
        lines = [line for line in self.out.splitlines() if not line.startswith("#")]
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def azure(tmp_path: Path) -> Path:
    """A folder with the stand-in, and with what it made."""
    program = tmp_path / "bin" / "az"
    program.parent.mkdir()
    (tmp_path / "made").mkdir()
    text = _AZ.replace(_FAILING, _FAILING.replace(";;", "|| exit 3 ;;"))
    program.write_text(text.replace("TENANT}", f"{TENANT}}}").replace("APPLICATION", APPLICATION))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The script."""
    assert run(["entra", "--public-url", URL, "--tenant", TENANT, *options]) == 0
    return capsys.readouterr().out


def ran(azure: Path, script: str, **environ: str) -> Ran:
    """Run a script and collect what the stand-in was told."""
    kept, work = azure / "kept", azure / "work"
    for folder in (kept, work):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    path = f"{azure / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(shutil.which("bash"))],
        input=script,
        cwd=work,
        env={"PATH": path, "KEPT": str(kept), "MADE": str(azure / "made"), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert list(work.iterdir()) == [], "something ran that stood in a name"
    calls = []
    for file in sorted(kept.glob("*.arguments")):
        body = file.with_suffix(".body")
        arguments = file.read_text().split("\0")[:-1]
        calls.append((arguments, json.loads(body.read_text()) if body.exists() else None))
    return Ran(calls, done.returncode, done.stdout, done.stderr)


def test_the_application_has_scopes_roles_addresses_and_permissions(
    azure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = ran(azure, printed(capsys, "--roles", "Salesperson,Sales.Manager"))
    assert done.code == 0, done.err
    (created,) = done.of("rest", "--method", "POST")
    assert created[1] == {
        "displayName": "Dynamics CRM for assistants",
        "signInAudience": "AzureADMyOrg",
        "identifierUris": [URI],
    }
    found = done.application
    assert found["api"]["requestedAccessTokenVersion"] == 2
    scopes = {scope["value"]: scope for scope in found["api"]["oauth2PermissionScopes"]}
    assert list(scopes) == ["crm.read", "crm.write", "crm.approve"]
    roles = {role["value"]: role for role in found["appRoles"]}
    assert list(roles) == [
        "CRM.Approver", "CRM.Auditor", "Salesperson", "Sales.Manager", "crm.read", "crm.write"
    ]  # fmt: skip
    assert roles["Salesperson"]["allowedMemberTypes"] == ["User", "Application"]
    assert roles["crm.read"]["allowedMemberTypes"] == ["Application"]
    assert found["web"]["redirectUris"] == [f"{URL}/approvals/sign-in/callback"]
    assert found["publicClient"]["redirectUris"] == ["http://localhost"]
    assert found["groupMembershipClaims"] == "ApplicationGroup"
    assert {claim["name"] for claim in found["optionalClaims"]["accessToken"]} == {"groups", "idtyp"}
    assert found["requiredResourceAccess"] == [
        {
            "resourceAppId": "00000007-0000-0000-c000-000000000000",
            "resourceAccess": [{"id": "78ce3f0f-a1ce-49c2-8cde-64b5c0896db4", "type": "Scope"}],
        }
    ]
    (consent,) = done.of("ad", "app", "permission", "grant")
    assert consent[0][4:] == [
        "--id", APPLICATION, "--api", "00000007-0000-0000-c000-000000000000",
        "--scope", "user_impersonation", "--output", "none",
    ]  # fmt: skip


def test_a_role_with_the_value_of_a_scope_is_alike_in_all_that_entra_compares(
    azure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it is refused as a duplicate; and both are in one request."""
    found = ran(azure, printed(capsys)).application
    scopes = {scope["value"]: scope for scope in found["api"]["oauth2PermissionScopes"]}
    same = [role for role in found["appRoles"] if role["value"] in scopes]
    assert len(same) == 2
    for role in same:
        scope = scopes[role["value"]]
        assert role["id"] == scope["id"]
        assert role["displayName"] == scope["adminConsentDisplayName"]
        assert role["description"] == scope["adminConsentDescription"]
        assert role["isEnabled"] == scope["isEnabled"]
    ids = [role["id"] for role in found["appRoles"]] + [scopes["crm.approve"]["id"]]
    assert len(set(ids)) == len(ids)


def test_run_again_it_finds_the_application_and_makes_nothing_twice(
    azure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = printed(capsys, "--roles", "Salesperson")
    assert printed(capsys, "--roles", "Salesperson") == script
    first, second = ran(azure, script), ran(azure, script)
    assert second.code == 0
    assert second.of("rest", "--method", "POST") == []
    assert second.of("ad", "sp", "create") == []
    assert second.of("ad", "app", "credential", "reset") == []
    assert second.application == first.application
    assert second.of("ad", "app", "list")[0][0][4] == URI


def test_the_settings_that_go_with_it_are_those_the_server_reads(
    azure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from crm_server.settings import read_settings
    from crm_server.web.configured import rules_of

    done = ran(azure, printed(capsys))
    settings = read_settings(done.settings, ())
    assert settings.auth == "on-behalf-of"
    assert settings.client_id == APPLICATION
    assert settings.client_secret == "the-secret"
    assert rules_of(settings).issuer.address == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert settings.callers_audience == (URI, APPLICATION)
    assert settings.page_client_id == APPLICATION
    assert done.application["web"]["redirectUris"] == [f"{settings.page_url}/sign-in/callback"]
    again = ran(azure, printed(capsys))
    assert again.settings["DYNAMICS_CLIENT_SECRET"] == "(the one that was made before)"


def test_a_federated_credential_takes_the_place_of_a_secret(
    azure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = printed(
        capsys,
        "--federated-issuer",
        "https://oidc.example/cluster/",
        "--federated-subject",
        "system:serviceaccount:crm:crm-mcp",
    )
    first, second = ran(azure, script), ran(azure, script)
    (made,) = first.of("ad", "app", "federated-credential", "create")
    assert made[1] == {
        "name": "dynamics-crm-mcp",
        "issuer": "https://oidc.example/cluster/",
        "subject": "system:serviceaccount:crm:crm-mcp",
        "audiences": ["api://AzureADTokenExchange"],
    }
    assert first.of("ad", "app", "credential", "reset") == []
    assert "DYNAMICS_CLIENT_SECRET" not in first.settings
    assert second.of("ad", "app", "federated-credential", "create") == []
    assert len(second.of("ad", "app", "federated-credential", "update")) == 1


def test_clients_that_need_no_consent_come_after_the_scopes(
    azure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = ran(azure, printed(capsys, "--clients", CLIENT))
    first, second = done.of("rest", "--method", "PATCH")
    assert "preAuthorizedApplications" not in first[1]["api"]
    scopes = {scope["value"]: scope["id"] for scope in first[1]["api"]["oauth2PermissionScopes"]}
    assert second[1]["api"]["oauth2PermissionScopes"] == first[1]["api"]["oauth2PermissionScopes"]
    assert second[1]["api"]["preAuthorizedApplications"] == [
        {"appId": CLIENT, "delegatedPermissionIds": [scopes["crm.read"], scopes["crm.write"]]}
    ]


def test_a_hostile_name_stays_a_name(azure: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = ran(azure, printed(capsys, "--name", HOSTILE))
    assert done.code == 0, done.err
    assert done.application["displayName"] == HOSTILE
    assert done.of("rest", "--method", "POST")[0][1]["displayName"] == HOSTILE


def test_a_hostile_address_or_subject_stays_a_word(azure: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://crm.example/a'b;$(touch${IFS}owned)`touch${IFS}owned`"
    subject = "x' $(touch owned)\"; touch owned #"
    script = printed(capsys, "--public-url", url, "--federated-issuer", url, "--federated-subject", subject)
    done = ran(azure, script)
    assert done.code == 0, done.err
    assert done.settings["DYNAMICS_PUBLIC_URL"] == url
    assert done.application["web"]["redirectUris"] == [f"{url}/approvals/sign-in/callback"]
    assert done.of("ad", "app", "federated-credential", "create")[0][1]["subject"] == subject


def test_in_another_tenant_nothing_is_made(azure: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = ran(azure, printed(capsys), SIGNED_IN_TO=CLIENT)
    assert done.code == 1
    assert f"az login --tenant {TENANT}" in done.err
    assert [call[0][:2] for call in done.calls] == [["account", "show"]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--tenant", "contoso.onmicrosoft.com"], "--tenant"),
        (["--tenant", f"{TENANT}'; touch owned"], "--tenant"),
        (["--public-url", "http://crm.example"], "--public-url"),
        (["--public-url", "https://crm.example/?a=b"], "--public-url"),
        (["--public-url", "https://user:word@crm.example"], "--public-url"),
        (["--public-url", "https://crm.example/a b"], "--public-url"),
        (["--name", "two\nlines"], "--name"),
        (["--name", "x" * 121], "--name"),
        (["--name", "right-to-left \u202e"], "--name"),
        (["--name", " "], "--name"),
        (["--roles", "Sales person"], "role"),
        (["--roles", "crm.approve"], "role"),
        (["--roles", "a'b"], "role"),
        (["--clients", "not-an-id"], "--clients"),
        (["--federated-issuer", "https://oidc.example"], "go together"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["entra", "--public-url", URL, "--tenant", TENANT, *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
