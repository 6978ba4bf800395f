"""The MCP conformance suite on the running server: by name the scenarios that need no tools made for them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interaction.connecting import listening_server
from tests.node_packages import environment_with, installed

SCENARIOS = {
    "2025-11-25": (
        "server-initialize",
        "ping",
        "completion-complete",
        "tools-list",
        "server-sse-multiple-streams",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
        "server-session-lifecycle",
    ),
    "2026-07-28": (
        "completion-complete",
        "tools-list",
        "server-sse-multiple-streams",
        "resources-list",
        "sep-2164-resource-not-found",
        "prompts-list",
        "dns-rebinding-protection",
        "caching",
        "input-required-result-missing-input-response",
        "input-required-result-unsupported-methods",
        "input-required-result-ignore-extra-params",
        "input-required-result-validate-input",
    ),
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(
        tmp_path_factory.mktemp("conformance"), "@modelcontextprotocol/conformance@0.2.0-alpha.12"
    )


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listening_server("http") as url:
        yield url


@pytest.mark.parametrize(
    ("revision", "scenario"), [(revision, name) for revision, names in SCENARIOS.items() for name in names]
)
def test_a_scenario_passes(revision: str, scenario: str, programs: Path, address: str) -> None:
    command = [programs / "conformance", "server", "--url", address]
    options = ["--scenario", scenario, "--spec-version", revision, "--force"]
    done = subprocess.run(
        [*command, *options],
        env=environment_with(programs),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Passed:" in done.stdout, done.stdout[-2000:]
