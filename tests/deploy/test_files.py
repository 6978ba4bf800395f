"""The files of deploy/ and the Dockerfile: valid to their own checkers, and of one mind with the server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_server.settings import Settings, read_settings
from crm_server.settings_table import SETTINGS
from crm_server.sign_in.modes import provider_for
from crm_server.stdio import MAX_MESSAGE_BYTES
from crm_server.web.configured import rules_of
from crm_tools.toolsets import TOOLSETS

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
BICEP = (DEPLOY / "container-apps.bicep").read_text()
GUID = "01234567-89ab-cdef-0123-456789abcdef"
PORT = 8321


def manifests() -> dict[str, dict[str, Any]]:
    """What kubernetes.yaml describes, by kind."""
    found = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    return {manifest["kind"]: manifest for manifest in found}


def checked(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A checker's verdict; it stands beside the interpreter that runs the tests."""
    return subprocess.run(
        [str(Path(sys.executable).with_name(tool)), *map(str, arguments)], capture_output=True, text=True
    )


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    verdict = checked("hadolint", ROOT / "Dockerfile")
    assert (verdict.returncode, verdict.stdout) == (0, "")


def test_the_compose_file_is_valid_to_the_compose_specification() -> None:
    verdict = checked("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_a_linter_of_compose_files_finds_only_what_is_meant_to_be() -> None:
    """A file beside it has the reasons, and none for what is not found any more."""
    reasons = DEPLOY / ".compose-lint.yml"
    options = ("--strict-config", "--fail-on", "low", "--format", "json", "--config", reasons)
    verdict = checked("compose-lint", "check", *options, DEPLOY / "compose.yaml")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    found = {finding["rule_id"] for finding in json.loads(verdict.stdout)["findings"]}
    assert found == set(yaml.safe_load(reasons.read_text())["rules"])


def test_a_linter_of_nginx_configurations_finds_only_what_is_meant_to_be() -> None:
    meant = {
        "host_spoofing": "the server itself refuses a Host that is not its own, and needs the port in it",
        "proxy_buffering_off": "events reach clients as they happen",
    }
    verdict = checked("gixy", "--format", "json", DEPLOY / "nginx.conf")
    assert {finding["plugin"] for finding in json.loads(verdict.stdout)} == set(meant), verdict.stdout


def test_all_name_the_image_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = [
        COMPOSE["services"]["server"]["image"],
        manifests()["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"],
        *re.findall(r"such as (contoso\S+:[\d.]+)", BICEP),
    ]
    assert [image.rpartition("/")[2] for image in images] == [f"dynamics-crm-mcp:{version}"] * 3


@pytest.mark.parametrize("version", ["1.30.0", "1.37.0"])
def test_the_manifests_are_valid_to_kubernetes(version: str) -> None:
    verdict = checked("kubernetes-validate", "--strict", "-k", version, DEPLOY / "kubernetes.yaml")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_each_setting_that_is_named_exists() -> None:
    known = {setting.variable for setting in SETTINGS}
    files = [*DEPLOY.rglob("*"), ROOT / "Dockerfile", ROOT / "docs" / "running.md"]
    named = {
        (path.name, name)
        for path in files
        if path.is_file()
        for name in re.findall(r"DYNAMICS_[A-Z_]*[A-Z]", path.read_text())
    }
    assert len({path for path, _ in named}) >= 5
    assert not {(path, name) for path, name in named if name not in known}


def of_compose() -> Mapping[str, str]:
    """What compose.yaml gives the server, where the variables have such values."""
    given = {
        "DYNAMICS_URL": "https://contoso.crm.dynamics.com",
        "DYNAMICS_PUBLIC_URL": "https://crm-mcp.contoso.example",
        "DYNAMICS_TENANT_ID": GUID,
        "DYNAMICS_CLIENT_ID": GUID,
        "DYNAMICS_CALLERS_AUDIENCE": f"api://{GUID}/crm-mcp.contoso.example,{GUID}",
        "DYNAMICS_PAGE_CLIENT_SECRET": "x",
        "POSTGRES_PASSWORD": "x",
    }

    def value(match: re.Match[str]) -> str:
        name, _, usual = match[1].partition(":")
        return given.get(name) or usual.removeprefix("-")

    environment = COMPOSE["services"]["server"]["environment"]
    return {name: re.sub(r"\$\{([^}]*)\}", value, text) for name, text in environment.items()}


def of_kubernetes() -> Mapping[str, str]:
    """What kubernetes.yaml gives it."""
    container = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert {each["configMapRef"]["name"] for each in container["envFrom"]} == {"crm-mcp"}
    secrets = {"DYNAMICS_STATE": "postgresql://crm@db/crm", "DYNAMICS_PAGE_CLIENT_SECRET": "x"}
    assert {each["name"] for each in container["env"]} == set(secrets)
    of_account = manifests()["ServiceAccount"]["metadata"]["annotations"]
    # What the platform's webhook adds to pods of such an account.
    platform = {
        "AZURE_TENANT_ID": of_account["azure.workload.identity/tenant-id"],
        "AZURE_CLIENT_ID": of_account["azure.workload.identity/client-id"],
        "AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/azure/tokens/azure-identity-token",
    }
    return {**manifests()["ConfigMap"]["data"], **secrets, **platform}


def of_container_apps() -> Mapping[str, str]:
    """What container-apps.bicep gives it, where what Azure fills in has such values."""
    values = {
        "dynamicsUrl": "https://contoso.crm.dynamics.com",
        "publicUrl": "https://crm-mcp.contoso.example",
        "policy": "read-only",
        "${audience}": f"api://{GUID}/crm-mcp.contoso.example",
        "${secrets}": "/mnt/secrets",
        "${environment().authentication.loginEndpoint}": "https://login.microsoftonline.com/",
        **dict.fromkeys(("${tenantId}", "${clientId}", "tenantId", "clientId"), GUID),
        "'state'": "postgresql://crm@db/crm",
        "'page-secret'": "x",
    }

    def value(text: str) -> str:
        if text in values:
            return values[text]
        for name, what in values.items():
            text = text.replace(name, what)
        return text.strip("'")

    found = re.findall(r"\{ name: '(DYNAMICS_\w+)', (?:value|secretRef): (.*) \}", BICEP)
    return {name: value(text) for name, text in found}


@pytest.mark.parametrize("given", [of_compose, of_kubernetes, of_container_apps])
def test_the_server_starts_with_what_it_is_given(given: Any) -> None:
    environ = given()
    settings = read_settings(environ, TOOLSETS)
    assert settings.state == "postgresql://crm@db/crm"
    assert settings.state_key is not None
    provider_for(settings)
    uri = f"api://{settings.tenant_id}/crm-mcp.contoso.example"
    assert rules_of(settings).audiences == (uri, settings.client_id)
    assert settings.page_client_id == settings.client_id
    assert rules_of(settings).issuer.address.endswith(f"/{settings.tenant_id}/v2.0")
    assert settings.public_url is not None


def drains() -> dict[str, tuple[int, float]]:
    """How long calls may finish, and when the platform kills, by file."""
    compose = COMPOSE["services"]["server"]
    deployment = manifests()["Deployment"]["spec"]["template"]["spec"]
    before = deployment["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    bicep = re.search(r"terminationGracePeriodSeconds: (\d+)", BICEP)
    assert bicep is not None
    return {
        "compose": (read(of_compose()), float(compose["stop_grace_period"].removesuffix("s"))),
        "kubernetes": (read(of_kubernetes()), deployment["terminationGracePeriodSeconds"] - before),
        "container apps": (read(of_container_apps()), float(bicep[1])),
    }


def read(environ: Mapping[str, str]) -> int:
    return read_settings(environ, TOOLSETS).drain_seconds or Settings().drain_seconds or 0


@pytest.mark.parametrize("platform", ["compose", "kubernetes", "container apps"])
def test_no_platform_kills_before_calls_had_their_time(platform: str) -> None:
    drain, kill = drains()[platform]
    assert 0 < drain < kill


def test_all_ask_the_port_that_the_server_listens_on() -> None:
    assert re.findall(r"EXPOSE (\d+)", DOCKERFILE) == [str(PORT)]
    assert f"127.0.0.1:{PORT}/healthz" in DOCKERFILE
    assert re.findall(r"server:(\d+)", (DEPLOY / "nginx.conf").read_text()) == [str(PORT)]
    pod = manifests()["Deployment"]["spec"]["template"]
    assert pod["spec"]["containers"][0]["ports"] == [{"name": "http", "containerPort": PORT}]
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(PORT)
    assert manifests()["NetworkPolicy"]["spec"]["ingress"][0]["ports"] == [{"port": PORT}]
    assert re.findall(r"var port = (\d+)", BICEP) == [str(PORT)]


def test_nowhere_is_the_server_root_or_its_file_system_writable() -> None:
    compose = COMPOSE["services"]["server"]
    assert compose["read_only"]
    assert compose["cap_drop"] == ["ALL"]
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["readOnlyRootFilesystem"]
    assert not container["allowPrivilegeEscalation"]
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]


def test_the_proxies_take_what_the_server_takes_and_pass_no_metrics_on() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text()
    megabytes = MAX_MESSAGE_BYTES // 1024 // 1024
    assert f"client_max_body_size {megabytes}m;" in nginx
    ingress = manifests()["Ingress"]
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == f"{megabytes}m"
    paths = [each["path"] for each in ingress["spec"]["rules"][0]["http"]["paths"]]
    assert not [path for path in paths if "/metrics".startswith(path) or "/readyz".startswith(path)]
    # Container Apps passes every path on, so there the metrics stay switched off.
    assert "DYNAMICS_METRICS" not in BICEP
