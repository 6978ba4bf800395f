"""The organisation's own tables from the command line, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.interaction.connecting import ERAS, Era, environment
from tests.organisation.organisation import FIVE, PROJECTS, done, schemas

SERVE = [sys.executable, "-m", "crm_server", "serve", "--sandbox"]


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_a_table_of_a_file_is_offered_and_works_over_stdio(era: Era) -> None:
    server = StdioServerParameters(
        command=SERVE[0],
        args=[*SERVE[1:], "--table", str(PROJECTS)],
        env={**environment(), "DYNAMICS_TABLES": "account,new_project"},
    )
    async with Client(server, mode=era) as client:
        offered = await schemas(client)
        assert set(FIVE) <= offered.keys()
        assert "create_contact" not in offered
        assert offered["create_new_project"]["properties"]["new_code"]["maxLength"] == 20
        made = await done(client, "create_new_project", new_name="Harbour", new_AccountId="Fabrikam, Inc.")
        assert made["record"]["new_accountid"]["name"] == "Fabrikam, Inc."
        found = await done(client, "list_new_projects", filter="new_name eq 'Harbour'")
        assert [item["new_projectid"] for item in found["records"]] == [made["record"]["new_projectid"]]


def refused_start(tables: str, *options: str) -> str:
    """What a server that does not start says on standard error."""
    finished = subprocess.run(
        [*SERVE, *options],
        env={**environment(), "DYNAMICS_TABLES": tables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (2, "")
    return finished.stderr


def test_a_misspelt_table_stops_the_start_and_names_the_one_that_is_meant() -> None:
    said = refused_start("account,new_projct", "--table", str(PROJECTS))
    assert said == (
        "dynamics-crm-mcp: DYNAMICS_TABLES names new_projct, and this environment has no such table. "
        "Did you mean new_project?\n"
    )


def test_a_table_file_that_cannot_be_used_stops_the_start_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('name = "new_bad"\nlabel = "Bad"\nprimary_colum = "new_name"\n')
    said = refused_start("account", "--table", str(file))
    assert "Traceback" not in said
    assert said.startswith("dynamics-crm-mcp: ")
    assert "primary_colum" in said
