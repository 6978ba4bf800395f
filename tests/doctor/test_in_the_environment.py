"""What takes the environment: tables, the policy's names, privileges, search. On the embedded sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crm_sandbox import create_app
from crm_server.dataverse.client import open_client
from crm_server.doctor import Status
from crm_server.settings import Settings
from crm_tools.standard import standard_tables
from tests.doctor.examining import As, failures, on_sandbox
from tests.organisation.organisation import Organisation

pytestmark = pytest.mark.anyio


async def test_a_user_without_the_privileges_is_told_with_what_lacks() -> None:
    outcomes = await on_sandbox(app=As("Casey Reader"))
    assert failures(outcomes) == ["privileges"]
    found = outcomes["privileges"]
    assert "prvCreateAccount" in found.facts["lacking"]
    assert "prvReadAccount" not in found.facts["lacking"]
    assert found.todo.startswith("Give the user a security role")
    (account,) = [line for line in found.lines if line.startswith("account ")]
    assert account.split("  ")[0] == "account"
    assert "allow / all" in account
    assert "confirm / none <--" in account


async def test_what_only_administrators_write_is_not_said_to_lack() -> None:
    """A policy for every table allows to write users; nobody's assistant is expected to."""
    found = (await on_sandbox(app=As("Casey Reader")))["privileges"]
    assert found.facts["rights"]["systemuser"]["create"] == {"policy": "allow", "dataverse": "none"}
    assert not [name for name in found.facts["lacking"] if "Systemuser" in name or "Team" in name]


async def test_a_reader_has_all_that_a_policy_for_reading_allows() -> None:
    outcomes = await on_sandbox(Settings(policy="read-only"), As("Casey Reader"))
    assert failures(outcomes) == []
    rights = outcomes["privileges"].facts["rights"]
    assert rights["lead"]["read"] == {"policy": "allow", "dataverse": "all"}
    assert rights["lead"]["delete"] == {"policy": "deny", "dataverse": "none"}


async def test_activities_share_their_privileges() -> None:
    """Names are read from the environment and not made from those of tables."""
    client = open_client(
        base_url="https://sandbox.invalid",
        tables=standard_tables(),
        transport=_transport(create_app(accounts=20)),
    )
    found = await client.table_privileges(["task", "account", "no_such_table"])
    await client.aclose()
    assert found["task"]["Create"] == "prvCreateActivity"
    assert found["account"]["Write"] == "prvWriteAccount"
    assert "no_such_table" not in found


def _transport(app: Any) -> Any:
    import httpx

    return httpx.ASGITransport(app=app)


async def test_somebody_who_is_no_user_of_the_environment_is_told_so() -> None:
    app = As("Casey Reader")
    await app.disable()
    outcomes = await on_sandbox(app=app)
    assert failures(outcomes) == ["who am i"]
    assert "Application users" in outcomes["who am i"].todo
    assert outcomes["search"].found == "because who am i failed"


async def test_a_table_that_the_environment_does_not_have_is_told_with_the_closest_one() -> None:
    outcomes = await on_sandbox(Settings(tables=("account", "new_projet")), Organisation())
    assert failures(outcomes) == ["tables"]
    assert outcomes["tables"].todo.endswith("Did you mean new_project?")


async def test_named_tables_are_among_those_whose_privileges_are_looked_at() -> None:
    outcomes = await on_sandbox(Settings(tables=("account", "new_project")), Organisation())
    assert failures(outcomes) == []
    assert "new_project" in outcomes["privileges"].facts["rights"]


async def test_metadata_that_may_not_be_read_is_told() -> None:
    app = Organisation()
    app.refusing = 403
    outcomes = await on_sandbox(Settings(tables=("new_project",)), app)
    assert failures(outcomes) == ["tables"]
    assert "definitions" in outcomes["tables"].todo


async def test_a_column_of_the_policy_that_the_environment_does_not_have_is_told(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(_OWN.replace("TABLE", "account").replace("COLUMN", "revenue"))
    app = Organisation()
    assert failures(await on_sandbox(Settings(policy=str(file)), app)) == []
    app.told = {b'"LogicalName":"revenue"': b'"LogicalName":"revenux"'}
    outcomes = await on_sandbox(Settings(policy=str(file)), app)
    assert failures(outcomes) == ["policy's names"]
    assert outcomes["policy's names"].facts["missing"] == ["account.revenue"]


async def test_a_policy_on_own_tables_is_checked_once_they_are_described(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(_OWN.replace("TABLE", "new_project").replace("COLUMN", "new_name"))
    settings = Settings(policy=str(file), tables=("account", "new_project"))
    outcomes = await on_sandbox(settings, Organisation())
    assert failures(outcomes) == []
    assert "once new_project is described" in outcomes["policy"].found
    file.write_text(_OWN.replace("TABLE", "new_project").replace("COLUMN", "new_nam"))
    outcomes = await on_sandbox(settings, Organisation())
    assert failures(outcomes) == ["policy's names"]
    assert "new_name" in outcomes["policy's names"].todo


_OWN = 'extends = "read-only"\n\n[hidden]\nTABLE = ["COLUMN"]\n'


class WithoutSearch:
    """An environment whose search is switched off."""

    def __init__(self) -> None:
        self._app = create_app(accounts=20)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if not scope["path"].startswith("/api/search"):
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_search_that_is_switched_off_is_said_and_no_failure() -> None:
    outcomes = await on_sandbox(app=WithoutSearch())
    assert failures(outcomes) == []
    assert outcomes["search"].facts == {"search": False}


async def test_a_check_that_breaks_keeps_no_other_from_being_made() -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise RuntimeError("a text that nobody is to read")

    outcomes = await on_sandbox(app=broken)
    assert failures(outcomes) == ["who am i"]
    assert "RuntimeError" in outcomes["who am i"].found
    assert "nobody is to read" not in str(outcomes)
    assert outcomes["search"].status is Status.SKIPPED
