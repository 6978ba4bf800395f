"""A client that none of us wrote: Microsoft's own SDK for Python, over TLS, signed in by a client secret."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.identity import ClientSecretCredential
from PowerPlatform.Dataverse.client import DataverseClient

from tests.interaction.connecting import environment

TABLE = Path(__file__).parents[1] / "new_project.toml"


@pytest.fixture(scope="package")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataverseClient]:
    folder = tmp_path_factory.mktemp("tls")
    command = [sys.executable, "-m", "crm_server", "sandbox", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--tls", str(folder), "--table", str(TABLE)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    try:
        lines = [process.stderr.readline() for _ in range(3)]
        known = dict(word.split("=", 1) for word in lines[2].split() if "=" in word)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", known["SSL_CERT_FILE"])
            credential = ClientSecretCredential(
                known["DYNAMICS_TENANT_ID"],
                known["DYNAMICS_CLIENT_ID"],
                known["DYNAMICS_CLIENT_SECRET"],
                authority=known["DYNAMICS_URL"],
                disable_instance_discovery=True,
                connection_verify=known["SSL_CERT_FILE"],
            )
            with DataverseClient(known["DYNAMICS_URL"], credential) as found:
                yield found
            credential.close()
    finally:
        process.terminate()
        process.communicate(timeout=10)
